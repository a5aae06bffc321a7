-- Revenue by day and currency: totals of sold orders, including tax, by UTC day of payment
-- params: day_from=2000-01-01, day_to=2999-12-31, region=%
SELECT
  CAST(paid_at AS date) AS day,
  currency,
  count(*) AS orders,
  CAST(sum(total) AS decimal(38, 2)) AS revenue
FROM orders
WHERE sold
  AND CAST(paid_at AS date) BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY CAST(paid_at AS date), currency
ORDER BY day, currency
