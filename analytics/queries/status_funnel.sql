-- Orders that reached each status, and their percentage of all orders placed; without test orders
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
WITH reached AS (
  SELECT
    count(*) AS placed,
    count(paid_at) AS paid,
    count(shipped_at) AS shipped,
    count(delivered_at) AS delivered,
    count(returned_at) AS returned
  FROM (
    SELECT *, CAST(at_timezone(with_timezone(placed_at, 'UTC'), ?) AS date) AS placed_day
    FROM orders
  )
  WHERE NOT coalesce(test_order, false)
    AND placed_day BETWEEN CAST(? AS date) AND CAST(? AS date)
    AND coalesce(region, '') LIKE ?
)
SELECT
  step,
  status,
  orders,
  CAST(100 * CAST(orders AS double) / nullif(placed, 0) AS decimal(5, 1)) AS percent
FROM (
  SELECT
    step,
    element_at(ARRAY['placed', 'paid', 'shipped', 'delivered', 'returned'], step) AS status,
    element_at(ARRAY[placed, paid, shipped, delivered, returned], step) AS orders,
    placed
  FROM reached
  CROSS JOIN UNNEST(sequence(1, 5)) AS t(step)
)
ORDER BY step
