-- The total of an order is its subtotal less the discount, plus shipping and tax
-- params: day_from=2000-01-01
-- severity: error
SELECT
  order_id,
  total,
  subtotal - coalesce(discount, 0) + coalesce(shipping_fee, 0) + coalesce(tax, 0) AS expected_total
FROM orders
WHERE total <> subtotal - coalesce(discount, 0) + coalesce(shipping_fee, 0) + coalesce(tax, 0)
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
