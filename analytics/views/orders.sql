-- Every order that ever was, as its last image shows it. The row of greatest rank tells whether it
-- was removed since, and whether by expiry. `sold` is what every question about money counts: paid,
-- neither cancelled nor returned, and no test.
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
  removed AND expired_last AS expired,
  changed_last AS changed_at,
  paid_at IS NOT NULL AND cancelled_at IS NULL AND returned_at IS NULL
    AND NOT coalesce(test_order, false) AS sold
FROM (
  SELECT
    *,
    first_value(new_image IS NULL) OVER by_rank AS removed,
    first_value(expired) OVER by_rank AS expired_last,
    first_value(changed_at) OVER by_rank AS changed_last,
    -- A removal that only a repair found out has no image at all: the last image is an older row's.
    row_number() OVER (
      PARTITION BY cdc_key, coalesce(new_image, old_image) IS NULL
      ORDER BY cdc_source DESC, cdc_sequence DESC, coalesce(cdc_snapshot_at, '') DESC,
        cdc_event_id DESC
    ) AS place
  FROM order_changes
  WINDOW by_rank AS (
    PARTITION BY cdc_key
    ORDER BY cdc_source DESC, cdc_sequence DESC, coalesce(cdc_snapshot_at, '') DESC,
      cdc_event_id DESC
  )
)
WHERE place = 1 AND coalesce(new_image, old_image) IS NOT NULL
