-- Revenue by category and currency: lines of sold orders, before discount and tax
-- params: day_from=2000-01-01, day_to=2999-12-31, region=%
SELECT
  category,
  currency,
  count(DISTINCT order_id) AS orders,
  sum(quantity) AS pieces,
  CAST(sum(amount) AS decimal(38, 2)) AS revenue
FROM order_lines
WHERE sold
  AND CAST(paid_at AS date) BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY category, currency
ORDER BY currency, revenue DESC, category
