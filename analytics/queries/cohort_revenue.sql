-- Revenue of customers by the month of their first sold order, and its sum so far, by currency
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  cohort,
  currency,
  months_later,
  orders,
  CAST(revenue AS decimal(38, 2)) AS revenue,
  CAST(
    sum(revenue) OVER (PARTITION BY cohort, currency ORDER BY months_later) AS decimal(38, 2)
  ) AS revenue_so_far
FROM (
  SELECT
    date_trunc('month', first_day) AS cohort,
    currency,
    date_diff('month', date_trunc('month', first_day), date_trunc('month', paid_day))
      AS months_later,
    count(*) AS orders,
    sum(total) AS revenue
  FROM (
    SELECT
      currency,
      total,
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
    AND coalesce(first_region, '') LIKE ?
  GROUP BY 1, 2, 3
)
ORDER BY cohort, currency, months_later
