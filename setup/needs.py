"""What a script needs from the scripts before it, and which one to run where that is missing."""

from collections.abc import Callable
from typing import Any

import boto3
from finding import existing
from names import STREAM, TABLE, place
from waiting import Refusal


def needed(
    what: str, script: str, describe: Callable[..., dict[str, Any]], **which: Any
) -> dict[str, Any]:
    """Return what AWS describes, or refuse and name the script that makes it."""
    if (found := existing(describe, **which)) is None:
        raise Refusal(f"{what} is missing: run python setup/{script}.py")
    return found


def needed_role(service: str) -> str:
    """Return the ARN of a service's role."""
    name, get_role = place().role_name(service), boto3.client("iam").get_role
    return needed(f"role {name}", "04_iam", get_role, RoleName=name)["Role"]["Arn"]


def needed_stream() -> str:
    """Return the ARN of the Kinesis stream."""
    describe = boto3.client("kinesis").describe_stream_summary
    found = needed(f"stream {STREAM}", "02_kinesis", describe, StreamName=STREAM)
    return found["StreamDescriptionSummary"]["StreamARN"]


def needed_changes() -> str:
    """Return the ARN of the table's own stream of changes."""
    describe = boto3.client("dynamodb").describe_table
    table = needed(f"table {TABLE}", "01_dynamodb", describe, TableName=TABLE)["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        raise Refusal(f"table {TABLE} has no stream: run python setup/01_dynamodb.py")
    return table["LatestStreamArn"]
