  SELECT {columns}, dt, cdc_content,
    {attribute_count} AS cdc_attributes, {row_digest} AS cdc_digest
  FROM {table}
  WHERE cdc_part IN ({parts}) AND {condition}
