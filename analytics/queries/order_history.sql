-- History of one order, oldest change first
-- params: order_id
SELECT
  changed_at,
  operation,
  expired,
  changed_attributes,
  status,
  updated_at,
  total,
  currency,
  cdc_sequence
FROM order_changes
WHERE order_id = ?
ORDER BY cdc_stream_created_at, cdc_source, cdc_sequence, coalesce(cdc_snapshot_at, ''), cdc_event_id
