-- The orders that the table held at a moment (UTC): the last change of each, if it left one
-- params: moment=2999-12-31 00:00:00
SELECT order_id, status, updated_at, region, currency, total, customer_name
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY cdc_key
      ORDER BY cdc_source DESC, cdc_sequence DESC, coalesce(cdc_snapshot_at, '') DESC,
        cdc_event_id DESC
    ) AS place
  FROM order_changes
  WHERE changed_at <= CAST(? AS timestamp)
)
WHERE place = 1 AND new_image IS NOT NULL
ORDER BY order_id
