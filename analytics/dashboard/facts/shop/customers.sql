-- Customers by day of purchase, and the day on which they had bought before in the same month
SELECT
  day,
  region,
  previous_day,
  count_if(month = first_month) AS new_customers,
  count_if(month > first_month) AS returning_customers
FROM (
  SELECT
    day,
    region,
    month,
    first_month,
    lag(day) OVER (PARTITION BY customer_id, region, month ORDER BY day) AS previous_day
  FROM (
    SELECT DISTINCT
      customer_id,
      t.region,
      :day(paid_at) AS day,
      date_trunc('month', :day(paid_at)) AS month,
      date_trunc('month', :day(first_paid_at)) AS first_month
    FROM (
      SELECT
        customer_id,
        region,
        paid_at,
        min(paid_at) OVER (PARTITION BY customer_id) AS first_paid_at
      FROM orders
      WHERE sold AND customer_id IS NOT NULL
    ) AS o
    -- A customer who buys in two regions is one customer of all of them (NULL).
    CROSS JOIN UNNEST(ARRAY[CAST(NULL AS varchar), coalesce(o.region, '')]) AS t(region)
  )
)
GROUP BY day, region, previous_day
ORDER BY day, region, previous_day
