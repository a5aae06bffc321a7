-- Customers by the month of their first sold order, and how many bought again in later months
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  cohort,
  months_later,
  customers,
  active_customers,
  CAST(100 * CAST(active_customers AS double) / customers AS decimal(5, 1)) AS percent
FROM (
  SELECT
    cohort,
    months_later,
    -- In month 0 every customer of the cohort is active.
    max(count(DISTINCT customer_id)) OVER (PARTITION BY cohort) AS customers,
    count(DISTINCT customer_id) AS active_customers
  FROM (
    SELECT
      customer_id,
      first_region,
      date_trunc('month', first_day) AS cohort,
      date_diff('month', date_trunc('month', first_day), date_trunc('month', paid_day))
        AS months_later
    FROM (
      SELECT
        customer_id,
        paid_day,
        min(paid_day) OVER (PARTITION BY customer_id) AS first_day,
        first_value(region) OVER (PARTITION BY customer_id ORDER BY paid_at, order_id)
          AS first_region
      FROM (
        SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
        FROM orders
      )
      WHERE sold AND customer_id IS NOT NULL
    )
    WHERE first_day BETWEEN CAST(? AS date) AND CAST(? AS date)
  )
  WHERE coalesce(first_region, '') LIKE ?
  GROUP BY cohort, months_later
)
ORDER BY cohort, months_later
