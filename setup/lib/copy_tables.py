"""Tables over the copy of the lake: `history` and `state`, in Parquet, and `recent`.

`recent` reads the JSON of the days that are not copied yet: at first of all. All three have the
columns of the table over the lake. `python -m operations.compact` fills them; with nothing copied,
the views that read them show what they would show of the table over the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from setup.columns import PARTITION_KEYS
from setup.lib.comparison import matches_desired
from setup.lib.descriptions import Entry, columns_of, with_comments, with_description
from setup.lib.resources import describe_or_none
from setup.names import DATABASE, FIRST_DAY, HISTORY, LAKE, RECENT, STATE, TABLES, bucket

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient

COPIED_UNTIL_PARAMETER = "copied.until"  # Of `recent`: the first day that it reads.
CONTENT_COLUMN = {"cdc_content": "Orders copies of a change that differ, as order_rows computes it"}
PART_KEY = {"cdc_part": "Part of the copy: what one run of operations.compact has written"}
DESCRIPTIONS = {
    HISTORY: "Copy of the lake's older days in Parquet: each change, perhaps in several parts.",
    STATE: "The rows of the copied days that may be the latest of their items, in Parquet.",
    RECENT: "The changes of the days that are not copied yet, as JSON.",
}
PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def put_copy_tables(glue: GlueClient, changes: Entry) -> None:
    """Create or update the three tables, given that over the lake as it should be."""
    for name in DESCRIPTIONS:
        response = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=name)
        current: Entry = response["Table"] if response else {}
        desired = table_input(name, changes, current)
        has_other_columns = len(columns_of(desired)) < len(columns_of(current))
        if response is None:
            glue.create_table(DatabaseName=DATABASE, TableInput=desired)
        elif has_other_columns or not matches_desired(desired, current):
            # operations.erase may move the first day of `recent` meanwhile.
            glue.update_table(
                DatabaseName=DATABASE, TableInput=desired, VersionId=current["VersionId"]
            )


# The stubs' types of a table differ between GetTable and UpdateTable.
def table_input(name: str, changes: Entry, current: Entry) -> Any:
    """Return a table as it should be, given that over the lake and what the catalog has of it."""
    settings = (
        recent_settings(changes, current) if name == RECENT else parquet_settings(name, changes)
    )
    table = {
        "Name": name,
        "Description": current.get("Description", ""),
        "TableType": "EXTERNAL_TABLE",
        **settings,
        "Parameters": {**current.get("Parameters", {}), **settings["Parameters"]},
    }
    return with_description(table, "Description", DESCRIPTIONS[name])


def recent_settings(changes: Entry, current: Entry) -> dict[str, Any]:
    """Return keys, parameters and storage of the table over the days that are not copied yet."""
    first_day = current.get("Parameters", {}).get(COPIED_UNTIL_PARAMETER, FIRST_DAY)
    return {
        "PartitionKeys": changes["PartitionKeys"],
        "Parameters": json_parameters(first_day),
        "StorageDescriptor": changes["StorageDescriptor"],
    }


def parquet_settings(name: str, changes: Entry) -> dict[str, Any]:
    """Return keys, parameters and storage of a table whose partitions are the parts of a copy."""
    return {
        "PartitionKeys": text_columns(PART_KEY),
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "StorageDescriptor": {
            "Columns": [*columns_of(changes), *text_columns({**CONTENT_COLUMN, **PARTITION_KEYS})],
            "Location": f"s3://{bucket()}/{TABLES}{name}/",
            "InputFormat": f"{PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": f"{PARQUET}.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def text_columns(comments: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return these columns with their comments; all are text."""
    return with_comments([{"Name": name, "Type": "string"} for name in comments], comments)


def json_parameters(first_day: str) -> dict[str, str]:
    """Return the parameters of a table over the lake's JSON, from this day.

    By them Athena computes the partitions, one for each day. So a new day is readable before any
    crawl. A day out of the range is skipped without an error: it starts before the first change,
    and ends tomorrow for the sake of clocks that are ahead.
    """
    return {
        "EXTERNAL": "TRUE",
        "classification": "json",
        "compressionType": "gzip",
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"{first_day},NOW+1DAY",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "storage.location.template": f"s3://{bucket()}/{LAKE}dt=${{dt}}/",
    }
