"""Create the table of orders and its stream of before and after images.

With TABLE_NAME the table is one that exists already: only a missing stream is enabled.
"""

from typing import Any

import boto3
from finding import existing
from names import ADOPTED, TABLE, TAG_LIST, TTL_ATTRIBUTE
from script import run
from waiting import Refusal, accepted, wait_until

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def create() -> str:
    """Create or adopt the table, wait until its stream can be read, and say where that is."""
    dynamodb = boto3.client("dynamodb")
    if not existing(dynamodb.describe_table, TableName=TABLE):
        if ADOPTED:
            raise Refusal(f"TABLE_NAME: table {TABLE} is missing: create it, or unset TABLE_NAME")
        create_table(dynamodb)
    if not ADOPTED:
        active(dynamodb)
        protect(dynamodb)
    return f"table {TABLE} streams to {enabled_stream(dynamodb)}"


def create_table(dynamodb: Any) -> None:
    """Create the table, which pays per request and may not be deleted by accident."""
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=STREAM,
        DeletionProtectionEnabled=True,
        Tags=TAG_LIST,
    )


def protect(dynamodb: Any) -> None:
    """Turn on what guards the table and point-in-time recovery, and let orders expire."""
    if not table(dynamodb)["DeletionProtectionEnabled"]:
        dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=True)
        active(dynamodb)
    recovery = {"PointInTimeRecoveryEnabled": True}
    backups = dynamodb.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    now = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if now != "ENABLED":
        update = dynamodb.update_continuous_backups
        accepted(lambda: update(TableName=TABLE, PointInTimeRecoverySpecification=recovery))
    expiry = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    ttl = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    if ttl["TimeToLiveStatus"] == "DISABLED":
        dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=expiry)
    elif ttl.get("AttributeName") != TTL_ATTRIBUTE:
        raise Refusal(
            f"table {TABLE}: expected orders to expire by {TTL_ATTRIBUTE}, found "
            f"{ttl.get('AttributeName')}: disable that, and an hour later run this again"
        )


def enabled_stream(dynamodb: Any) -> str:
    """Return the ARN of the table's stream, enabled; its view type can never be changed."""
    stream = table(dynamodb).get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        dynamodb.update_table(TableName=TABLE, StreamSpecification=STREAM)
    elif stream != STREAM:
        raise Refusal(
            f"table {TABLE}: expected a stream of {STREAM['StreamViewType']}, found "
            f"{stream['StreamViewType']}: disable it when its readers are done, and run this again"
        )
    streams = boto3.client("dynamodbstreams")

    def status() -> str:
        if not (arn := table(dynamodb).get("LatestStreamArn")):
            return "not known yet"
        return streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"]

    wait_until(f"the stream of table {TABLE}", status, "ENABLED")
    return table(dynamodb)["LatestStreamArn"]


def active(dynamodb: Any) -> None:
    """Return once the table can be used, and changed."""
    wait_until(f"table {TABLE}", lambda: table(dynamodb)["TableStatus"], "ACTIVE")


def table(dynamodb: Any) -> dict[str, Any]:
    """Return the table's description."""
    return dynamodb.describe_table(TableName=TABLE)["Table"]


if __name__ == "__main__":
    run(create, __doc__)
