-- The newest sold orders with their customers: only in a page with details
SELECT
  :day(paid_at) AS day,
  coalesce(region, '') AS region,
  json_format(CAST(filter(:categories, category -> category IS NOT NULL) AS JSON)) AS categories,
  coalesce(currency, '') AS currency,
  coalesce(substr(order_id, 1, 100), '') AS order_id,
  coalesce(substr(customer_name, 1, 100), '') AS customer,
  coalesce(status, '') AS status,
  CAST(total AS varchar) AS total
FROM orders
WHERE sold
ORDER BY paid_at DESC, order_id
LIMIT 1000
