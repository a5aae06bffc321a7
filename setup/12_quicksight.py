"""Offer the views to QuickSight: a data source over the workgroup, and a data set for each view.

Optional: without QUICKSIGHT_USER, the ARN of the user or group that shall own them, or in an
account without QuickSight it makes nothing and says so. What is then clicked: docs/aws.md.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import describe_or_none, is_missing, matches_desired, require, state_at
from setup.lib.waiters import has_failed, wait_until
from setup.names import DATABASE, PIPELINE, TAG_LIST, VIEWS, WORKGROUP, account, arn

# AWS takes these actions together or not at all.
SOURCE_OWNER = (
    "DescribeDataSource DescribeDataSourcePermissions PassDataSource UpdateDataSource "
    "DeleteDataSource UpdateDataSourcePermissions"
)
SET_OWNER = (
    "DescribeDataSet DescribeDataSetPermissions PassDataSet DescribeIngestion ListIngestions "
    "UpdateDataSet DeleteDataSet CreateIngestion CancelIngestion UpdateDataSetPermissions"
)
# Athena's types that are not text; QuickSight's DECIMAL holds what money needs.
TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "int", "integer", "bigint"), "INTEGER"),
    **dict.fromkeys(("decimal", "double", "float", "real"), "DECIMAL"),
    **dict.fromkeys(("timestamp", "date"), "DATETIME"),
    "boolean": "BOOLEAN",
}


def create() -> str:
    """Create or update the data source and the data sets, and say whose they are."""
    quicksight, owner = boto3.client("quicksight"), os.environ.get("QUICKSIGHT_USER")
    if not owner:
        return "left out: QUICKSIGHT_USER names nobody to own the data sets (docs/aws.md)"
    if not is_subscribed(quicksight):
        return f"left out: account {account()} has no QuickSight for you here (docs/aws.md)"
    put_source(quicksight, owner)
    for view in VIEWS:
        put_set(quicksight, owner, view)
    return f"QuickSight has {len(VIEWS)} data sets of {owner}"


def is_subscribed(quicksight: Any) -> bool:
    """Return whether the account has QuickSight, as far as these credentials may know."""
    which = {"AwsAccountId": account()}
    try:
        found = quicksight.describe_account_subscription(**which)
    except EndpointConnectionError:  # Not every region has QuickSight.
        return False
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] == "AccessDeniedException":
            return "identity region" in str(error)  # Signed up in another, which alone tells more.
        raise
    return found["AccountInfo"].get("AccountSubscriptionStatus") == "ACCOUNT_CREATED"


def put_source(quicksight: Any, owner: str) -> None:
    """Create or update the data source: Athena, through the pipeline's workgroup and its limits."""
    which = {"AwsAccountId": account(), "DataSourceId": PIPELINE}
    parameters = {"AthenaParameters": {"WorkGroup": WORKGROUP}}
    wanted = {"Name": PIPELINE, "DataSourceParameters": parameters}
    if (found := describe_or_none(quicksight.describe_data_source, **which)) is None:
        new = {"Type": "ATHENA", "Permissions": grant(owner, SOURCE_OWNER), "Tags": TAG_LIST}
        quicksight.create_data_source(**which, **wanted, **new)
    elif has_failed(found["DataSource"]["Status"]) or not matches_desired(
        wanted, found["DataSource"]
    ):
        quicksight.update_data_source(**which, **wanted)
    describe, path = quicksight.describe_data_source, ("DataSource", "Status")
    state = partial(state_at, describe, *path, **which)
    wait_until(f"data source {PIPELINE}", state, "CREATION_SUCCESSFUL", "UPDATE_SUCCESSFUL")


def put_set(quicksight: Any, owner: str, view: str) -> None:
    """Create or update the data set of a view, with the columns that the catalog tells of it."""
    which, get_table = {"DatabaseName": DATABASE, "Name": view}, boto3.client("glue").get_table
    columns = require(f"view {view}", "11_athena", get_table, **which)["Table"]["StorageDescriptor"]
    relation = {
        "DataSourceArn": arn("quicksight", f"datasource/{PIPELINE}"),
        "Catalog": "AwsDataCatalog",
        "Schema": DATABASE,
        "Name": view,
        "InputColumns": [
            {"Name": one["Name"], "Type": TYPES.get(one["Type"].partition("(")[0], "STRING")}
            for one in columns["Columns"]
        ],
    }
    wanted = {
        "Name": f"{PIPELINE} {view.replace('_', ' ')}",
        "PhysicalTableMap": {"view": {"RelationalTable": relation}},
        "ImportMode": "DIRECT_QUERY",  # A copy in SPICE would have to be refreshed.
    }
    which = {"AwsAccountId": account(), "DataSetId": f"{PIPELINE}-{view}"}
    if (found := describe_or_none(quicksight.describe_data_set, **which)) is None:
        owned = {"Permissions": grant(owner, SET_OWNER), "Tags": TAG_LIST}
        quicksight.create_data_set(**which, **wanted, **owned)
    elif not matches_desired(wanted, found["DataSet"]):
        quicksight.update_data_set(**which, **wanted)


def grant(owner: str, actions: str) -> list[dict[str, Any]]:
    """Return what allows the owner the actions; grants to others stay as they are."""
    return [{"Principal": owner, "Actions": [f"quicksight:{one}" for one in actions.split()]}]


if __name__ == "__main__":
    run(create, __doc__)
