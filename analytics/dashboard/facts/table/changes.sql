-- Changes to the table by UTC hour, without duplicates, and the second of the hour's last change
SELECT
  date_trunc('hour', changed_at) AS hour,
  operation,
  count(*) AS changes,
  date_diff('second', date_trunc('hour', max(changed_at)), max(changed_at)) AS last_second
FROM order_changes
WHERE changed_at IS NOT NULL
GROUP BY date_trunc('hour', changed_at), operation
ORDER BY hour, operation
