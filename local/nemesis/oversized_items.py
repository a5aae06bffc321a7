"""Oversized items: their changes, with both images, exceed the limit of a Kinesis record."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

from local.core.server import Cloud
from local.nemesis.poison import format_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

# An item may have 400 KB and a Kinesis record 1 MiB. Two images of this size, each in base64,
# exceed the record's limit.
ATTACHMENT_BYTES = 395_000


def inflate_items(cloud: Cloud, rng: Random, rate: float) -> set[str]:
    """Make some items of each table that a pipe reads too large, and return their keys."""
    dynamodb = cloud.client("dynamodb")
    inflated_keys: set[str] = set()
    for table in _source_tables(cloud):
        for key in list(_item_keys(dynamodb, table)):
            if rng.random() < rate:
                _inflate(dynamodb, table, key)
                inflated_keys.add(format_key(key))
    return inflated_keys


def _source_tables(cloud: Cloud) -> Iterator[str]:
    """Yield the names of the tables whose streams the pipes read."""
    for pipe in cloud.client("pipes").list_pipes()["Pipes"]:
        yield pipe["Source"].split("/")[1]


def _item_keys(dynamodb: DynamoDBClient, table: str) -> Iterator[dict[str, Any]]:
    schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    names = [element["AttributeName"] for element in schema]
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            yield {name: item[name] for name in names}


def _inflate(dynamodb: DynamoDBClient, table: str, key: dict[str, Any]) -> None:
    """Write two attachments one after the other: the second change has both in its images."""
    for content in (b"\1", b"\2"):
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET attachment = :content",
            ExpressionAttributeValues={":content": {"B": content * ATTACHMENT_BYTES}},
        )
