-- Orders that were paid and have not been shipped for days, the longest waiting first
-- params: days=3, region=%
--
-- Measured at the newest change in the lake; without cancelled, returned, removed and test orders.
SELECT order_id, status, paid_at, days_waiting, region, currency, total, customer_id, channel
FROM (
  SELECT
    *,
    date_diff('second', paid_at, max(changed_at) OVER ()) / 86400 AS days_waiting
  FROM orders
)
WHERE sold AND shipped_at IS NULL AND delivered_at IS NULL AND NOT removed
  AND days_waiting >= CAST(? AS bigint)
  AND coalesce(region, '') LIKE ?
ORDER BY paid_at, order_id
