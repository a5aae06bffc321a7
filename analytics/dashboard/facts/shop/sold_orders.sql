-- Sold orders by day of payment: count, revenue, and how many have an unreadable total
SELECT
  :day(paid_at) AS day,
  coalesce(region, '') AS region,
  category,
  coalesce(currency, '') AS currency,
  count(*) AS orders,
  count(*) - count(total) AS unreadable,
  coalesce(sum(total), 0) AS revenue
FROM orders
CROSS JOIN UNNEST(:categories) AS t(category)
WHERE sold
GROUP BY :day(paid_at), coalesce(region, ''), category, coalesce(currency, '')
ORDER BY day, region, category, currency
