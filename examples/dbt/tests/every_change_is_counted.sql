-- The days of daily_changes have as many changes as their source; a row is a day that has not.
SELECT days.day
FROM (SELECT day, sum(changes) AS changes FROM {{ ref('daily_changes') }} GROUP BY day) AS days
JOIN (
  SELECT dt, count(*) AS changes FROM {{ source('sales_cdc', 'order_changes') }} GROUP BY dt
) AS source_days ON source_days.dt = days.day
WHERE source_days.changes <> days.changes
