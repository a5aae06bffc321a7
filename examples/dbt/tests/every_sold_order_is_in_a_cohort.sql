SELECT 'orders' AS missing
FROM (
  SELECT
    (SELECT sum(revenue) FROM {{ ref('customer_cohorts') }}) AS revenue_of_cohorts,
    (SELECT sum(total) FROM {{ ref('sold_orders') }} WHERE customer_id IS NOT NULL) AS revenue
)
WHERE revenue_of_cohorts <> revenue
