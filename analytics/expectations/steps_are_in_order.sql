-- An order is placed, paid, delivered and returned in that order
-- params: day_from=2000-01-01
-- severity: warning
SELECT order_id, placed_at, paid_at, shipped_at, delivered_at, returned_at
FROM orders
WHERE (
    paid_at < placed_at
    OR delivered_at < coalesce(shipped_at, paid_at, placed_at)
    OR returned_at < coalesce(delivered_at, shipped_at, paid_at, placed_at)
  )
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
