"""What moto does in quadratic time, done in linear time, and what it never forgets, forgotten.

A big laptop run is made of these.
"""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.kinesis.models import Record, Shard

from local.services.dynamodb.item_image import ITEM_BYTES, image_size, plain

PAGE_RECORDS = 10_000
PAGE_BYTES = 10 * 1024 * 1024


def install() -> None:
    """Put these functions in the place of moto's own."""
    LimitedSizeDict.__setitem__ = set_attribute
    Shard.get_max_sequence_number = newest
    Shard.get_records = records_after
    Item.__new__ = Record.__new__ = untracked


def set_attribute(item: LimitedSizeDict, name: str, value: Any) -> None:
    """Set an attribute of an item that stays within 400 KB.

    moto weighs the whole item for each attribute; the running weight here may only be too
    great (an attribute was replaced or removed), and is taken anew when it passes the limit.
    """
    weight = vars(item).get("weight")
    before = _weight(item.items()) if weight is None else weight
    item.weight = before + _weight([(name, value)])
    if item.weight > ITEM_BYTES:
        others = [(each, held) for each, held in item.items() if each != name]
        item.weight = _weight([*others, (name, value)])
    if item.weight > ITEM_BYTES:
        raise ItemSizeTooLarge
    dict.__setitem__(item, name, value)


def untracked(kind: type, *_: Any, **__: Any) -> Any:
    """Return a new item or record.

    moto lists each that was ever made, for a page that nobody opens here: no item that was
    replaced would go.
    """
    return object.__new__(kind)


def newest(shard: Shard) -> int:
    """Return the sequence number of a Kinesis shard's newest record."""
    return next(reversed(shard.records), 0)


def records_after(
    shard: Shard, last_sequence_id: str, limit: int | None
) -> tuple[list[Record], int, int]:
    """Return a page of a Kinesis shard, its last sequence number, and how late it is (ms).

    moto reads the shard from its start each time, and knows no limit of 10 000 records or 10 MiB.
    """
    last = int(last_sequence_id)
    stop = min(newest(shard), last + min(limit or PAGE_RECORDS, PAGE_RECORDS))
    page = _fitting([shard.records[number] for number in range(last + 1, stop + 1)])
    if not page:
        return [], last, 0
    late = shard.records[newest(shard)].created_at - page[-1].created_at
    return page, page[-1].sequence_number, int(late * 1000)


def _fitting(records: list[Record]) -> list[Record]:
    """Return the records that fit into one answer, and at least one."""
    total = 0

    def fits(record: Record) -> bool:
        nonlocal total
        total += len(record.data) * 3 // 4
        return total <= PAGE_BYTES

    return list(takewhile(fits, records)) or records[:1]


def _weight(attributes: Iterable[tuple[str, DynamoType]]) -> int:
    return image_size({name: plain(value) for name, value in attributes})
