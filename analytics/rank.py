"""The rank of the law of state (`transform.state`) in SQL, for queries over the lake's rows."""

# Greatest first; in descending order Athena sorts NULL last.
RANK_SQL = """regexp_extract(cdc_source, '[^/]*$') DESC, cdc_source DESC, cdc_sequence DESC,
        coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC"""
