{{ config(materialized='view') }}

SELECT order_id, currency, total, placed_at, paid_at, customer_id
FROM {{ source('sales_cdc', 'orders') }}
WHERE sold
