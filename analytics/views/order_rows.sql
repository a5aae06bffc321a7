-- Every row of the lake, with typed columns: those of the Parquet copies, history and state, and
-- those of the days that `recent` still reads as JSON. A change may be in two of the three tables.
-- A condition on cdc_table leaves the other tables unread, and one on dt prunes the days of `recent`.
-- A time is a whole ISO 8601 date, alone or with a time of day and perhaps a zone, else UTC; an
-- amount is a number in ASCII digits. Every engine reads these alike; any other text is null.
--
-- cdc_table: The table that has the row: history, state or recent
-- operation: INSERT, MODIFY or REMOVE; SNAPSHOT if a backfill or a repair read the order
-- changed_at: When the order changed, in whole seconds, UTC
-- expired: Whether DynamoDB removed the order because its time to live had ended
-- changed_attributes: JSON array of the names of the attributes that the change changed
-- customer_id: ID of the customer
-- customer_name: Name of the customer; personal data
-- customer_email: E-mail address of the customer; personal data
-- street: Street and number of the delivery address; personal data
-- city: City of the delivery address
-- postal_code: Postal code of the delivery address
-- country: Country of the delivery address, ISO 3166 code
-- payment_method: Method of payment, such as card
-- payment_attempts: Number of attempts to pay
-- test_order: Whether it is a test order, which is never counted as sold
-- expires_at: When DynamoDB may remove the order, UTC
-- old_image: The order before the change as canonical DynamoDB JSON; null if it was new
-- new_image: The order after the change as canonical DynamoDB JSON; null if it was removed
-- cdc_stream_created_at: When the table's stream was created: rows of a newer stream rank higher
-- cdc_content: Orders copies of a change that differ; below 1 without new image, 00 without any
CREATE OR REPLACE VIEW order_rows AS
SELECT
  cdc_table,
  dt,
  cdc_operation AS operation,
  TRY_CAST(cdc_changed_at AS timestamp) AS changed_at,
  cdc_expired = 'true' AS expired,
  cdc_changed AS changed_attributes,
  order_id,
  status,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    placed_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS placed_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    paid_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS paid_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    payment_failed_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS payment_failed_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    shipped_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS shipped_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    delivered_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS delivered_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    cancelled_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS cancelled_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    returned_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS returned_at,
  CAST(TRY(from_iso8601_timestamp(regexp_extract(
    updated_at, '^[1-9][-0-9]{9}(T[0-9:.]{5,18}(Z|[-+][0-9:]{5})?)?\z'
  ))) AT TIME ZONE 'UTC' AS timestamp) AS updated_at,
  customer__id AS customer_id,
  customer__name AS customer_name,
  customer__email AS customer_email,
  customer__address__street AS street,
  customer__address__city AS city,
  customer__address__postal_code AS postal_code,
  customer__address__country AS country,
  region,
  channel,
  currency,
  TRY_CAST(regexp_extract(subtotal, '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z') AS decimal(18, 4)) AS subtotal,
  TRY_CAST(regexp_extract(discount, '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z') AS decimal(18, 4)) AS discount,
  TRY_CAST(regexp_extract(shipping_fee, '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z') AS decimal(18, 4)) AS shipping_fee,
  TRY_CAST(regexp_extract(tax, '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z') AS decimal(18, 4)) AS tax,
  TRY_CAST(regexp_extract(total, '^[-+]?[0-9.]+([eE][-+]?[0-9]+)?\z') AS decimal(18, 4)) AS total,
  coupon,
  payment__method AS payment_method,
  TRY_CAST(regexp_extract(payment__attempts, '^[-+]?[0-9]+\z') AS bigint) AS payment_attempts,
  carrier,
  tracking_number,
  TRY_CAST(test_order AS boolean) AS test_order,
  -- from_unixtime fails on more than 12 digits, and TRY does not catch that.
  CAST(from_unixtime(
    CAST(regexp_extract(expires_at, '^[0-9]{1,12}\z') AS decimal(12, 0))
  ) AT TIME ZONE 'UTC' AS timestamp) AS expires_at,
  items,
  cdc_old_image AS old_image,
  cdc_new_image AS new_image,
  cdc_key,
  cdc_source,
  regexp_extract(cdc_source, '[^/]*$') AS cdc_stream_created_at,
  cdc_sequence,
  cdc_snapshot_at,
  cdc_event_id,
  cdc_content
