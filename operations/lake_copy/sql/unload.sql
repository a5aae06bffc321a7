UNLOAD (
  SELECT {columns}
  FROM (
{rows}
  )
  ORDER BY {order}
) TO {location} WITH (format = 'PARQUET', compression = 'ZSTD')
