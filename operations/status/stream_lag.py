"""How long a change takes from the table into Kinesis, told by the newest that arrived."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

FEW, PAGES = 10, 5
LOOKS = tuple(map(timedelta, (0, 0, 0), (10, 120, 3600)))  # how far back, the nearest first


def latest(kinesis: Any, stream: str) -> tuple[float, float] | None:
    """Return a late change's seconds from table to Kinesis and its age; None without a change.

    DynamoDB tells whole seconds, so that a delay under a second may count as one.
    """
    shards = kinesis.get_paginator("list_shards").paginate(StreamName=stream)
    ids = [shard["ShardId"] for page in shards for shard in page["Shards"]]
    now = datetime.now(timezone.utc)
    for back in LOOKS:
        found = [
            pair for shard in ids for pair in times(_since(kinesis, stream, shard, now - back))
        ]
        if found:
            arrived, made = max(found)
            age = (now - arrived).total_seconds()
            return max(0.0, arrived.timestamp() - made), max(0.0, age)
    return None


def times(records: Iterable[dict[str, Any]]) -> Iterator[tuple[datetime, float]]:
    """Return when each change arrived, and when it was made; all else has no such times."""
    for record in records:
        try:
            made = float(json.loads(record["Data"])["dynamodb"]["ApproximateCreationDateTime"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        yield record["ApproximateArrivalTimestamp"], made


def _since(kinesis: Any, stream: str, shard: str, start: datetime) -> list[dict[str, Any]]:
    """Return a few of a shard's records, the first since then."""
    answer = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=start
    )
    return _first_records(kinesis, answer["ShardIterator"])


def _first_records(kinesis: Any, iterator: str | None) -> list[dict[str, Any]]:
    """Return a few records; an empty page is not the end while newer ones are known."""
    for _ in range(PAGES):
        page = kinesis.get_records(ShardIterator=iterator, Limit=FEW)
        iterator = page.get("NextShardIterator")
        if page["Records"] or not page["MillisBehindLatest"] or not iterator:
            return page["Records"]
    return []
