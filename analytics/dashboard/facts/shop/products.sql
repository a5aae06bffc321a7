-- Quantity and revenue of each product, from the lines of sold orders, by day of payment
SELECT
  :day(paid_at) AS day,
  coalesce(region, '') AS region,
  coalesce(category, '') AS category,
  coalesce(currency, '') AS currency,
  coalesce(sku, '') AS sku,
  max(product) AS product,
  coalesce(sum(quantity), 0) AS quantity,
  coalesce(sum(amount), 0) AS revenue
FROM order_lines
WHERE sold
GROUP BY :day(paid_at), coalesce(region, ''), coalesce(category, ''),
  coalesce(currency, ''), coalesce(sku, '')
ORDER BY day, region, category, currency, sku
