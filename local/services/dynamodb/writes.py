"""BatchWriteItem for whole items, applied directly to moto's tables: moto needs 1 ms to parse each.

moto may reject a request that it has partly applied; undo_writes restores the items.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import (
    ITEM_BYTES,
    UnsupportedRequest,
    image_size,
    item_image,
    to_moto,
)
from local.services.dynamodb.key_schema import Tables, addressed_items

Key = tuple[DynamoType, DynamoType | None]


@dataclass(frozen=True, slots=True)
class Write:
    """The item to store under a key, or None to delete what is there."""

    table: Table
    key: Key
    item: Item | None

    def apply(self) -> None:
        """Store or delete the item, and record the change in the table's stream."""
        hash_key, range_key = self.key
        items: dict[DynamoType, Any] = self.table.items
        item_key = hash_key
        if range_key is not None:
            items = items[hash_key]
            item_key = range_key
        old_item = items.get(item_key)
        if self.item is None:
            items.pop(item_key, None)
        else:
            items[item_key] = self.item
        if self.table.stream_shard is not None:
            self.table.stream_shard.add(old_item, self.item)

    def exceeds_item_limit(self) -> bool:
        """Return whether the stored item is now too large: moto ignores growth of nested values."""
        return image_size(item_image(self.table.get_item(*self.key)) or {}) > ITEM_BYTES


def undo_writes(tables: Tables, params: Mapping[str, Any]) -> list[Write]:
    """Return the writes that restore the current items under every key a request addresses."""
    return list(_undo_writes(tables, params))


def _undo_writes(tables: Tables, params: Mapping[str, Any]) -> Iterator[Write]:
    for table_name, target in addressed_items(params):
        # A malformed key or an unknown table cannot be written to.
        with suppress(UnsupportedRequest, UnicodeEncodeError, KeyError):
            table = tables[table_name]
            key = _key(table, target.get("Key") or target["Item"])
            yield Write(table, key, deepcopy(table.get_item(*key)))


def batch_write(tables: Tables, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Put and delete whole items; None leaves the request, and its errors, to moto."""
    try:
        writes = _parse_batch(tables, params)
    except (UnsupportedRequest, UnicodeEncodeError):
        return None
    for write in writes:
        write.apply()
    return {"UnprocessedItems": {}}


def _parse_batch(tables: Tables, params: Mapping[str, Any]) -> list[Write]:
    if params.keys() != {"RequestItems"}:
        raise UnsupportedRequest
    writes = [
        _parse_write(tables.get(table_name), request)
        for table_name, requests in params["RequestItems"].items()
        for request in requests
    ]
    if not writes:
        raise UnsupportedRequest
    return writes


def _parse_write(table: Table | None, request: Mapping[str, Any]) -> Write:
    if table is None or table.indexes or table.global_indexes or len(request) != 1:
        raise UnsupportedRequest
    match request:
        case {"PutRequest": {"Item": dict(attributes)}}:
            key = _key(table, attributes)
            return Write(table, key, _item(key, attributes))
        case {"DeleteRequest": {"Key": dict(key_attributes)}}:
            return Write(table, _key(table, key_attributes), None)
    raise UnsupportedRequest


def _item(key: Key, attributes: Mapping[str, Any]) -> Item:
    item = Item(*key, {})
    item.attrs.update({name: to_moto(value) for name, value in attributes.items()})
    if image_size(attributes) > ITEM_BYTES:
        raise UnsupportedRequest
    return item


def _key(table: Table, attributes: Mapping[str, Any]) -> Key:
    hash_value = to_moto(attributes.get(table.hash_key_attr))
    _check_key_value(hash_value, table.hash_key_type, HASH_KEY_MAX_LENGTH)
    if table.range_key_attr is None:
        return hash_value, None
    range_value = to_moto(attributes.get(table.range_key_attr))
    _check_key_value(range_value, table.range_key_type, RANGE_KEY_MAX_LENGTH)
    return hash_value, range_value


def _check_key_value(value: DynamoType, key_type: str | None, max_length: int) -> None:
    if value.type != key_type or not value.value or value.size() > max_length:
        raise UnsupportedRequest
