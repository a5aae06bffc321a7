"""Create the table of orders and its stream of before and after images.

With TABLE_NAME the table is one that exists already: only a missing stream is enabled.
"""

import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import describe_or_none, state_at
from setup.lib.waiters import SetupError, retry_until_accepted, wait_until, wait_until_stable
from setup.names import TABLE, TABLE_IS_ADOPTED, TAG_LIST, TTL_ATTRIBUTE

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def create() -> str:
    """Create or adopt the table, wait until its stream can be read, and say where that is."""
    dynamodb = boto3.client("dynamodb")
    found = wait_until_stable(f"table {TABLE}", lambda: table(dynamodb)["TableStatus"])
    if found == "missing" and TABLE_IS_ADOPTED:
        raise SetupError(f"TABLE_NAME: table {TABLE} is missing: create it, or unset TABLE_NAME")
    if found == "missing":
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=STREAM,
            DeletionProtectionEnabled=True,
            Tags=TAG_LIST,
        )
    if not TABLE_IS_ADOPTED:
        protect(dynamodb)
        let_expire(dynamodb)
    return f"table {TABLE} streams to {enabled_stream(dynamodb)}"


def protect(dynamodb: Any) -> None:
    """Keep the table from being deleted by accident, and its last 35 days restorable."""
    if not active(dynamodb)["DeletionProtectionEnabled"]:
        dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    found = dynamodb.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    recovery = found.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        backup, on = dynamodb.update_continuous_backups, {"PointInTimeRecoveryEnabled": True}
        retry_until_accepted(lambda: backup(TableName=TABLE, PointInTimeRecoverySpecification=on))


def let_expire(dynamodb: Any) -> None:
    """Let orders expire by their own attribute; AWS takes one such change in an hour."""
    found = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    now, attribute = found["TimeToLiveStatus"], found.get("AttributeName")
    if now == "DISABLED":
        wanted = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=wanted)
    elif now == "DISABLING" or attribute != TTL_ATTRIBUTE:
        raise SetupError(
            f"table {TABLE}: expected orders to expire by {TTL_ATTRIBUTE}, found {attribute} "
            f"{now}: disable that, and an hour later run this again"
        )


def enabled_stream(dynamodb: Any) -> str:
    """Return the ARN of the table's stream, enabled; its view type can never be changed."""
    found = active(dynamodb).get("StreamSpecification", {})
    if not found.get("StreamEnabled"):
        dynamodb.update_table(TableName=TABLE, StreamSpecification=STREAM)
    elif found != STREAM:
        raise SetupError(
            f"table {TABLE}: expected a stream of {STREAM['StreamViewType']}, found "
            f"{found['StreamViewType']}: disable it when its readers are done (aws dynamodb "
            f"update-table --table-name {TABLE} --stream-specification StreamEnabled=false), and "
            f"run this again"
        )
    wait_until(f"table {TABLE}", lambda: streaming(table(dynamodb)), "ACTIVE")
    arn = table(dynamodb)["LatestStreamArn"]
    describe = boto3.client("dynamodbstreams").describe_stream
    path = ("StreamDescription", "StreamStatus")
    wait_until(f"stream {arn}", lambda: state_at(describe, *path, StreamArn=arn), "ENABLED")
    return arn


def streaming(found: dict[str, Any]) -> str:
    """Return the table's status, as far as AWS already tells of the stream: it may be behind."""
    told = found.get("StreamSpecification", {}).get("StreamEnabled")
    return found["TableStatus"] if told else "without a stream"


def active(dynamodb: Any) -> dict[str, Any]:
    """Return the table's description once it can be used, and changed."""
    wait_until(f"table {TABLE}", lambda: table(dynamodb)["TableStatus"], "ACTIVE")
    return table(dynamodb)


def table(dynamodb: Any) -> dict[str, Any]:
    """Return the table's description; that of a missing one is its status alone."""
    found = describe_or_none(dynamodb.describe_table, TableName=TABLE)
    return found["Table"] if found else {"TableStatus": "missing"}


if __name__ == "__main__":
    run(create, __doc__)