FROM (
  SELECT 'history' AS cdc_table, cdc_content,
    cdc_operation, cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id, cdc_changed_at,
    cdc_expired, cdc_changed, cdc_old_image, cdc_new_image, order_id, status, placed_at, paid_at,
    payment_failed_at, shipped_at, delivered_at, cancelled_at, returned_at, updated_at,
    customer__id, customer__name, customer__email, customer__address__street,
    customer__address__city, customer__address__postal_code, customer__address__country, items,
    currency, region, channel, subtotal, discount, shipping_fee, tax, total, payment__method,
    payment__attempts, test_order, expires_at, coupon, carrier, tracking_number, dt
  FROM history
  UNION ALL
  SELECT 'state', cdc_content,
    cdc_operation, cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id, cdc_changed_at,
    cdc_expired, cdc_changed, cdc_old_image, cdc_new_image, order_id, status, placed_at, paid_at,
    payment_failed_at, shipped_at, delivered_at, cancelled_at, returned_at, updated_at,
    customer__id, customer__name, customer__email, customer__address__street,
    customer__address__city, customer__address__postal_code, customer__address__country, items,
    currency, region, channel, subtotal, discount, shipping_fee, tax, total, payment__method,
    payment__attempts, test_order, expires_at, coupon, carrier, tracking_number, dt
  FROM state
  UNION ALL
  SELECT 'recent', IF(cdc_new_image IS NULL, '0', '1') || IF(cdc_old_image IS NULL, '0', '1')
      || substr(lower(to_hex(sha256(to_utf8(array_join(ARRAY[
        cdc_new_image, cdc_old_image, cdc_operation, cdc_changed_at
      ], chr(10), ''))))), 1, 16)
      || lpad(CAST(cardinality(filter(ARRAY[
        cdc_expired, cdc_changed, order_id, status, placed_at, paid_at, payment_failed_at,
        shipped_at, delivered_at, cancelled_at, returned_at, updated_at, customer__id,
        customer__name, customer__email, customer__address__street, customer__address__city,
        customer__address__postal_code, customer__address__country, items, currency, region,
        channel, subtotal, discount, shipping_fee, tax, total, payment__method, payment__attempts,
        test_order, expires_at, coupon, carrier, tracking_number
      ], cdc_value -> cdc_value IS NOT NULL)) AS varchar), 2, '0')
      || substr(lower(to_hex(sha256(to_utf8(array_join(ARRAY[
        cdc_expired, cdc_changed, order_id, status, placed_at, paid_at, payment_failed_at,
        shipped_at, delivered_at, cancelled_at, returned_at, updated_at, customer__id,
        customer__name, customer__email, customer__address__street, customer__address__city,
        customer__address__postal_code, customer__address__country, items, currency, region,
        channel, subtotal, discount, shipping_fee, tax, total, payment__method, payment__attempts,
        test_order, expires_at, coupon, carrier, tracking_number
      ], chr(10), ''))))), 1, 8),
    cdc_operation, cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id, cdc_changed_at,
    cdc_expired, cdc_changed, cdc_old_image, cdc_new_image, order_id, status, placed_at, paid_at,
    payment_failed_at, shipped_at, delivered_at, cancelled_at, returned_at, updated_at,
    customer__id, customer__name, customer__email, customer__address__street,
    customer__address__city, customer__address__postal_code, customer__address__country, items,
    currency, region, channel, subtotal, discount, shipping_fee, tax, total, payment__method,
    payment__attempts, test_order, expires_at, coupon, carrier, tracking_number, dt
  FROM recent
)
