-- Changes that reached the table over an hour after their updated_at, by arrival day and region
-- params: day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT
  dt AS day,
  region,
  count(*) AS changes,
  count_if(seconds > 3600) AS late,
  count_if(seconds > 86400) AS over_a_day,
  CAST(CAST(max(seconds) AS double) / 3600 AS decimal(18, 2)) AS latest_hours
FROM (
  SELECT dt, region, date_diff('second', updated_at, changed_at) AS seconds
  FROM order_changes
  WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
    AND coalesce(region, '') LIKE ?
    AND operation IN ('INSERT', 'MODIFY')
    AND updated_at IS NOT NULL
)
GROUP BY dt, region
ORDER BY day, region
