-- The subtotal of an order is the sum of its lines: quantity times unit price
-- params: day_from=2000-01-01
-- severity: error
SELECT order_id, subtotal, coalesce(amount, 0) AS sum_of_lines
FROM orders
LEFT JOIN (
  SELECT order_id, sum(amount) AS amount FROM order_lines GROUP BY order_id
) USING (order_id)
WHERE subtotal <> coalesce(amount, 0)
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
