-- An order is in one of the shop's currencies: edit the list here
-- params: day_from=2000-01-01
-- severity: error
SELECT order_id, currency
FROM orders
WHERE coalesce(currency, '') NOT IN ('EUR', 'GBP', 'JPY', 'USD')
  AND CAST(changed_at AS date) >= CAST(? AS date)
ORDER BY order_id
