"""BatchWriteItem of whole items, done in moto's tables: moto takes 1 ms to read each of them.

What moto refuses may be half done by then, and is undone here.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import ITEM_BYTES, Unusual, held, image, image_size
from local.services.dynamodb.key_schema import Tables, named

Key = tuple[DynamoType, DynamoType | None]


@dataclass(frozen=True, slots=True)
class Write:
    """An item that is to stand at a key; None where nothing is to stand there."""

    table: Table
    key: Key
    item: Item | None

    def do(self) -> None:
        """Write it, and tell the table's stream."""
        hash_key, range_key = self.key
        place, name = self.table.items, hash_key
        if range_key is not None:
            place, name = place[hash_key], range_key
        before = place.pop(name, None) if self.item is None else place.get(name)
        if self.item is not None:
            place[name] = self.item
        if self.table.stream_shard is not None:
            self.table.stream_shard.add(before, self.item)

    def is_outgrown(self) -> bool:
        """Return whether what stands there instead is too large: moto weighs no inner growth."""
        return image_size(image(self.table.get_item(*self.key)) or {}) > ITEM_BYTES


def standing(tables: Tables, params: Mapping[str, Any]) -> list[Write]:
    """Return the writes that bring back what stands now where a call is to write."""
    return list(_standing(tables, params))


def _standing(tables: Tables, params: Mapping[str, Any]) -> Iterator[Write]:
    for name, each in named(params):
        with suppress(Unusual, UnicodeEncodeError, KeyError):  # No such place: nothing is written.
            table, attributes = tables[name], each.get("Key") or each["Item"]
            key = _key(table, attributes)
            yield Write(table, key, deepcopy(table.get_item(*key)))


def batch_write(tables: Tables, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Put and delete whole items, or return None for what is left to moto, errors included."""
    try:
        writes = _writes(tables, params)
    except (Unusual, UnicodeEncodeError):
        return None
    for write in writes:
        write.do()
    return {"UnprocessedItems": {}}


def _writes(tables: Tables, params: Mapping[str, Any]) -> list[Write]:
    """Return all that a request wants done, if it wants nothing besides."""
    if params.keys() != {"RequestItems"}:
        raise Unusual
    asked = params["RequestItems"].items()
    writes = [_write(tables.get(name), each) for name, requests in asked for each in requests]
    if not writes:
        raise Unusual
    return writes


def _write(table: Table | None, request: Mapping[str, Any]) -> Write:
    if table is None or table.indexes or table.global_indexes or len(request) != 1:
        raise Unusual
    match request:
        case {"PutRequest": {"Item": {**attributes}}}:
            key = _key(table, attributes)
            return Write(table, key, _item(key, attributes))
        case {"DeleteRequest": {"Key": {**key}}}:
            return Write(table, _key(table, key), None)
    raise Unusual


def _item(key: Key, attributes: Mapping[str, Any]) -> Item:
    item = Item(*key, {})
    item.attrs.update({name: held(value) for name, value in attributes.items()})
    if image_size(attributes) > ITEM_BYTES:
        raise Unusual
    return item


def _key(table: Table, attributes: Mapping[str, Any]) -> Key:
    hash_key = _part(attributes, table.hash_key_attr, table.hash_key_type, HASH_KEY_MAX_LENGTH)
    if table.range_key_attr is None:
        return hash_key, None
    named = (table.range_key_attr, table.range_key_type)
    return hash_key, _part(attributes, *named, RANGE_KEY_MAX_LENGTH)


def _part(attributes: Mapping[str, Any], name: str, kind: str | None, longest: int) -> DynamoType:
    part = held(attributes.get(name))
    if part.type != kind or not part.value or part.size() > longest:
        raise Unusual
    return part
