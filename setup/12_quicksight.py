"""Offer the views to QuickSight: a data source over the workgroup, and a data set for each view.

Optional: without QUICKSIGHT_USER, the ARN of the user or group that shall own them, or in an
account without QuickSight it makes nothing and says so. What is then clicked: docs/aws.md.
"""

import os
from typing import Any

import boto3
from botocore.exceptions import ClientError
from finding import agrees, existing, is_missing, needed
from names import DATABASE, PIPELINE, TAG_LIST, VIEWS, WORKGROUP, account, arn
from script import run
from waiting import wait_until

SOURCE = {"AthenaParameters": {"WorkGroup": WORKGROUP}}
# AWS takes these actions together or not at all.
SET_OWNER = (
    *("DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion"),
    *("ListIngestions", "UpdateDataSet", "DeleteDataSet", "CreateIngestion", "CancelIngestion"),
    "UpdateDataSetPermissions",
)
SOURCE_OWNER = (
    *("DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource"),
    *("UpdateDataSource", "DeleteDataSource", "UpdateDataSourcePermissions"),
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
        return f"left out: account {account()} has no QuickSight here (docs/aws.md)"
    put(quicksight, "data_source", source(), rights(owner, SOURCE_OWNER))
    for view in VIEWS:
        put(quicksight, "data_set", data_set(view), rights(owner, SET_OWNER))
    return f"QuickSight has {len(VIEWS)} data sets of {owner}"


def is_subscribed(quicksight: Any) -> bool:
    """Return whether the account has QuickSight, as far as these credentials may know."""
    try:
        found = quicksight.describe_account_subscription(AwsAccountId=account())
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] == "AccessDeniedException":
            return False
        raise
    return found["AccountInfo"].get("AccountSubscriptionStatus") == "ACCOUNT_CREATED"


def data_set_id(view: str) -> str:
    """Return the name of a view's data set; it is unique in the account and region."""
    return f"{PIPELINE}-{view}"


def source() -> dict[str, Any]:
    """Return the data source: Athena, through the pipeline's workgroup and its limits."""
    return {"DataSourceId": PIPELINE, "Name": PIPELINE, "DataSourceParameters": SOURCE}


def data_set(view: str) -> dict[str, Any]:
    """Return the data set of a view, with the columns that the catalog tells of it."""
    which = {"DatabaseName": DATABASE, "Name": view}
    found = needed(f"view {view}", "11_athena", boto3.client("glue").get_table, **which)["Table"]
    columns = [
        {"Name": column["Name"], "Type": TYPES.get(column["Type"].partition("(")[0], "STRING")}
        for column in found["StorageDescriptor"]["Columns"]
    ]
    table = {
        "DataSourceArn": arn("quicksight", f"datasource/{PIPELINE}"),
        "Catalog": "AwsDataCatalog",
        "Schema": DATABASE,
        "Name": view,
        "InputColumns": columns,
    }
    name = {"DataSetId": data_set_id(view), "Name": f"{PIPELINE} {view.replace('_', ' ')}"}
    # A direct query shows what the lake holds now; a copy in SPICE would have to be refreshed.
    view_of = {"PhysicalTableMap": {"view": {"RelationalTable": table}}}
    return name | view_of | {"ImportMode": "DIRECT_QUERY"}


def put(quicksight: Any, kind: str, wanted: dict[str, Any], owner: dict[str, Any]) -> None:
    """Create or update a data source or a data set; the user's own grants stay."""
    describe, create, update = (
        getattr(quicksight, f"{verb}_{kind}") for verb in ("describe", "create", "update")
    )
    member = "DataSource" if kind == "data_source" else "DataSet"
    here = {"AwsAccountId": account()}
    which = here | {f"{member}Id": wanted[f"{member}Id"]}
    found = existing(describe, **which)
    if found is None:
        new = {"Type": "ATHENA"} if kind == "data_source" else {}
        create(**here, **wanted, **new, Permissions=[owner], Tags=TAG_LIST)
    elif not agrees(wanted, found[member]):
        update(**here, **wanted)
    if kind == "data_source":
        state = lambda: describe(**which)[member]["Status"]  # noqa: E731
        wait_until(
            f"QuickSight source {PIPELINE}", state, "CREATION_SUCCESSFUL", "UPDATE_SUCCESSFUL"
        )


def rights(owner: str, actions: tuple[str, ...]) -> dict[str, Any]:
    """Return the grant of actions to the owner."""
    return {"Principal": owner, "Actions": [f"quicksight:{action}" for action in actions]}


if __name__ == "__main__":
    run(create, __doc__)
