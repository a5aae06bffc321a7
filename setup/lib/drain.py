"""Drain: the wait until Firehose has written everything that it read from Kinesis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from setup.lib.resources import stream_state
from setup.lib.shards import list_shard_ids
from setup.lib.waiters import wait_until, wait_until_stable
from setup.names import FLUSH_SECONDS, STREAM

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient

# Firehose writes a buffer after its interval; with dynamic partitioning up to half of one later.
QUIET_PERIOD = timedelta(seconds=2 * FLUSH_SECONDS)


def wait_until_drained() -> Iterator[str]:
    """Yield a line once Kinesis has had no new record for longer than Firehose buffers them."""
    kinesis = boto3.client("kinesis")
    if wait_until_stable(f"stream {STREAM}", stream_state) == "missing":
        return

    def traffic() -> str:
        return "receiving records" if has_recent_records(kinesis) else "quiet"

    wait_until(f"stream {STREAM}", traffic, "quiet")
    yield f"drained stream {STREAM}: Firehose has written everything"


def has_recent_records(kinesis: KinesisClient) -> bool:
    """Return whether any shard has received a record within the quiet period."""
    since = datetime.now(UTC) - QUIET_PERIOD
    shard_ids = list_shard_ids(kinesis, kinesis.list_shards(StreamName=STREAM))
    return any(_has_record_since(kinesis, shard_id, since) for shard_id in shard_ids)


def _has_record_since(kinesis: KinesisClient, shard_id: str, since: datetime) -> bool:
    first = kinesis.get_shard_iterator(
        StreamName=STREAM, ShardId=shard_id, ShardIteratorType="AT_TIMESTAMP", Timestamp=since
    )
    iterator: str | None = first["ShardIterator"]
    while iterator:
        response = kinesis.get_records(ShardIterator=iterator, Limit=1)
        if response["Records"]:
            return True
        if not response["MillisBehindLatest"]:
            return False
        # An empty page before the shard's end only means that no record was near the iterator.
        iterator = response.get("NextShardIterator")
    return False
