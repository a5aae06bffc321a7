-- Minutes from each status to the next, by the day the orders were placed
SELECT
  :day(status_times[1]) AS day,
  region,
  category,
  step,
  array_join(
    array_sort(array_agg(date_diff('minute', status_times[step], status_times[step + 1]))), ' '
  ) AS minutes
FROM (
  SELECT
    coalesce(region, '') AS region,
    category,
    ARRAY[placed_at, paid_at, shipped_at, delivered_at, returned_at] AS status_times
  FROM orders
  CROSS JOIN UNNEST(:categories) AS t(category)
  WHERE NOT coalesce(test_order, false) AND placed_at IS NOT NULL
)
CROSS JOIN UNNEST(sequence(1, 4)) AS s(step)
WHERE status_times[step] IS NOT NULL AND status_times[step + 1] IS NOT NULL
GROUP BY :day(status_times[1]), region, category, step
ORDER BY day, region, category, step
