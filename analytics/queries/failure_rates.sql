-- Failed payments, cancellations and returns by region, as percentages of the orders placed
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  region,
  orders,
  payment_failed,
  CAST(100 * CAST(payment_failed AS double) / orders AS decimal(5, 1)) AS payment_failed_percent,
  cancelled,
  CAST(100 * CAST(cancelled AS double) / orders AS decimal(5, 1)) AS cancelled_percent,
  returned,
  CAST(100 * CAST(returned AS double) / orders AS decimal(5, 1)) AS returned_percent
FROM (
  SELECT
    region,
    count(*) AS orders,
    count(payment_failed_at) AS payment_failed,
    count(cancelled_at) AS cancelled,
    count(returned_at) AS returned
  FROM (
    SELECT *, CAST(at_timezone(with_timezone(placed_at, 'UTC'), ?) AS date) AS placed_day
    FROM orders
  )
  WHERE NOT coalesce(test_order, false)
    AND placed_day BETWEEN CAST(? AS date) AND CAST(? AS date)
    AND coalesce(region, '') LIKE ?
  GROUP BY region
)
ORDER BY region
