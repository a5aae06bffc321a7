"""The rank of the law of state (`transform.state`) in SQL, for queries over the lake's rows."""

from setup.columns import ORDER_COLUMNS

# Greatest first; in descending order Athena sorts NULL last.
RANK_SQL = """regexp_extract(cdc_source, '[^/]*$') DESC, cdc_source DESC, cdc_sequence DESC,
        coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC"""
# What `transform.state.content` computes: the order of copies of a change that differ.
IMAGES_CONTENT_SQL = """IF(cdc_new_image IS NULL, '0', '1') || IF(cdc_old_image IS NULL, '0', '1')
      || substr(lower(to_hex(sha256(to_utf8(array_join(ARRAY[
        cdc_new_image, cdc_old_image, cdc_operation, cdc_changed_at
      ], chr(10), ''))))), 1, 16)"""
IMAGES_CONTENT_LENGTH = 18
ATTRIBUTES = ("cdc_expired", "cdc_changed", *ORDER_COLUMNS)
# The same, then the number of attributes and a digest of them, as in the view order_rows. It names
# only columns that every lake has: so a new column changes no order.
CONTENT_SQL = f"""{IMAGES_CONTENT_SQL}
      || lpad(CAST(cardinality(filter(ARRAY[
        {", ".join(ATTRIBUTES)}
      ], cdc_value -> cdc_value IS NOT NULL)) AS varchar), 2, '0')
      || substr(lower(to_hex(sha256(to_utf8(array_join(ARRAY[
        {", ".join(ATTRIBUTES)}
      ], chr(10), ''))))), 1, 8)"""
