-- Revenue by category and currency: lines of sold orders, before discount and tax
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  category,
  currency,
  count(DISTINCT order_id) AS orders,
  sum(quantity) AS pieces,
  CAST(sum(amount) AS decimal(38, 2)) AS revenue
FROM (
  SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
  FROM order_lines
)
WHERE sold
  AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY category, currency
ORDER BY currency, revenue DESC, category
