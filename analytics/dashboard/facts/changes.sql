-- Changes to the table by UTC hour and by day, without duplicates, and the hour's last second with one
SELECT
  date_trunc('hour', changed_at) AS hour,
  :day(changed_at) AS day,
  operation,
  count(*) AS changes,
  date_diff('second', date_trunc('hour', max(changed_at)), max(changed_at)) AS last_second
FROM order_changes
WHERE changed_at IS NOT NULL
GROUP BY date_trunc('hour', changed_at), :day(changed_at), operation
ORDER BY hour, day, operation
