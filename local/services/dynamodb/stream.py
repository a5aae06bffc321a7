"""A table's stream as DynamoDB keeps it: change records in shards, for 24 hours."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import Image, image, image_size

RETENTION = 24 * 3600
SHARD_LIFE = 4 * 3600  # AWS closes a shard after about that time, and opens a child of it.
PAGE_RECORDS = 1000
PAGE_BYTES = 1_000_000
STEP = 100_000_000_093_582_842_803  # Sequence numbers grow in length, as AWS's do (21-40 digits).
TTL_IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@dataclass(frozen=True, slots=True)
class Change:
    """One item before and after a call; None where it did not exist."""

    old: Item | None
    new: Item | None
    expired: bool = False


@dataclass(slots=True)
class Shard:
    """A run of records in order; `numbers` are their sequence numbers, `records` their JSON."""

    shard_id: str
    parent: str
    opened: float
    first: int
    closed: float | None = None
    last: int = 0
    trimmed: int = 0
    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The position behind the newest record."""
        return max(self.first, self.last + 1)

    def page(self, position: int, limit: int) -> tuple[list[bytes], int | None]:
        """Return records from a position on and the next position; None behind a closed end."""
        start = bisect_left(self.numbers, position)
        stop, size = start, 0
        while stop < min(start + limit, len(self.records)):
            size += len(self.records[stop])
            if size > PAGE_BYTES and stop > start:
                break
            stop += 1
        if stop == len(self.records) and self.closed is not None:
            return self.records[start:stop], None
        position = self.numbers[stop - 1] + 1 if stop > start else position
        return self.records[start:stop], position

    def append(self, number: int, second: int, record: bytes) -> None:
        """Take in the next record."""
        self.numbers.append(number)
        self.times.append(second)
        self.records.append(record)
        self.last = number

    def trim(self, horizon: float) -> None:
        """Forget what is older than the horizon."""
        count = bisect_left(self.times, horizon)
        if count:
            self.trimmed = self.numbers[count - 1]
            del self.numbers[:count], self.times[:count], self.records[:count]

    def description(self) -> dict[str, Any]:
        """Return the shard as DescribeStream shows it."""
        numbers = {"StartingSequenceNumber": str(self.first)}
        if self.closed is not None:
            numbers["EndingSequenceNumber"] = str(self.last or self.first)
        shown: dict[str, Any] = {"ShardId": self.shard_id, "SequenceNumberRange": numbers}
        return {**shown, "ParentShardId": self.parent} if self.parent else shown


class ChangeStream:
    """What moto calls a table's stream shard: it is told of each change by moto's tables.

    The changes of one API call are held back until `write`: moto tells of the steps of an
    update, DynamoDB only of its outcome.
    """

    def __init__(self, table: Table, label: str, now: Callable[[], float]) -> None:
        self.table = table.name
        self.region = table.region_name
        self.label = label
        self.arn = f"{table.table_arn}/stream/{label}"
        self.view = table.stream_specification["StreamViewType"]
        self.key_schema = table.schema
        self.created = now()
        self.enabled = True
        self.written = 0
        self.shards: list[Shard] = []
        self._now = now
        self._pending: dict[Any, Change] = {}
        self._open_shard()

    def __deepcopy__(self, _: dict[int, Any]) -> "ChangeStream":
        """Return itself: a transaction's copy of the table goes on with the same stream."""
        return self

    def add(self, old: Item | None, new: Item | None, expired: bool = False) -> None:
        """Note a change that a call has made."""
        item = new if new is not None else old
        if not self.enabled or item is None:
            return
        self._pending[item.hash_key, item.range_key] = Change(old, new, expired)

    def discard(self) -> None:
        """Forget the changes of a call that has been rolled back."""
        self._pending.clear()

    def write(self) -> None:
        """Append a record for each change of the call that is over, except where none was made."""
        if not self._pending:
            return
        self._roll()
        for change in self._pending.values():
            self._write(change)
        self._pending.clear()

    def close(self) -> None:
        """End the stream; its records stay readable until they are trimmed."""
        if self.enabled:
            self.enabled = False
            self.shards[-1].closed = self._now()

    def trim(self) -> None:
        """Forget records and closed shards that are older than 24 hours."""
        horizon = self._now() - RETENTION
        for shard in self.shards:
            shard.trim(horizon)
        self.shards = [s for s in self.shards if s.closed is None or s.closed >= horizon]

    def _roll(self) -> None:
        shard = self.shards[-1]
        if self._now() - shard.opened >= SHARD_LIFE:
            shard.closed = self._now()
            self._open_shard(parent=shard.shard_id)
        self.trim()

    def _open_shard(self, parent: str = "") -> None:
        tail = hashlib.md5(self.arn.encode(), usedforsecurity=False).hexdigest()[:8]
        shard_id = f"shardId-{int(self._now() * 1000):020d}-{tail}"
        first = self.written * STEP + 1 if self.written else STEP
        self.shards.append(Shard(shard_id, parent, self._now(), first))

    def _write(self, change: Change) -> None:
        old, new = image(change.old), image(change.new)
        if old == new:  # A write that changes nothing leaves no record.
            return
        self.written += 1
        number, second = self.written * STEP, int(self._now())
        record = self._record(number, second, old, new)
        if change.expired:
            record["userIdentity"] = TTL_IDENTITY
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self.shards[-1].append(number, second, text.encode())

    def _record(
        self, number: int, second: int, old: Image | None, new: Image | None
    ) -> dict[str, Any]:
        identity = hashlib.md5(f"{self.arn}/{number}".encode(), usedforsecurity=False)
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        images = self._images(old, new)
        return {
            "eventID": identity.hexdigest(),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": {
                "ApproximateCreationDateTime": second,
                **images,
                "SequenceNumber": str(number),
                "SizeBytes": sum(map(image_size, images.values())),
                "StreamViewType": self.view,
            },
        }

    def _images(self, old: Image | None, new: Image | None) -> dict[str, Any]:
        item = new if new is not None else old or {}
        shown: dict[str, Any] = {
            "Keys": {each["AttributeName"]: item[each["AttributeName"]] for each in self.key_schema}
        }
        if new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            shown["NewImage"] = new
        if old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            shown["OldImage"] = old
        return shown


def stream_label(now: float) -> str:
    """Return a stream's creation time as AWS spells it: UTC, to the millisecond."""
    moment = datetime.fromtimestamp(now, timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")
