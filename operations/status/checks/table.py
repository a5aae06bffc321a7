"""The table: whether it exists, and has a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from operations.status.check import CHECK_AGAIN, TRANSITIONAL_STATES
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.names import TABLE

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef


def describe_table() -> TableDescriptionTypeDef:
    """Return DynamoDB's description of the table."""
    return boto3.client("dynamodb").describe_table(TableName=TABLE)["Table"]


def check(_: MetricHistory | None) -> CheckResult:
    """Check that the table is usable and has a stream."""
    return check_description(describe_table())


def check_description(table: TableDescriptionTypeDef) -> CheckResult:
    """Return the result for a table as DynamoDB describes it."""
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        message = f"{TABLE} has no stream"
        return CheckResult("table", message, Status.PROBLEM, "python setup/01_dynamodb.py")
    state = table["TableStatus"]
    if state in TRANSITIONAL_STATES:
        return CheckResult("table", f"{TABLE} is {state}", Status.UNKNOWN, CHECK_AGAIN)
    if state != "ACTIVE":  # Such as INACCESSIBLE_ENCRYPTION_CREDENTIALS.
        remedy = f"aws dynamodb describe-table --table-name {TABLE} shows the cause"
        return CheckResult("table", f"{TABLE} is {state}", Status.PROBLEM, remedy)
    if "InaccessibleEncryptionDateTime" in table.get("SSEDescription", {}):
        message = f"{TABLE} cannot be read: DynamoDB cannot use its key"
        return CheckResult("table", message, Status.PROBLEM, "enable the key in AWS KMS")
    return CheckResult("table", f"{TABLE} has a stream")
