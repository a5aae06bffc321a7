-- Average order value by region, channel and currency: mean total of sold orders, to the cent
-- params: zone=UTC, day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  region,
  channel,
  currency,
  count(*) AS orders,
  CAST(avg(CAST(total AS decimal(38, 12))) AS decimal(38, 2)) AS average,
  CAST(min(total) AS decimal(38, 2)) AS smallest,
  CAST(max(total) AS decimal(38, 2)) AS largest
FROM (
  SELECT *, CAST(at_timezone(with_timezone(paid_at, 'UTC'), ?) AS date) AS paid_day
  FROM orders
)
WHERE sold
  AND paid_day BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND coalesce(region, '') LIKE ?
GROUP BY region, channel, currency
ORDER BY region, channel, currency
