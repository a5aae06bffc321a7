-- Revenue by region, country and currency: totals of sold orders, including tax
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  region,
  country,
  currency,
  count(*) AS orders,
  count(DISTINCT customer_id) AS customers,
  CAST(sum(total) AS decimal(38, 2)) AS revenue
FROM (
  SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
  FROM orders
)
WHERE sold
  AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY region, country, currency
ORDER BY region, revenue DESC, country, currency
