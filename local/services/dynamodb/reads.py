"""Scan and BatchGetItem of whole items, answered directly from moto's tables.

moto sorts the whole table for each page of a scan and takes 4 ms to serialize one item.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import Image, image_size, item_image
from local.services.dynamodb.key_schema import KEY_MISMATCH, Tables, matches_schema
from local.services.dynamodb.numbers import validation_error

SCAN_BYTES = 1024 * 1024
BATCH_BYTES = 16 * 1024 * 1024
BATCH_KEYS = 100
HASH_SPACE = 2**128  # Items are ordered by a hash of their key, as in DynamoDB.
SCAN_PARAMS = frozenset(
    (
        "TableName",
        "ConsistentRead",
        "Limit",
        "ExclusiveStartKey",
        "Segment",
        "TotalSegments",
        "Select",
    )
)
BATCH_GET_PARAMS = frozenset(("Keys", "ConsistentRead"))


def scan(tables: Tables, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return one page of a table's whole items; None leaves the scan to moto."""
    table = tables.get(params.get("TableName", ""))
    select = params.get("Select", "ALL_ATTRIBUTES")
    if table is None or params.keys() - SCAN_PARAMS:
        return None
    if select not in ("ALL_ATTRIBUTES", "COUNT") or not _has_valid_range(params):
        return None
    page, has_more = _take_page(_items_to_scan(table, params), params.get("Limit"))
    response: dict[str, Any] = {"Count": len(page), "ScannedCount": len(page)}
    if select == "ALL_ATTRIBUTES":
        response["Items"] = page
    if has_more:
        response["LastEvaluatedKey"] = {name: page[-1][name] for name in table.table_key_attrs}
    return response


def batch_get(tables: Tables, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return whole items by their keys; None leaves the request, and its errors, to moto."""
    requests = params.get("RequestItems", {})
    keys = [(name, key) for name, request in requests.items() for key in request.get("Keys", ())]
    if params.keys() != {"RequestItems"} or not _is_plain_batch(tables, requests, keys):
        return None
    responses: dict[str, list[Image]] = {name: [] for name in requests}
    unprocessed: dict[str, Any] = {}
    size = 0
    for name, key in keys:
        image = item_image(_get_item(tables[name], key))
        size += image_size(image or {})
        if size > BATCH_BYTES:
            remaining = unprocessed.setdefault(name, {**requests[name], "Keys": []})
            remaining["Keys"].append(key)
        elif image is not None:
            responses[name].append(image)
    return {"Responses": responses, "UnprocessedKeys": unprocessed}


def _has_valid_range(params: Mapping[str, Any]) -> bool:
    segment: int = params.get("Segment", 0)
    total_segments: int = params.get("TotalSegments", 1)
    limit: int = params.get("Limit", 1)
    return 0 <= segment < total_segments and limit > 0


def _items_to_scan(table: Table, params: Mapping[str, Any]) -> list[Item]:
    """Return the items of a scan's segment after its start key, in hash order."""
    segment = params.get("Segment", 0)
    total_segments = params.get("TotalSegments", 1)
    segment_start = -(-segment * HASH_SPACE // total_segments)
    segment_end = -(-(segment + 1) * HASH_SPACE // total_segments)
    start = max(segment_start, _start_position(table, params))
    positioned = ((_item_position(item), item) for item in all_items(table))
    selected = [
        (position, item) for position, item in positioned if start <= position < segment_end
    ]
    return [item for _, item in sorted(selected, key=lambda pair: pair[0])]


def _start_position(table: Table, params: Mapping[str, Any]) -> int:
    """Return the first position after the scan's ExclusiveStartKey."""
    start_key = params.get("ExclusiveStartKey")
    if not start_key:
        return 0
    if not matches_schema(table, start_key):
        raise validation_error(f"The provided starting key is invalid: {KEY_MISMATCH}")
    return _position(*(str(_decode_key(start_key[name])) for name in table.table_key_attrs)) + 1


def _take_page(items: Iterable[Item], limit: int | None) -> tuple[list[Image], bool]:
    """Return the images of the items that fit into one page, and whether more items follow."""
    page: list[Image] = []
    size = 0
    for item in items:
        if size >= SCAN_BYTES or len(page) == limit:
            return page, True
        page.append(item_image(item) or {})
        size += image_size(page[-1])
    return page, False


def _is_plain_batch(tables: Tables, requests: Mapping[str, Any], keys: Sequence[Any]) -> bool:
    requests_are_plain = all(
        name in tables and request.keys() <= BATCH_GET_PARAMS for name, request in requests.items()
    )
    return requests_are_plain and 0 < len(keys) <= BATCH_KEYS


def _get_item(table: Table, key: Mapping[str, Any]) -> Item | None:
    # moto annotates these parameters as lists, but passes values itself.
    values: list[Any] = [DynamoType(_decode_key(key[name])) for name in table.table_key_attrs]
    return table.get_item(*values)


def _decode_key(value: Mapping[str, str]) -> dict[str, Any]:
    """Return a key attribute's value as moto stores it: binary as bytes."""
    return {"B": b64decode(value["B"])} if "B" in value else dict(value)


def all_items(table: Table) -> Iterator[Item]:
    """Yield every item of a table."""
    # With a range key, moto maps each hash key to a dictionary of items.
    items: dict[DynamoType, Any] = table.items
    for item in items.values():
        if table.range_key_attr is None:
            yield item
        else:
            yield from item.values()


def _item_position(item: Item) -> int:
    keys = [item.hash_key] if item.range_key is None else [item.hash_key, item.range_key]
    return _position(*(str({key.type: key.value}) for key in keys))


@lru_cache(maxsize=200_000)
def _position(*keys: str) -> int:
    digest = hashlib.md5("\0".join(keys).encode(), usedforsecurity=False)
    return int.from_bytes(digest.digest(), "big")
