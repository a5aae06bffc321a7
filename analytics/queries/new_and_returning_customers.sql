-- Customers of each month who bought for the first time, and who had bought before: sold orders
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  month,
  new_customers + returning_customers AS customers,
  new_customers,
  returning_customers,
  CAST(
    100 * CAST(returning_customers AS double) / (new_customers + returning_customers)
    AS decimal(5, 1)
  ) AS returning_percent
FROM (
  SELECT
    month,
    count_if(month = first_month) AS new_customers,
    count_if(month > first_month) AS returning_customers
  FROM (
    SELECT DISTINCT customer_id, first_month, date_trunc('month', paid_day) AS month
    FROM (
      -- The first order counts wherever and whenever it was paid.
      SELECT
        customer_id,
        paid_day,
        region,
        date_trunc('month', min(paid_day) OVER (PARTITION BY customer_id)) AS first_month
      FROM (
        SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
        FROM orders
      )
      WHERE sold AND customer_id IS NOT NULL
    )
    WHERE paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
      AND coalesce(region, '') LIKE ?
  )
  GROUP BY month
)
ORDER BY month
