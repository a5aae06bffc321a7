"""Stream lag: how long changes take from the table into Kinesis, measured on the newest one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import RecordTypeDef

PAGE_SIZE = 10
MAX_PAGES = 5
# How far back to look for a change: the nearest first, so that it is a recent one.
LOOKBACKS = (timedelta(seconds=10), timedelta(seconds=120), timedelta(hours=1))


class StreamLag(NamedTuple):
    """The newest change's time from table to Kinesis, and its age, in seconds."""

    seconds: float
    age: float


def measure_stream_lag(kinesis: KinesisClient, stream: str) -> StreamLag | None:
    """Return the lag of a recent change, or None without a change in the last hour.

    DynamoDB's timestamps are whole seconds, so a lag below one second may count as one.
    """
    pages = kinesis.get_paginator("list_shards").paginate(StreamName=stream)
    shards = [shard["ShardId"] for page in pages for shard in page["Shards"]]
    now = datetime.now(timezone.utc)
    for lookback in LOOKBACKS:
        times = [
            change_time
            for shard in shards
            for change_time in change_times(_records_since(kinesis, stream, shard, now - lookback))
        ]
        if times:
            arrived_at, created_at = max(times)
            seconds = arrived_at.timestamp() - created_at
            age = (now - arrived_at).total_seconds()
            return StreamLag(max(0.0, seconds), max(0.0, age))
    return None


def change_times(records: Iterable[RecordTypeDef]) -> Iterator[tuple[datetime, float]]:
    """Yield when each change arrived and when it was created; skip records that are not changes."""
    for record in records:
        try:
            change = json.loads(record["Data"])["dynamodb"]
            created_at = float(change["ApproximateCreationDateTime"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        yield record["ApproximateArrivalTimestamp"], created_at


def _records_since(
    kinesis: KinesisClient, stream: str, shard: str, start: datetime
) -> list[RecordTypeDef]:
    """Return the first few records of a shard since a time."""
    response = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=start
    )
    return _first_records(kinesis, response["ShardIterator"])


def _first_records(kinesis: KinesisClient, iterator: str) -> list[RecordTypeDef]:
    """Return a few records; an empty page is not the end if newer records exist."""
    for _ in range(MAX_PAGES):
        page = kinesis.get_records(ShardIterator=iterator, Limit=PAGE_SIZE)
        next_iterator = page.get("NextShardIterator")
        if page["Records"] or not page["MillisBehindLatest"] or not next_iterator:
            return page["Records"]
        iterator = next_iterator
    return []
