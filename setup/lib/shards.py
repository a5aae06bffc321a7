"""Shards of a Kinesis stream, on all pages of AWS's list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import ListShardsOutputTypeDef


def list_shard_ids(kinesis: KinesisClient, first_page: ListShardsOutputTypeDef) -> Iterator[str]:
    """Yield the ids of all shards, closed ones too, given the first page of them.

    boto3's paginator fails on the second page, because AWS accepts a token only without a stream.
    """
    page = first_page
    yield from (shard["ShardId"] for shard in page["Shards"])
    while token := page.get("NextToken"):
        page = kinesis.list_shards(NextToken=token)
        yield from (shard["ShardId"] for shard in page["Shards"])
