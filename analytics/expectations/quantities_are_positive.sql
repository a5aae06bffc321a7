-- Every line of an order has a quantity above zero and a price of at least zero
-- params: day_from=2000-01-01
-- severity: error
SELECT order_id, line_number, sku, quantity, unit_price
FROM order_lines
WHERE (coalesce(quantity, 0) <= 0 OR coalesce(unit_price, -1) < 0)
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id, line_number
