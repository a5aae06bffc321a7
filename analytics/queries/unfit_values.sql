-- Values that do not fit a column's type or the row's maximum size: views round them or show NULL
-- params: day_from=1900-01-01, day_to=2999-12-31
WITH selected_changes AS (
  -- Of the lake's columns only these: any other word may be the name of an attribute.
  SELECT
    subtotal, discount, shipping_fee, tax, total,
    placed_at, paid_at, payment_failed_at, shipped_at, delivered_at, cancelled_at,
    returned_at, updated_at,
    payment__attempts, expires_at, test_order, items,
    coalesce(TRY(CAST(json_parse(items) AS ARRAY(JSON))), CAST(ARRAY[] AS ARRAY(JSON))) AS lines,
    -- Release 0.1.0 wrote rows that were too large for Firehose without their attribute columns.
    CASE WHEN order_id IS NULL THEN
      CASE WHEN json_extract(coalesce(cdc_new_image, cdc_old_image), '$.order_id') IS NOT NULL
        THEN cdc_key
      END
    END AS oversized_key
  FROM changes
  WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
),
stored AS (
  SELECT kind, attribute, value
  FROM selected_changes
  CROSS JOIN UNNEST(
    ARRAY['money', 'money', 'money', 'money', 'money',
      'time', 'time', 'time', 'time', 'time', 'time', 'time', 'time',
      'whole number', 'seconds', 'boolean', 'list', 'row']
      || transform(lines, line -> 'quantity') || transform(lines, line -> 'money'),
    ARRAY['subtotal', 'discount', 'shipping_fee', 'tax', 'total',
      'placed_at', 'paid_at', 'payment_failed_at', 'shipped_at', 'delivered_at', 'cancelled_at',
      'returned_at', 'updated_at',
      'payment.attempts', 'expires_at', 'test_order', 'items', 'all']
      || transform(lines, line -> 'items.quantity')
      || transform(lines, line -> 'items.unit_price'),
    ARRAY[subtotal, discount, shipping_fee, tax, total,
      placed_at, paid_at, payment_failed_at, shipped_at, delivered_at, cancelled_at,
      returned_at, updated_at,
      payment__attempts, expires_at, test_order, items, oversized_key]
      || transform(lines, line -> json_extract_scalar(line, '$.quantity'))
      || transform(lines, line -> json_extract_scalar(line, '$.unit_price'))
  ) AS t(kind, attribute, value)
)
SELECT kind, attribute, value, count(*) AS stored
FROM stored
WHERE NOT CASE kind
  WHEN 'money' THEN regexp_like(value, '^-?[0-9]{1,14}(\.[0-9]{1,4})?\z')
  WHEN 'quantity' THEN regexp_like(value, '^-?[0-9]{1,9}(\.[0-9]{1,3})?\z')
  WHEN 'whole number' THEN regexp_like(value, '^-?[0-9]{1,18}\z')
  WHEN 'seconds' THEN regexp_like(value, '^-?[0-9]{1,12}\z')
  WHEN 'time' THEN TRY(from_iso8601_timestamp(regexp_extract(
    value, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) IS NOT NULL
  WHEN 'boolean' THEN value IN ('true', 'false')
  WHEN 'row' THEN false
  WHEN 'list' THEN TRY(CAST(json_parse(value) AS ARRAY(JSON))) IS NOT NULL
  END
  AND value IS NOT NULL
GROUP BY kind, attribute, value
ORDER BY stored DESC, attribute, value
LIMIT 1000
