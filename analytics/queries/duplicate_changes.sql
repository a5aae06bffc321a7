-- Changes stored more than once, by day: delivery is at least once, and the views remove duplicates
-- params: day_from=1900-01-01, day_to=2999-12-31
SELECT
  dt AS day,
  sum(copies) AS stored,
  count(*) AS changes,
  sum(copies) - count(*) AS duplicates,
  max(copies) AS most_copies
FROM (
  SELECT dt, count(*) AS copies
  FROM changes
  WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
  GROUP BY dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id
)
GROUP BY dt
ORDER BY dt
