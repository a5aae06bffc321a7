{{ config(materialized='table', format='parquet') }}

SELECT
  lines.product,
  lines.currency,
  sum(lines.quantity) AS units,
  sum(lines.amount) AS revenue
FROM {{ source('sales_cdc', 'order_lines') }} AS lines
JOIN {{ ref('sold_orders') }} AS orders ON lines.order_id = orders.order_id
GROUP BY lines.product, lines.currency
