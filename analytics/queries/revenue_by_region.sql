-- Revenue by region, country and currency: totals of sold orders, including tax
-- params: day_from=2000-01-01, day_to=2999-12-31, region=%
SELECT
  region,
  country,
  currency,
  count(*) AS orders,
  count(DISTINCT customer_id) AS customers,
  CAST(sum(total) AS decimal(38, 2)) AS revenue
FROM orders
WHERE sold
  AND CAST(paid_at AS date) BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY region, country, currency
ORDER BY region, revenue DESC, country, currency
