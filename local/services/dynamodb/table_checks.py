"""Checks of calls about tables that moto does not make."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore import xform_name
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.core.server import ACCOUNT
from local.services.dynamodb.keys import Tables, find_table, indexes_of
from local.services.dynamodb.language.errors import INVALID, ONE_ERROR, Rejected

Params = Mapping[str, Any]
NOT_MODELLED = (
    "VectorIndexes",
    "VectorIndexUpdates",
    "OnDemandThroughput",
    "ReplicaUpdates",
    "ResourcePolicy",
    "GlobalTableSourceArn",
    "MultiRegionConsistency",
)


def check_table_call(operation: str, params: Params, tables: Tables) -> None:
    """Raise AWS's error for a call about a table that moto would accept or fail at."""
    _check_modelled(operation, params)
    if operation == "CreateTable":
        _check_new_table(params)
    elif "TableName" in params:
        name = params["TableName"]
        if name.rpartition(":table/")[2] not in tables:
            message = f"Requested resource not found: Table: {name} not found"
            raise AwsError("ResourceNotFoundException", message)
    if operation == "UpdateTable":
        _check_table_update(params, tables)
    if operation == "DeleteTable" and find_table(tables, name).deletion_protection_enabled:
        raise Rejected(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    if "ResourceArn" in params:
        _check_arn(operation, params["ResourceArn"])


def _check_modelled(operation: str, params: Params) -> None:
    is_known = hasattr(DynamoHandler, xform_name(operation))
    if not is_known or "Import" in operation or "Export" in operation:
        raise AwsError("UnknownOperationException", not_modelled_message(operation))
    members = [name for name in NOT_MODELLED if name in params]
    if params.get("TableClass", "STANDARD") != "STANDARD":
        members.append("TableClass")
    if members:
        raise Rejected(not_modelled_message(*members))


def _check_arn(operation: str, arn: str) -> None:
    if not arn.startswith("arn:"):
        raise Rejected(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if f":{ACCOUNT}:" not in arn:
        raise AwsError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: "
            f"dynamodb:{operation} on resource: {arn}",
        )


def _check_new_table(params: Params) -> None:
    for member in ("KeySchema", "AttributeDefinitions"):
        if params.get(member) is None:
            path = member[:1].lower() + member[1:]
            raise Rejected(
                f"{ONE_ERROR}Value null at '{path}' failed to satisfy "
                "constraint: Member must not be null"
            )
    stream = params.get("StreamSpecification") or {}
    if "StreamViewType" in stream and not stream.get("StreamEnabled"):
        raise Rejected(
            f"{INVALID}Table is being created with a stream disabled, "
            "UpdateViewType should not be specified"
        )
    names = [key["AttributeName"] for key in params["KeySchema"]]
    if len(set(names)) < len(names):
        raise Rejected("Invalid KeySchema: Some index key attribute have no definition")
    local_indexes = params.get("LocalSecondaryIndexes") or []
    _check_indexes([*(params.get("GlobalSecondaryIndexes") or []), *local_indexes])
    for index in local_indexes:
        _check_local_index(index, names)


def _check_indexes(indexes: Sequence[Params]) -> None:
    names = [index["IndexName"] for index in indexes]
    for name in names:
        if names.count(name) > 1:
            raise Rejected(f"{INVALID}Duplicate index name: {name}")
    for index in indexes:
        kind = index["Projection"].get("ProjectionType")
        has_others = "NonKeyAttributes" in index["Projection"]
        if has_others != (kind == "INCLUDE"):
            state = "is specified" if has_others else "is not specified"
            raise Rejected(f"{INVALID}ProjectionType is {kind}, but NonKeyAttributes {state}")


def _check_local_index(index: Params, table_names: Sequence[str]) -> None:
    if len(table_names) == 1:
        raise Rejected(
            f"{INVALID}Table KeySchema does not have a range key, which is required when "
            "specifying a LocalSecondaryIndex"
        )
    hash_name = index["KeySchema"][0]["AttributeName"]
    if hash_name != table_names[0]:
        raise Rejected(
            f"{INVALID}Index KeySchema does not have the same leading hash key as table KeySchema "
            f"for index: {index['IndexName']}. index hash key: {hash_name}, "
            f"table hash key: {table_names[0]}"
        )


def _check_table_update(params: Params, tables: Tables) -> None:
    if params.get("BillingMode") == "PAY_PER_REQUEST" and "ProvisionedThroughput" in params:
        raise Rejected(
            f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
            "BillingMode is PAY_PER_REQUEST"
        )
    table = find_table(tables, params["TableName"])
    _check_throughput_changes(params, table)
    names = [index.name for index in indexes_of(table) if index.is_global]
    for update in params.get("GlobalSecondaryIndexUpdates", ()):
        ((action, change),) = update.items()
        if action == "Create":
            _check_definitions(params, change)
        if action == "Create" and change["IndexName"] in names:
            raise Rejected(
                f"Attempting to create an index which already exists: {change['IndexName']}"
            )
        if action != "Create" and change["IndexName"] not in names:
            raise AwsError("ResourceNotFoundException", "Requested resource not found")


def _check_definitions(params: Params, index: Params) -> None:
    defined = [member["AttributeName"] for member in params.get("AttributeDefinitions", ())]
    if any(key["AttributeName"] not in defined for key in index["KeySchema"]):
        raise Rejected("Invalid KeySchema: Some index key attribute have no definition")


def _check_throughput_changes(params: Params, table: Table) -> None:
    requested = params.get("ProvisionedThroughput")
    if requested is None or table.billing_mode != "PROVISIONED":
        return
    units = {
        name: ((table.throughput or {}).get(name), requested[name])
        for name in ("ReadCapacityUnits", "WriteCapacityUnits")
    }
    if all(current == new_units for current, new_units in units.values()):
        details = " ".join(
            f"Current {name} provisioned for the table: {current}. Requested {name}: {new_units}."
            for name, (current, new_units) in units.items()
        )
        raise Rejected(
            "The provisioned throughput for the table will not change. The requested value equals "
            f"the current value. {details}"
        )
