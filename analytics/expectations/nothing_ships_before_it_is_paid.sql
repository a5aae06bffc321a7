-- An order is paid before it is shipped
-- params: day_from=2000-01-01
-- severity: error
SELECT order_id, paid_at, shipped_at
FROM orders
WHERE shipped_at IS NOT NULL AND (paid_at IS NULL OR paid_at > shipped_at)
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
