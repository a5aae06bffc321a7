-- Customers by the day and region of their first sold order, and how many bought again months later
SELECT
  day,
  region,
  months_later,
  count(DISTINCT customer_id) AS customers
FROM (
  SELECT
    customer_id,
    :day(first_paid_at) AS day,
    coalesce(first_region, '') AS region,
    date_diff(
      'month', date_trunc('month', :day(first_paid_at)), date_trunc('month', :day(paid_at))
    ) AS months_later
  FROM (
    SELECT
      customer_id,
      paid_at,
      min(paid_at) OVER (PARTITION BY customer_id) AS first_paid_at,
      first_value(region) OVER (PARTITION BY customer_id ORDER BY paid_at, order_id)
        AS first_region
    FROM orders
    WHERE sold AND customer_id IS NOT NULL
  )
)
GROUP BY day, region, months_later
ORDER BY day, region, months_later
