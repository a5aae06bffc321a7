-- Order attributes that the views do not include yet, with their count and first and last change
-- params: day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  attribute,
  count(*) AS changes,
  min(changed_at) AS first_seen,
  max(changed_at) AS last_seen
FROM order_changes
CROSS JOIN UNNEST(map_keys(CAST(json_parse(new_image) AS MAP(VARCHAR, JSON)))) AS t(attribute)
WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
  AND coalesce(region, '') LIKE ?
  AND attribute NOT IN (
    'order_id', 'status', 'placed_at', 'paid_at', 'payment_failed_at', 'shipped_at', 'delivered_at',
    'cancelled_at', 'returned_at', 'updated_at', 'customer', 'region', 'channel', 'currency',
    'subtotal', 'discount', 'shipping_fee', 'tax', 'total', 'coupon', 'payment', 'carrier',
    'tracking_number', 'test_order', 'expires_at', 'items'
  )
GROUP BY attribute
ORDER BY changes DESC, attribute
