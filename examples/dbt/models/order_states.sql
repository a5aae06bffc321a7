{{ config(materialized='table', format='parquet') }}

SELECT order_id, status, region, currency, total, placed_at, paid_at, shipped_at, changed_at
FROM {{ source('sales_cdc', 'orders') }}
WHERE NOT removed
