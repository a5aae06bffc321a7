"""Monkeypatches for moto's Kinesis: O(n²) reads, page limits, iterators by ARN, a memory leak."""

from itertools import takewhile
from typing import Any

from moto.kinesis.models import KinesisBackend, Record, Shard

from local.core.patches import Patches

PAGE_RECORDS = 10_000
PAGE_BYTES = 10 * 1024 * 1024
_get_shard_iterator = KinesisBackend.get_shard_iterator


def newest_sequence_number(shard: Shard) -> int:
    """Return the sequence number of a shard's newest record; 0 if it is empty."""
    return next(reversed(shard.records), 0)


def read_page(
    shard: Shard, last_sequence_id: str, limit: int | None
) -> tuple[list[Record], int, int]:
    """Return a page of a shard, its last sequence number and how far it is behind (ms).

    moto reads the shard from its start each time, and has no limit of 10 000 records or 10 MiB.
    """
    last = int(last_sequence_id)
    newest = newest_sequence_number(shard)
    end = min(newest, last + min(limit or PAGE_RECORDS, PAGE_RECORDS))
    page = _within_page_bytes([shard.records[number] for number in range(last + 1, end + 1)])
    if not page:
        return [], last, 0
    behind = shard.records[newest].created_at - page[-1].created_at
    return page, page[-1].sequence_number, int(behind * 1000)


def get_shard_iterator(
    backend: KinesisBackend, stream_arn: str | None, stream_name: str | None, *position: Any
) -> str:
    """Return an iterator of the stream, which moto's would only name if the caller does."""
    name = backend.describe_stream(stream_arn, stream_name).stream_name
    return _get_shard_iterator(backend, stream_arn, name, *position)


def new_untracked(record_type: type, *_: Any, **__: Any) -> Any:
    """Create a record that moto does not track: it would keep every record ever made."""
    return object.__new__(record_type)


def _within_page_bytes(records: list[Record]) -> list[Record]:
    """Return the records that fit into one response, and at least one."""
    total = 0

    def fits(record: Record) -> bool:
        nonlocal total
        total += len(record.data) * 3 // 4
        return total <= PAGE_BYTES

    return list(takewhile(fits, records)) or records[:1]


_PATCHES = Patches(
    (Shard, "get_max_sequence_number", newest_sequence_number),
    (Shard, "get_records", read_page),
    (KinesisBackend, "get_shard_iterator", get_shard_iterator),
    (Record, "__new__", new_untracked),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
