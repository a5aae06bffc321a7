-- Sold orders whose total is not a valid amount, with the total as it is stored
SELECT
  :day(paid_at) AS day,
  coalesce(region, '') AS region,
  category,
  coalesce(order_id, '') AS order_id,
  coalesce(
    json_extract_scalar(image, '$.total.N'),
    json_extract_scalar(image, '$.total.S'),
    json_format(json_extract(image, '$.total')),
    ''
  ) AS total
FROM orders
CROSS JOIN UNNEST(:categories) AS t(category)
WHERE sold AND total IS NULL
ORDER BY order_id, category
LIMIT 500
