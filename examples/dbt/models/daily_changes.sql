{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partitioned_by=['day'],
    format='parquet'
) }}

SELECT operation, count(*) AS changes, count(DISTINCT order_id) AS orders, dt AS day
FROM {{ source('sales_cdc', 'order_changes') }}
{% if is_incremental() %}
WHERE dt >= (SELECT date_format(date_add('day', -1, date(max(day))), '%Y-%m-%d') FROM {{ this }})
{% endif %}
GROUP BY operation, dt
