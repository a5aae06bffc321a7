  SELECT {columns}, dt, {content} AS cdc_content,
    {attribute_count} AS cdc_attributes, {row_digest} AS cdc_digest
  FROM changes
  WHERE dt IN ({days})
