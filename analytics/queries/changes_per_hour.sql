-- Changes to the table by UTC hour and operation, without duplicates; scans only the days selected
-- params: day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT date_trunc('hour', changed_at) AS hour, operation, count(*) AS changes
FROM order_changes
WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
  AND coalesce(region, '') LIKE ?
GROUP BY date_trunc('hour', changed_at), operation
ORDER BY hour, operation
