"""A table's stream as DynamoDB keeps it: change records in shards, for 24 hours."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import item_image
from local.services.dynamodb.language.values import Image, image_size

RETENTION = 24 * 3600
SHARD_LIFETIME = 4 * 3600  # AWS closes a shard after about that time and opens a child shard.
PAGE_RECORDS = 1000
PAGE_BYTES = 1_000_000
SEQUENCE_STEP = 100_000_000_093_582_842_803  # Numbers grow in length, as on AWS (21-40 digits).
TTL_IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@dataclass(frozen=True, slots=True)
class Change:
    """One item before and after a call; None where it did not exist."""

    old: Item | None
    new: Item | None
    is_expiry: bool = False


@dataclass(slots=True)
class Shard:
    """Consecutive stream records: sequence numbers, times and JSON in three parallel lists."""

    shard_id: str
    parent: str
    opened_at: float
    first_number: int
    closed_at: float | None = None
    last_number: int = 0
    trimmed_number: int = 0
    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The position after the newest record."""
        return max(self.first_number, self.last_number + 1)

    def page(self, position: int, limit: int) -> tuple[list[bytes], int | None]:
        """Return the records from a position on, and the next position: None at a closed end."""
        start = bisect_left(self.numbers, position)
        stop = start
        size = 0
        while stop < min(start + limit, len(self.records)):
            size += len(self.records[stop])
            if size > PAGE_BYTES and stop > start:
                break
            stop += 1
        records = self.records[start:stop]
        if stop == len(self.records) and self.closed_at is not None:
            return records, None
        next_position = self.numbers[stop - 1] + 1 if records else position
        return records, next_position

    def append(self, number: int, time: int, record: bytes) -> None:
        """Append the next record."""
        self.numbers.append(number)
        self.times.append(time)
        self.records.append(record)
        self.last_number = number

    def trim(self, oldest: float) -> None:
        """Drop the records from before a time."""
        count = bisect_left(self.times, oldest)
        if count:
            self.trimmed_number = self.numbers[count - 1]
            del self.numbers[:count], self.times[:count], self.records[:count]

    def describe(self) -> dict[str, Any]:
        """Return the shard as DescribeStream shows it."""
        number_range = {"StartingSequenceNumber": str(self.first_number)}
        if self.closed_at is not None:
            number_range["EndingSequenceNumber"] = str(self.last_number or self.first_number)
        description = {"ShardId": self.shard_id, "SequenceNumberRange": number_range}
        return {**description, "ParentShardId": self.parent} if self.parent else description


class ChangeStream:
    """The stream of one table, in the role of moto's StreamShard: moto's tables call `add`.

    Changes are pending until `commit`: moto reports each step of an update, but DynamoDB records
    only the result of the whole call.
    """

    def __init__(self, table: Table, label: str, now: Callable[[], float]) -> None:
        specification = table.stream_specification or {}
        self.table = table.name
        self.region = table.region_name
        self.label = label
        self.arn = f"{table.table_arn}/stream/{label}"
        self.view_type = specification["StreamViewType"]
        self.key_schema = table.schema
        self.created_at = now()
        self.is_enabled = True
        self.record_count = 0
        self.shards: list[Shard] = []
        self._now = now
        self._pending: dict[Any, Change] = {}
        self._open_shard()

    def __deepcopy__(self, _: dict[int, Any]) -> "ChangeStream":
        """Return itself: a transaction's copy of the table keeps the same stream."""
        return self

    def add(self, old: Item | None, new: Item | None, is_expiry: bool = False) -> None:
        """Add a change to the pending ones."""
        item = new if new is not None else old
        if not self.is_enabled or item is None:
            return
        self._pending[item.hash_key, item.range_key] = Change(old, new, is_expiry)

    def discard(self) -> None:
        """Drop the pending changes of a call that was rolled back."""
        self._pending.clear()

    def commit(self) -> None:
        """Append a record for each pending change, except for those that changed nothing."""
        if not self._pending:
            return
        self._rotate_shard()
        for change in self._pending.values():
            self._append(change)
        self._pending.clear()

    def close(self) -> None:
        """Disable the stream; its records stay readable until they are trimmed."""
        if self.is_enabled:
            self.is_enabled = False
            self.shards[-1].closed_at = self._now()

    def trim(self) -> None:
        """Drop records and closed shards that are older than 24 hours."""
        oldest = self._now() - RETENTION
        for shard in self.shards:
            shard.trim(oldest)
        self.shards = [
            shard for shard in self.shards if shard.closed_at is None or shard.closed_at >= oldest
        ]

    def _rotate_shard(self) -> None:
        shard = self.shards[-1]
        if self._now() - shard.opened_at >= SHARD_LIFETIME:
            shard.closed_at = self._now()
            self._open_shard(parent=shard.shard_id)
        self.trim()

    def _open_shard(self, parent: str = "") -> None:
        suffix = hashlib.md5(self.arn.encode(), usedforsecurity=False).hexdigest()[:8]
        shard_id = f"shardId-{int(self._now() * 1000):020d}-{suffix}"
        last_number = self.record_count * SEQUENCE_STEP
        first_number = last_number + 1 if self.record_count else SEQUENCE_STEP
        self.shards.append(Shard(shard_id, parent, self._now(), first_number))

    def _append(self, change: Change) -> None:
        old = item_image(change.old)
        new = item_image(change.new)
        if old == new:  # A write that changes nothing leaves no record.
            return
        self.record_count += 1
        number = self.record_count * SEQUENCE_STEP
        time = int(self._now())
        record = self._record(number, time, old, new)
        if change.is_expiry:
            record["userIdentity"] = TTL_IDENTITY
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self.shards[-1].append(number, time, text.encode())

    def _record(
        self, number: int, time: int, old: Image | None, new: Image | None
    ) -> dict[str, Any]:
        event_id = hashlib.md5(f"{self.arn}/{number}".encode(), usedforsecurity=False).hexdigest()
        images = self._images(old, new)
        return {
            "eventID": event_id,
            "eventName": _event_name(old, new),
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": {
                "ApproximateCreationDateTime": time,
                **images,
                "SequenceNumber": str(number),
                "SizeBytes": sum(map(image_size, images.values())),
                "StreamViewType": self.view_type,
            },
        }

    def _images(self, old: Image | None, new: Image | None) -> dict[str, Any]:
        item = new if new is not None else old or {}
        key_names = [key["AttributeName"] for key in self.key_schema]
        images: dict[str, Any] = {"Keys": {name: item[name] for name in key_names}}
        if new is not None and self.view_type in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["NewImage"] = new
        if old is not None and self.view_type in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["OldImage"] = old
        return images


def _event_name(old: Image | None, new: Image | None) -> str:
    if old is None:
        return "INSERT"
    return "REMOVE" if new is None else "MODIFY"


def stream_label(now: float) -> str:
    """Return a stream's creation time as AWS formats it: UTC, to the millisecond."""
    created_at = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    return created_at.isoformat(timespec="milliseconds")
