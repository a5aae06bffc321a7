SELECT *
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id
    ORDER BY cdc_content DESC, cdc_attributes DESC, cdc_digest DESC
  ) AS cdc_copy
  FROM (
{rows}
  )
)
WHERE cdc_copy = 1
