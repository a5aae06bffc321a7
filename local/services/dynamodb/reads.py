"""Scan and BatchGetItem of whole items, answered from moto's items.

moto sorts the whole table for each page of a scan and takes 4 ms to write one item as JSON.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.item_image import Image, image, image_size
from local.services.dynamodb.key_schema import MISMATCH, Tables, fits_schema
from local.services.dynamodb.numbers import refusal

SCAN_BYTES = 1024 * 1024
BATCH_BYTES = 16 * 1024 * 1024
BATCH_KEYS = 100
PLACES = 2**128  # Items lie in the order of a hash of their key, as in DynamoDB.
PLAIN_SCAN = frozenset(
    ("TableName", "ConsistentRead", "Limit", "ExclusiveStartKey", "Segment", "TotalSegments")
)
PLAIN_GET = frozenset(("Keys", "ConsistentRead"))

Answer = dict[str, Any]


def scan(tables: Tables, params: Mapping[str, Any]) -> Answer | None:
    """Return one page of a table's whole items, or None for a scan that is left to moto."""
    table = tables.get(params.get("TableName", ""))
    select = params.get("Select", "ALL_ATTRIBUTES")
    if table is None or params.keys() - {"Select"} - PLAIN_SCAN:
        return None
    if select not in ("ALL_ATTRIBUTES", "COUNT") or not _has_valid_part(params):
        return None
    items = _in_order(table, params)
    page, more = _fitting(items, params.get("Limit"))
    answer: Answer = {"Count": len(page), "ScannedCount": len(page)}
    if select == "ALL_ATTRIBUTES":
        answer["Items"] = page
    if more:
        answer["LastEvaluatedKey"] = {name: page[-1][name] for name in table.table_key_attrs}
    return answer


def batch_get(tables: Tables, params: Mapping[str, Any]) -> Answer | None:
    """Return whole items by their keys, or None for what is left to moto, errors included."""
    wanted = params.get("RequestItems", {})
    keys = [(name, key) for name, request in wanted.items() for key in request.get("Keys", ())]
    if params.keys() != {"RequestItems"} or not _are_plain(tables, wanted, keys):
        return None
    responses: dict[str, list[Image]] = {name: [] for name in wanted}
    unprocessed: dict[str, Any] = {}
    size = 0
    for name, key in keys:
        found = image(_item(tables[name], key))
        size += image_size(found or {})
        if size > BATCH_BYTES:
            rest = unprocessed.setdefault(name, {**wanted[name], "Keys": []})
            rest["Keys"].append(key)
        elif found is not None:
            responses[name].append(found)
    return {"Responses": responses, "UnprocessedKeys": unprocessed}


def _has_valid_part(params: Mapping[str, Any]) -> bool:
    segment, total = params.get("Segment", 0), params.get("TotalSegments", 1)
    return 0 <= segment < total and params.get("Limit", 1) > 0


def _in_order(table: Table, params: Mapping[str, Any]) -> list[Item]:
    """Return the items of a scan's segment that lie behind its start."""
    segment, total = params.get("Segment", 0), params.get("TotalSegments", 1)
    first, end = -(-segment * PLACES // total), -(-(segment + 1) * PLACES // total)
    least = max(first, _start(table, params))
    placed = ((_item_place(item), item) for item in items(table))
    wanted = [(place, item) for place, item in placed if least <= place < end]
    return [item for _, item in sorted(wanted, key=lambda pair: pair[0])]


def _start(table: Table, params: Mapping[str, Any]) -> int:
    """Return the first place behind the key from which a scan goes on."""
    start = params.get("ExclusiveStartKey")
    if not start:
        return 0
    if not fits_schema(table, start):
        raise refusal(f"The provided starting key is invalid: {MISMATCH}")
    return _place(*(str(_held(start[name])) for name in table.table_key_attrs)) + 1


def _fitting(items: Iterable[Item], limit: int | None) -> tuple[list[Image], bool]:
    """Return the images of a page's items, and whether there are more of them."""
    page: list[Image] = []
    size = 0
    for item in items:
        if size >= SCAN_BYTES or len(page) == limit:
            return page, True
        page.append(image(item) or {})
        size += image_size(page[-1])
    return page, False


def _are_plain(tables: Tables, wanted: Mapping[str, Any], keys: Sequence[Any]) -> bool:
    requests_are_plain = all(
        name in tables and request.keys() <= PLAIN_GET for name, request in wanted.items()
    )
    return requests_are_plain and 0 < len(keys) <= BATCH_KEYS


def _item(table: Table, key: Mapping[str, Any]) -> Item | None:
    values = [DynamoType(_held(key[name])) for name in table.table_key_attrs]
    return table.get_item(*values)


def _held(value: Mapping[str, str]) -> dict[str, Any]:
    """Return a key's value as moto holds it: bytes as such."""
    return {"B": b64decode(value["B"])} if "B" in value else dict(value)


def items(table: Table) -> Iterator[Item]:
    """Yield every item of a table."""
    for held in table.items.values():
        if table.range_key_attr is None:
            yield held
        else:
            yield from held.values()


def _item_place(item: Item) -> int:
    keys = [item.hash_key] if item.range_key is None else [item.hash_key, item.range_key]
    return _place(*(str({key.type: key.value}) for key in keys))


@lru_cache(maxsize=200_000)
def _place(*keys: str) -> int:
    digest = hashlib.md5("\0".join(keys).encode(), usedforsecurity=False)
    return int.from_bytes(digest.digest(), "big")
