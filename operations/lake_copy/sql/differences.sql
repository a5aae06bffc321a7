WITH expected AS (
  SELECT dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id, cdc_content, cdc_digest
  FROM (
{expected}
  )
),
actual AS (
  SELECT dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id, cdc_content, cdc_digest
  FROM (
{actual}
  )
),
differences AS (
  (SELECT * FROM expected EXCEPT SELECT * FROM actual)
  UNION ALL
  (SELECT * FROM actual EXCEPT SELECT * FROM expected)
)
SELECT dt, count(*)
FROM differences
GROUP BY dt
ORDER BY dt
