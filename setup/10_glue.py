"""Create the catalog's database, its tables, and a crawler for new columns.

With --crawl the script runs the crawler instead, adds the columns that it missed, and checks that
the table is still as made here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.columns import COLUMNS, PARTITION_KEYS
from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.column_limit import is_inside_json_path
from setup.lib.comparison import matches_desired
from setup.lib.copy_tables import json_parameters, put_copy_tables
from setup.lib.descriptions import Entry, columns_of, with_comments, with_description
from setup.lib.iam_policies import unconditional_trust
from setup.lib.rates_table import put_rates_table
from setup.lib.resources import crawler_state, describe_or_none, require_bucket, require_role
from setup.lib.run_crawler import run_crawler
from setup.lib.tags import ensure_tags
from setup.lib.waiters import retry_until_accepted, wait_until
from setup.names import CHANGES, CRAWLER, DATABASE, FIRST_DAY, LAKE, TAGS, arn, bucket, location

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient

# Every value in the lake is text; a query fails on a column of any other type.
COLUMN_TYPE = "string"
DESCRIPTION = (
    "Every change of the table's items, one row each; rows may repeat and come in any order. Of "
    "the rows with the same cdc_key, the one of greatest rank is the item's state (docs/row.md)."
)
RELAXED_TRUST = (
    "its role now trusts Glue without the condition aws:SourceAccount, under which Glue could not "
    "assume it"
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
    ensure_tags("glue", arn("glue", f"database/{DATABASE}"))
    table = put_table(glue)
    put_copy_tables(glue, table)
    put_rates_table(glue)
    has_relaxed_trust = put_crawler(glue)
    ensure_tags("glue", arn("glue", f"crawler/{CRAWLER}"))
    column_count = len(columns_of(table))
    line = f"table {DATABASE}.{CHANGES} has {column_count} columns, crawler {CRAWLER} is ready"
    return f"{line}; {RELAXED_TRUST}" if has_relaxed_trust else line


def put_table(glue: GlueClient) -> Any:
    """Create or update the table, and return it as it should be."""
    response = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    if response is not None:
        return update_table(glue, response["Table"], response["Table"])
    desired = table_input({})
    glue.create_table(DatabaseName=DATABASE, TableInput=desired)
    return desired


def update_table(glue: GlueClient, current: Entry, table: Entry) -> Any:
    """Replace the catalog's table, with the settings of setup; return it as it should be."""
    desired = table_input(table)
    has_other_columns = len(columns_of(desired)) < len(columns_of(current))
    if has_other_columns or not matches_desired(desired, current):
        glue.update_table(DatabaseName=DATABASE, TableInput=desired)
    return desired


# The stubs' types of a table differ between GetTable and UpdateTable.
def table_input(current: Entry) -> Any:
    """Return the table over the lake as it should be, given what the catalog has of it.

    The members of a map that JSON_PATHS keeps as one column are left out.
    """
    path = f"s3://{bucket()}/{LAKE}"
    columns = [column for column in columns_of(current) if not is_inside_json_path(column["Name"])]
    table: Any = {
        "Name": CHANGES,
        "Description": current.get("Description", ""),
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": text_columns(current.get("PartitionKeys", []), PARTITION_KEYS),
        "Parameters": {**current.get("Parameters", {}), **json_parameters(FIRST_DAY)},
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


def put_crawler(glue: GlueClient) -> bool:
    """Create the crawler, or update it once it is not running; return as call_with_role does."""
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
        return call_with_role(
            lambda: glue.create_crawler(**settings, Configuration=configuration, Tags=TAGS)
        )
    current = response["Crawler"]
    current_configuration = json.loads(current.get("Configuration") or "{}")
    is_configured = matches_desired(CRAWLER_CONFIGURATION, current_configuration)
    if not (is_configured and matches_desired(settings, current)):
        wait_until(f"crawler {CRAWLER}", crawler_state, "READY")
        return call_with_role(lambda: glue.update_crawler(**settings, Configuration=configuration))
    return False


def call_with_role(call: Callable[[], object]) -> bool:
    """Make a call that has Glue assume the crawler's role.

    If Glue cannot, drop the condition of the role's trust policy, try again, and return True.
    """
    try:
        retry_until_accepted(call)
    except ClientError as error:
        if not is_role_unassumable(error):
            raise
        trust = json.dumps(unconditional_trust("crawler"))
        role = location().role_name("crawler")
        boto3.client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=trust)
        retry_until_accepted(call)
        return True
    return False


def is_role_unassumable(error: ClientError) -> bool:
    """Return whether Glue says that it cannot assume the crawler's role."""
    message = str(error).lower()
    return "unable to assume" in message or "trustpolicy" in message


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--crawl",
        action="store_true",
        help="only add columns for new attributes, and check the table",
    )
    args = parser.parse_args()
    run_on_aws(run_crawler if args.crawl else create, parser.prog)
