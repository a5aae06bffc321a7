SELECT *
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY cdc_key, cdc_content < '01'
    ORDER BY {rank}, cdc_content DESC, cdc_attributes DESC, cdc_digest DESC
  ) AS cdc_copy
  FROM (
{rows}
  )
)
WHERE cdc_copy = 1
