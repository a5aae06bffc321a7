-- Every sold order names its customer
-- params: day_from=2000-01-01
-- severity: warning
SELECT order_id, paid_at, total, currency
FROM orders
WHERE sold AND customer_id IS NULL
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
