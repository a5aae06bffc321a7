"""Create the catalog's database, the table over the lake, and the crawler that adds new columns.

With --crawl the script runs the crawler instead, adds the columns that it missed, and checks that
the table is still as made here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.columns import COLUMNS, PARTITION_KEYS
from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.column_limit import is_inside_json_path
from setup.lib.descriptions import Entry, columns_of, with_comments, with_description
from setup.lib.resources import (
    crawler_state,
    describe_or_none,
    matches_desired,
    require_bucket,
    require_role,
)
from setup.lib.run_crawler import run_crawler
from setup.lib.waiters import retry_until_accepted, wait_until
from setup.names import CHANGES, CRAWLER, DATABASE, FIRST_DAY, LAKE, TAGS, bucket, location

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient

# Every value in the lake is text; a query fails on a column of any other type.
COLUMN_TYPE = "string"
DESCRIPTION = (
    "Every change of the table's items, one row each; rows may repeat and come in any order. Of "
    "the rows with the same cdc_key, the one of greatest rank is the item's state (docs/row.md)."
)
# AWS writes this JSON in another order and spacing, so it is compared after parsing.
CRAWLER_CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
    "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
}


def create() -> str:
    """Create or update database, table and crawler, and return their line."""
    glue = boto3.client("glue")
    require_role("crawler")
    require_bucket()
    if describe_or_none(glue.get_database, Name=DATABASE) is None:
        glue.create_database(DatabaseInput={"Name": DATABASE}, Tags=TAGS)
    column_count = put_table(glue)
    put_crawler(glue)
    return f"table {DATABASE}.{CHANGES} has {column_count} columns, crawler {CRAWLER} is ready"


def put_table(glue: GlueClient) -> int:
    """Create or update the table, and return its number of columns."""
    response = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    if response is not None:
        return update_table(glue, response["Table"], response["Table"])
    desired = table_input({})
    glue.create_table(DatabaseName=DATABASE, TableInput=desired)
    return len(columns_of(desired))


def update_table(glue: GlueClient, current: Entry, table: Entry) -> int:
    """Replace the catalog's table, with the settings of setup; return its number of columns."""
    desired = table_input(table)
    has_other_columns = len(columns_of(desired)) < len(columns_of(current))
    if has_other_columns or not matches_desired(desired, current):
        glue.update_table(DatabaseName=DATABASE, TableInput=desired)
    return len(columns_of(desired))


# The stubs' types of a table differ between GetTable and UpdateTable.
def table_input(current: Entry) -> Any:
    """Return the table over the lake as it should be, given what the catalog has of it.

    The members of a map that JSON_PATHS keeps as one column are left out.
    """
    path = f"s3://{bucket()}/{LAKE}"
    columns = [column for column in columns_of(current) if not is_inside_json_path(column["Name"])]
    parameters = {
        "EXTERNAL": "TRUE",
        "classification": "json",
        "compressionType": "gzip",
        **partition_projection(path),
    }
    table: Any = {
        "Name": CHANGES,
        "Description": current.get("Description", ""),
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": text_columns(current.get("PartitionKeys", []), PARTITION_KEYS),
        "Parameters": {**current.get("Parameters", {}), **parameters},
        "StorageDescriptor": {
            "Columns": text_columns(columns, COLUMNS),
            "Location": path,
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "Compressed": True,
            # Not OpenX's SerDe, whose results AWS calls non-deterministic.
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }
    return with_description(table, "Description", DESCRIPTION)


def text_columns(current: Sequence[Entry], comments: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the current columns as text, then those with a comment that the catalog lacks."""
    names = {column["Name"] for column in current}
    missing = [{"Name": name} for name in comments if name not in names]
    columns = [{**column, "Type": COLUMN_TYPE} for column in [*current, *missing]]
    return with_comments(columns, comments)


def partition_projection(path: str) -> dict[str, str]:
    """Return the parameters by which Athena computes the partitions, one for each day.

    So a new day is readable before any crawl. A day out of the range is skipped without an error:
    it starts before the first change, and ends tomorrow for the sake of clocks that are ahead.
    """
    return {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"{FIRST_DAY},NOW+1DAY",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "storage.location.template": f"{path}dt=${{dt}}/",
    }


def put_crawler(glue: GlueClient) -> None:
    """Create the crawler, or update it once it is not running."""
    # Passed by name to create and to update the crawler.
    settings: dict[str, Any] = {
        "Name": CRAWLER,
        "Role": location().role_name("crawler"),
        "Targets": {"CatalogTargets": [{"DatabaseName": DATABASE, "Tables": [CHANGES]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVERYTHING"},
    }
    configuration = json.dumps(CRAWLER_CONFIGURATION)
    response = describe_or_none(glue.get_crawler, Name=CRAWLER)
    if response is None:
        retry_until_accepted(
            lambda: glue.create_crawler(**settings, Configuration=configuration, Tags=TAGS)
        )
        return
    current = response["Crawler"]
    current_configuration = json.loads(current.get("Configuration") or "{}")
    is_configured = matches_desired(CRAWLER_CONFIGURATION, current_configuration)
    if not (is_configured and matches_desired(settings, current)):
        wait_until(f"crawler {CRAWLER}", crawler_state, "READY")
        retry_until_accepted(lambda: glue.update_crawler(**settings, Configuration=configuration))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--crawl",
        action="store_true",
        help="only add columns for new attributes, and check the table",
    )
    args = parser.parse_args()
    run_on_aws(run_crawler if args.crawl else create, parser.prog)
