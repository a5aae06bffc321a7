-- Every change of every order, with typed columns and without duplicates, which share their day,
-- key, stream, sequence number and event ID. A condition on dt prunes the lake's partitions.
CREATE OR REPLACE VIEW order_changes AS
SELECT
  dt, operation, changed_at, expired, changed_attributes, order_id, status, placed_at, paid_at,
  payment_failed_at, shipped_at, delivered_at, cancelled_at, returned_at, updated_at, customer_id,
  customer_name, customer_email, street, city, postal_code, country, region, channel, currency,
  subtotal, discount, shipping_fee, tax, total, coupon, payment_method, payment_attempts, carrier,
  tracking_number, test_order, expires_at, items, old_image, new_image, cdc_key, cdc_source,
  cdc_stream_created_at, cdc_sequence, cdc_snapshot_at, cdc_event_id, cdc_content
FROM (
  -- Copies may differ if two versions of the transform made them: prefer the one with images, then
  -- the one with most attributes, which a large row of release 0.1.0 may lack.
  SELECT
    *,
    row_number() OVER (
      PARTITION BY dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id
      ORDER BY cdc_content DESC
    ) AS cdc_copy
  FROM order_rows
  WHERE cdc_table IN ('history', 'recent')
)
WHERE cdc_copy = 1
