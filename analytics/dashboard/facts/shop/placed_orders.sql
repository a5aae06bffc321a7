-- Orders by the day they were placed: the statuses they reached, and how many are still in the table
SELECT
  :day(placed_at) AS day,
  coalesce(region, '') AS region,
  category,
  coalesce(test_order, false) AS test,
  count(*) AS placed,
  count(paid_at) AS paid,
  count(shipped_at) AS shipped,
  count(delivered_at) AS delivered,
  count(returned_at) AS returned,
  count(cancelled_at) AS cancelled,
  count_if(NOT removed) AS in_table
FROM orders
CROSS JOIN UNNEST(:categories) AS t(category)
GROUP BY :day(placed_at), coalesce(region, ''), category, coalesce(test_order, false)
ORDER BY day, region, category, test
