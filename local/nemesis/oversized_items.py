"""Items that grow until a change of them, with both images, is too large for Kinesis."""

from collections.abc import Iterator
from random import Random
from typing import Any

from local.core.server import Cloud
from local.nemesis.poison import key_text

# An item may have 400 KB, a Kinesis record 1 MiB: two images of so many bytes, each in base64,
# are more.
ATTACHMENT = 395_000


def grown(cloud: Cloud, dice: Random, rate: float) -> set[str]:
    """Let some items of each table that a pipe reads grow too large, and return their keys."""
    dynamodb = cloud.client("dynamodb")
    found: set[str] = set()
    for table in _tables(cloud):
        for key in list(_keys(dynamodb, table)):
            if dice.random() < rate:
                _grow(dynamodb, table, key)
                found.add(key_text(key))
    return found


def _tables(cloud: Cloud) -> Iterator[str]:
    """Yield the names of the tables whose streams the pipes read."""
    for pipe in cloud.client("pipes").list_pipes()["Pipes"]:
        yield pipe["Source"].split("/")[1]


def _keys(dynamodb: Any, table: str) -> Iterator[dict[str, Any]]:
    schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    names = [each["AttributeName"] for each in schema]
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from ({name: item[name] for name in names} for item in page["Items"])


def _grow(dynamodb: Any, table: str, key: dict[str, Any]) -> None:
    """Give an item an attachment, and another one: the second change holds both."""
    for content in (b"\1", b"\2"):
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET attachment = :content",
            ExpressionAttributeValues={":content": {"B": content * ATTACHMENT}},
        )
