SELECT dt, count(*)
FROM (
  SELECT dt
  FROM (
    SELECT {columns}, 1 AS cdc_side
    FROM (
{expected}
    )
    UNION ALL
    SELECT {columns}, -1 AS cdc_side
    FROM (
{actual}
    )
  )
  GROUP BY {columns}
  HAVING sum(cdc_side) <> 0
)
GROUP BY dt
ORDER BY dt
