"""Waiting until Firehose has written all that it took from Kinesis."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3

from setup.lib.resources import stream_state
from setup.lib.waiters import wait_until, wait_until_stable
from setup.names import FLUSH_SECONDS, STREAM

# Firehose writes what it holds after an interval, and half of one more with partitions.
QUIET = timedelta(seconds=2 * FLUSH_SECONDS)


def wait_until_drained() -> Iterator[str]:
    """Say so once Kinesis has had nothing new for longer than Firehose holds it."""
    kinesis = boto3.client("kinesis")
    if wait_until_stable(f"stream {STREAM}", stream_state) == "missing":
        return
    wait_until(
        f"stream {STREAM}", lambda: "moving" if has_recent_records(kinesis) else "quiet", "quiet"
    )
    yield f"stream {STREAM} is quiet: Firehose has written what it took"


def has_recent_records(kinesis: Any) -> bool:
    """Return whether any shard has had a record lately."""
    since = datetime.now(timezone.utc) - QUIET
    pages = kinesis.get_paginator("list_shards").paginate(StreamName=STREAM)
    shards = [shard["ShardId"] for page in pages for shard in page["Shards"]]
    return any(has_record(kinesis, shard, since) for shard in shards)


def has_record(kinesis: Any, shard: str, since: datetime) -> bool:
    """Return whether a shard has a record as new as that; an empty answer is not yet its end."""
    iterator = kinesis.get_shard_iterator(
        StreamName=STREAM, ShardId=shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=since
    )["ShardIterator"]
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=1)
        if answer["Records"]:
            return True
        iterator = answer.get("NextShardIterator") if answer["MillisBehindLatest"] else None
    return False
