-- Hours from each status to the next, median and 90th percentile, by region; without test orders
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
WITH steps AS (
  SELECT
    region,
    step,
    date_diff('second', element_at(times, step), element_at(times, step + 1)) AS seconds
  FROM (
    SELECT region, ARRAY[placed_at, paid_at, shipped_at, delivered_at, returned_at] AS times
    FROM (
      SELECT *, CAST(at_timezone(with_timezone(placed_at, 'UTC'), ?) AS date) AS placed_day
      FROM orders
    )
    WHERE NOT coalesce(test_order, false)
      AND placed_day BETWEEN CAST(? AS date) AND CAST(? AS date)
      AND coalesce(region, '') LIKE ?
  )
  CROSS JOIN UNNEST(sequence(1, 4)) AS t(step)
)
SELECT
  region,
  element_at(ARRAY['placed', 'paid', 'shipped', 'delivered'], step) AS from_status,
  element_at(ARRAY['paid', 'shipped', 'delivered', 'returned'], step) AS to_status,
  orders,
  CAST(CAST(sorted_seconds[(5 * orders + 9) / 10] AS double) / 3600 AS decimal(18, 2))
    AS median_hours,
  CAST(CAST(sorted_seconds[(9 * orders + 9) / 10] AS double) / 3600 AS decimal(18, 2)) AS p90_hours
FROM (
  -- Of ten values, the fifth is the median, the ninth the percentile: exact on every engine.
  SELECT region, step, count(*) AS orders, array_sort(array_agg(seconds)) AS sorted_seconds
  FROM steps
  WHERE seconds IS NOT NULL
  GROUP BY region, step
)
ORDER BY region, step
