{{ config(materialized='table', format='parquet') }}

SELECT cohort, months_later, currency, count(DISTINCT customer_id) AS customers, sum(total) AS revenue
FROM (
  SELECT
    customer_id,
    currency,
    total,
    date_trunc('month', min(paid_at) OVER (PARTITION BY customer_id)) AS cohort,
    date_diff(
      'month',
      date_trunc('month', min(paid_at) OVER (PARTITION BY customer_id)),
      date_trunc('month', paid_at)
    ) AS months_later
  FROM {{ ref('sold_orders') }}
  WHERE customer_id IS NOT NULL
)
GROUP BY cohort, months_later, currency
