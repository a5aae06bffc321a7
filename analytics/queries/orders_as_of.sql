-- Orders in the table at a point in time (UTC): the last image of each order that was not removed
-- params: moment=2999-12-31 00:00:00
SELECT order_id, status, updated_at, region, currency, total, customer_name
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY cdc_key
      ORDER BY cdc_stream_created_at DESC, cdc_source DESC, cdc_sequence DESC,
        coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC, cdc_content DESC
    ) AS row_rank
  FROM order_changes
  WHERE changed_at <= CAST(? AS timestamp)
)
WHERE row_rank = 1 AND cdc_content >= '1'
ORDER BY order_id
