"""Add the views to QuickSight: a data source for the workgroup, and a data set for each view.

Optional: set QUICKSIGHT_USER to the ARN of the user or group that is to own them. Without it, or
in an account without QuickSight, the script creates nothing and says so. docs/aws.md has the rest.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired
from setup.lib.resources import describe_or_none, is_missing, require, state_at
from setup.lib.tags import ensure_tags
from setup.lib.views import pending_views
from setup.lib.waiters import has_failed, wait_until
from setup.names import (
    DATABASE,
    PIPELINE,
    ROWS_VIEW,
    TAG_LIST,
    VIEWS,
    WORKGROUP,
    account,
    arn,
)
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_quicksight.client import QuickSightClient
    from types_boto3_quicksight.type_defs import ResourcePermissionTypeDef

# QuickSight grants all of these actions or none.
DATA_SOURCE_ACTIONS = (
    "DescribeDataSource",
    "DescribeDataSourcePermissions",
    "PassDataSource",
    "UpdateDataSource",
    "DeleteDataSource",
    "UpdateDataSourcePermissions",
)
DATA_SET_ACTIONS = (
    "DescribeDataSet",
    "DescribeDataSetPermissions",
    "PassDataSet",
    "DescribeIngestion",
    "ListIngestions",
    "UpdateDataSet",
    "DeleteDataSet",
    "CreateIngestion",
    "CancelIngestion",
    "UpdateDataSetPermissions",
)
# Athena's types to QuickSight's, whose DECIMAL is exact enough for money; any other is STRING.
COLUMN_TYPES = {
    "tinyint": "INTEGER",
    "smallint": "INTEGER",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "INTEGER",
    "decimal": "DECIMAL",
    "double": "DECIMAL",
    "float": "DECIMAL",
    "real": "DECIMAL",
    "timestamp": "DATETIME",
    "date": "DATETIME",
    "boolean": "BOOLEAN",
}


def create() -> str:
    """Create or update the data source and the data sets, and return a line with their owner."""
    owner = os.environ.get("QUICKSIGHT_USER")
    if not owner:
        return "skipped: QUICKSIGHT_USER is not set (docs/aws.md)"
    quicksight = boto3.client("quicksight")
    if not is_subscribed(quicksight):
        return (
            f"skipped: these credentials see no QuickSight in account {account()} and this "
            f"region (docs/aws.md)"
        )
    put_data_source(quicksight, owner)
    pending = pending_views()
    unsuitable = {ROWS_VIEW, *(view.name for view in pending)}
    created = [view for view in VIEWS if view not in unsuitable]
    for view in created:
        put_data_set(quicksight, owner, view)
    line = f"QuickSight has {count(len(created), 'data set')}, owned by {owner}"
    return "; ".join([line, *map(str, pending)])


def is_subscribed(quicksight: QuickSightClient) -> bool:
    """Return whether the account has QuickSight, as far as these credentials may know."""
    try:
        response = quicksight.describe_account_subscription(AwsAccountId=account())
    except EndpointConnectionError:  # QuickSight is not available in every region.
        return False
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] == "AccessDeniedException":
            # The account signed up in another region, the only one that may be asked about it.
            return "identity region" in str(error)
        raise
    status = response["AccountInfo"].get("AccountSubscriptionStatus")
    return bool(status == "ACCOUNT_CREATED")


def put_data_source(quicksight: QuickSightClient, owner: str) -> None:
    """Create or update the data source: Athena, with the pipeline's workgroup and its limits."""
    # Passed by name to create and to update the data source.
    settings: dict[str, Any] = {
        "Name": PIPELINE,
        "DataSourceParameters": {"AthenaParameters": {"WorkGroup": WORKGROUP}},
    }
    describe = partial(
        quicksight.describe_data_source, AwsAccountId=account(), DataSourceId=PIPELINE
    )
    response = describe_or_none(describe)
    if response is None:
        quicksight.create_data_source(
            AwsAccountId=account(),
            DataSourceId=PIPELINE,
            **settings,
            Type="ATHENA",
            Permissions=permissions(owner, DATA_SOURCE_ACTIONS),
            Tags=TAG_LIST,
        )
    elif has_failed(response["DataSource"]["Status"]) or not matches_desired(
        settings, response["DataSource"]
    ):
        quicksight.update_data_source(AwsAccountId=account(), DataSourceId=PIPELINE, **settings)

    def data_source_state() -> str:
        return state_at(("DataSource", "Status"), describe)

    targets = ("CREATION_SUCCESSFUL", "UPDATE_SUCCESSFUL")
    wait_until(f"data source {PIPELINE}", data_source_state, *targets)
    ensure_tags("quicksight", arn("quicksight", f"datasource/{PIPELINE}"))


def put_data_set(quicksight: QuickSightClient, owner: str, view: str) -> None:
    """Create or update the data set of a view."""
    # Passed by name to create and to update the data set.
    settings: dict[str, Any] = {
        "Name": f"{PIPELINE} {view.replace('_', ' ')}",
        "PhysicalTableMap": {
            "view": {
                "RelationalTable": {
                    "DataSourceArn": arn("quicksight", f"datasource/{PIPELINE}"),
                    "Catalog": "AwsDataCatalog",
                    "Schema": DATABASE,
                    "Name": view,
                    "InputColumns": input_columns(view),
                }
            }
        },
        "ImportMode": "DIRECT_QUERY",  # A copy in SPICE would have to be refreshed.
    }
    data_set_id = f"{PIPELINE}-{view}"
    response = describe_or_none(
        quicksight.describe_data_set, AwsAccountId=account(), DataSetId=data_set_id
    )
    if response is None:
        quicksight.create_data_set(
            AwsAccountId=account(),
            DataSetId=data_set_id,
            **settings,
            Permissions=permissions(owner, DATA_SET_ACTIONS),
            Tags=TAG_LIST,
        )
    elif not matches_desired(settings, response["DataSet"]):
        quicksight.update_data_set(AwsAccountId=account(), DataSetId=data_set_id, **settings)
    ensure_tags("quicksight", arn("quicksight", f"dataset/{data_set_id}"))


def input_columns(view: str) -> list[dict[str, str]]:
    """Return the view's columns in the catalog, with QuickSight's types."""
    get_table = boto3.client("glue").get_table
    response = require(f"view {view}", "11_athena", get_table, DatabaseName=DATABASE, Name=view)
    columns = response["Table"]["StorageDescriptor"]["Columns"]
    return [{"Name": column["Name"], "Type": quicksight_type(column["Type"])} for column in columns]


def quicksight_type(athena_type: str) -> str:
    """Return QuickSight's type for one of Athena's, such as `decimal(18,4)`."""
    return COLUMN_TYPES.get(athena_type.partition("(")[0], "STRING")


def permissions(owner: str, actions: tuple[str, ...]) -> list[ResourcePermissionTypeDef]:
    """Return the grant of the actions to the owner."""
    return [{"Principal": owner, "Actions": [f"quicksight:{action}" for action in actions]}]


if __name__ == "__main__":
    run_script(create, __doc__)
