-- The last image of every order that ever existed. The row of highest rank decides whether the
-- order was removed later, and whether it expired. Every query about revenue counts `sold` orders:
-- paid, not cancelled, not returned, and not a test.
--
-- image: The order's last image as canonical DynamoDB JSON, before its removal if it was removed
-- removed: Whether the order is no longer in the table
-- expired: Whether DynamoDB removed the order because its time to live had ended
-- changed_at: When the order last changed or was removed, in whole seconds, UTC
-- sold: Whether it counts as revenue: paid, not cancelled, not returned, and not a test order
CREATE OR REPLACE VIEW orders AS
SELECT
  order_id,
  status,
  placed_at,
  paid_at,
  payment_failed_at,
  shipped_at,
  delivered_at,
  cancelled_at,
  returned_at,
  updated_at,
  customer_id,
  customer_name,
  customer_email,
  street,
  city,
  postal_code,
  country,
  region,
  channel,
  currency,
  subtotal,
  discount,
  shipping_fee,
  tax,
  total,
  coupon,
  payment_method,
  payment_attempts,
  carrier,
  tracking_number,
  test_order,
  expires_at,
  items,
  coalesce(new_image, old_image) AS image,
  cdc_key,
  removed,
  removed AND last_expired AS expired,
  last_changed_at AS changed_at,
  paid_at IS NOT NULL AND cancelled_at IS NULL AND returned_at IS NULL
    AND NOT coalesce(test_order, false) AS sold
FROM (
  SELECT
    *,
    first_value(cdc_content < '1') OVER by_rank AS removed,
    first_value(expired) OVER by_rank AS last_expired,
    first_value(changed_at) OVER by_rank AS last_changed_at,
    -- A removal that only a repair found has no image; an older row has the last one. What a row
    -- has is read from cdc_content, so that the images themselves are read only if they are asked for.
    row_number() OVER (
      PARTITION BY cdc_key, cdc_content < '01'
      ORDER BY cdc_stream_created_at DESC, cdc_source DESC, cdc_sequence DESC,
        coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC, cdc_content DESC
    ) AS image_rank
  FROM order_rows
  WHERE cdc_table IN ('state', 'recent')
  WINDOW by_rank AS (
    PARTITION BY cdc_key
    ORDER BY cdc_stream_created_at DESC, cdc_source DESC, cdc_sequence DESC,
      coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC, cdc_content DESC
  )
)
WHERE image_rank = 1 AND cdc_content >= '01'
