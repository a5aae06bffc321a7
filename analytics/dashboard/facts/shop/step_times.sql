-- Durations from each status to the next, by the day the orders were placed. Each is rounded to what
-- the page shows, and numbered: minutes to 119, tenths of hours from 120, tenths of days from 580.
-- A list has each number's distance from the one before, and how many orders took it unless one.
SELECT
  day,
  region,
  step,
  array_join(array_agg(
    CAST(duration - previous AS varchar) || IF(orders = 1, '', 'x' || CAST(orders AS varchar))
    ORDER BY duration
  ), ' ') AS durations
FROM (
  SELECT
    day,
    region,
    step,
    duration,
    lag(duration, 1, 0) OVER (PARTITION BY day, region, step ORDER BY duration) AS previous,
    count(*) AS orders
  FROM (
    SELECT
      day,
      region,
      step,
      CASE
        WHEN minutes < 120 THEN minutes
        WHEN minutes < 2880 THEN 100 + (minutes + 3) / 6
        ELSE 560 + (minutes + 72) / 144
      END AS duration
    FROM (
      SELECT
        day,
        region,
        step,
        date_diff('minute', status_times[step], status_times[step + 1]) AS minutes
      FROM (
        SELECT
          :day(placed_at) AS day,
          coalesce(region, '') AS region,
          ARRAY[placed_at, paid_at, shipped_at, delivered_at, returned_at] AS status_times
        FROM orders
        WHERE NOT coalesce(test_order, false) AND placed_at IS NOT NULL
      )
      CROSS JOIN UNNEST(sequence(1, 4)) AS s(step)
    )
    WHERE minutes IS NOT NULL
  )
  GROUP BY day, region, step, duration
)
GROUP BY day, region, step
ORDER BY day, region, step
