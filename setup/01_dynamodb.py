"""Create the table of orders with its stream of old and new images.

If TABLE_NAME is set, the script adopts that table and only adds a missing stream.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.comparison import Difference, differs, matches_desired, note
from setup.lib.resources import describe_or_none, is_supported, state_at, unsupported_note
from setup.lib.tags import ensure_tags
from setup.lib.waiters import SetupError, retry_until_accepted, wait_until, wait_until_stable
from setup.names import TABLE, TABLE_IS_ADOPTED, TAG_LIST, TTL_ATTRIBUTE

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import StreamSpecificationTypeDef, TableDescriptionTypeDef

STREAM: StreamSpecificationTypeDef = {
    "StreamEnabled": True,
    "StreamViewType": "NEW_AND_OLD_IMAGES",
}


def create() -> str:
    """Create or adopt the table, wait until its stream is readable, and return its line."""
    dynamodb = boto3.client("dynamodb")
    state = wait_until_stable(f"table {TABLE}", lambda: table_state(dynamodb))
    if state == "missing" and TABLE_IS_ADOPTED:
        raise SetupError(f"TABLE_NAME: table {TABLE} is missing: create it, or unset TABLE_NAME")
    if state == "missing":
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=STREAM,
            DeletionProtectionEnabled=True,
            Tags=TAG_LIST,
        )
    unsupported = [] if TABLE_IS_ADOPTED else protect(dynamodb)
    return f"table {TABLE} streams to {enable_stream(dynamodb)}{unsupported_note(unsupported)}"


def protect(dynamodb: DynamoDBClient) -> list[str]:
    """Tag and protect the table, and return what its server does not support."""
    features = {
        "the tags of PIPELINE_TAGS": lambda client: is_supported(partial(tag_table, client)),
        "deletion protection": enable_deletion_protection,
        "point-in-time recovery": enable_recovery,
        "TTL": enable_ttl,
    }
    return [name for name, enable in features.items() if not enable(dynamodb)]


def tag_table(dynamodb: DynamoDBClient) -> None:
    """Add the user's tags."""
    ensure_tags("dynamodb", active_table(dynamodb)["TableArn"])


def enable_deletion_protection(dynamodb: DynamoDBClient) -> bool:
    """Protect the table from deletion, and return whether its server supports that."""
    is_protected = active_table(dynamodb).get("DeletionProtectionEnabled")
    if is_protected is None:  # AWS always reports it.
        return False
    return not differs("DeletionProtectionEnabled", True, is_protected) or is_supported(
        lambda: dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    )


def enable_recovery(dynamodb: DynamoDBClient) -> bool:
    """Keep backups of the last 35 days, and return whether the table's server supports that."""
    response = describe_or_none(dynamodb.describe_continuous_backups, TableName=TABLE)
    if response is None:
        return False
    recovery = response["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if matches_desired({"PointInTimeRecoveryStatus": "ENABLED"}, recovery):
        return True
    update = partial(
        dynamodb.update_continuous_backups,
        TableName=TABLE,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    return is_supported(lambda: retry_until_accepted(update))


def enable_ttl(dynamodb: DynamoDBClient) -> bool:
    """Let orders expire by their attribute, and return whether the table's server supports that."""
    response = describe_or_none(dynamodb.describe_time_to_live, TableName=TABLE)
    if response is None:
        return False
    ttl = response["TimeToLiveDescription"]
    status = ttl.get("TimeToLiveStatus", "DISABLED")
    attribute = ttl.get("AttributeName")
    if status == "DISABLED":
        note([Difference("TimeToLiveStatus", "ENABLED", status)])
        change_ttl(dynamodb)
    elif status == "DISABLING" or attribute != TTL_ATTRIBUTE:
        raise SetupError(
            f"table {TABLE}: expected TTL attribute {TTL_ATTRIBUTE}, found {attribute} "
            f"({status}): disable TTL, and run this again half an hour later"
        )
    return True


def change_ttl(dynamodb: DynamoDBClient) -> None:
    """Enable TTL; AWS takes no second change of it for about half an hour, and shows no sign."""
    try:
        dynamodb.update_time_to_live(
            TableName=TABLE,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
        )
    except ClientError as error:
        if "modified multiple times" not in str(error):
            raise
        raise SetupError(
            f"table {TABLE}: TTL was changed a short time ago, and AWS accepts no other change "
            f"for half an hour: run this again later"
        ) from None


def enable_stream(dynamodb: DynamoDBClient) -> str:
    """Enable the table's stream if it is not, and return its ARN once it is readable."""
    stream = active_table(dynamodb).get("StreamSpecification")
    if stream is None or not stream.get("StreamEnabled"):
        note([Difference("StreamSpecification", STREAM, stream)])
        dynamodb.update_table(TableName=TABLE, StreamSpecification=STREAM)
    elif stream != STREAM:  # AWS cannot change a stream's view type.
        raise SetupError(
            f"table {TABLE}: expected a stream of {STREAM['StreamViewType']}, found "
            f"{stream['StreamViewType']}: disable it when its readers are done (aws dynamodb "
            f"update-table --table-name {TABLE} --stream-specification StreamEnabled=false), and "
            f"run this again"
        )
    wait_until(f"table {TABLE}", lambda: stream_creation_state(dynamodb), "ACTIVE")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    wait_until(f"stream {arn}", lambda: table_stream_state(dynamodb, arn), "ENABLED")
    return arn


def table_stream_state(dynamodb: DynamoDBClient, arn: str) -> str:
    """Return the stream's `ENABLED`, `ENABLING` and so on, or `missing`.

    Raise SetupError where it is missing because the clients call two servers.
    """
    streams = boto3.client("dynamodbstreams")
    path = ("StreamDescription", "StreamStatus")
    state = state_at(path, streams.describe_stream, StreamArn=arn)
    endpoints = {dynamodb.meta.endpoint_url, streams.meta.endpoint_url}
    is_aws = all(".amazonaws.com" in endpoint for endpoint in endpoints)
    if state == "missing" and len(endpoints) == 2 and not is_aws:
        raise SetupError(
            f"stream {arn}: {dynamodb.meta.endpoint_url} has the table, and "
            f"{streams.meta.endpoint_url} does not have its stream: set "
            f"AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_DYNAMODB_STREAMS to one server"
        )
    return state


def stream_creation_state(dynamodb: DynamoDBClient) -> str:
    """Return the table's state, or `without a stream` while AWS does not report one yet."""
    response = describe_or_none(dynamodb.describe_table, TableName=TABLE)
    if response is None:
        return "missing"
    table = response["Table"]
    has_stream = table.get("StreamSpecification", {}).get("StreamEnabled")
    return table["TableStatus"] if has_stream else "without a stream"


def table_state(dynamodb: DynamoDBClient) -> str:
    """Return the table's `ACTIVE`, `UPDATING` and so on, or `missing`."""
    return state_at(("Table", "TableStatus"), dynamodb.describe_table, TableName=TABLE)


def active_table(dynamodb: DynamoDBClient) -> TableDescriptionTypeDef:
    """Return the table's description once the table is active, and so can be changed."""
    wait_until(f"table {TABLE}", lambda: table_state(dynamodb), "ACTIVE")
    return dynamodb.describe_table(TableName=TABLE)["Table"]


if __name__ == "__main__":
    run_script(create, __doc__)
