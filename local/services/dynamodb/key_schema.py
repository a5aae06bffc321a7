"""Item keys: which items a request addresses, and the keys that DynamoDB rejects."""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models.table import Table

from local.services.dynamodb.numbers import validation_error

Tables = Mapping[str, Table]
KEY_MISMATCH = "The provided key element does not match the schema"
EMPTY_KEY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
    "contain an empty string value. Key: "
)
DUPLICATE_KEYS = "Provided list of item keys contains duplicates"


def check_keys(tables: Tables, params: Mapping[str, Any]) -> None:
    """Reject a key that does not fit its table, and a batch that addresses an item twice."""
    targets = [(tables[name], item) for name, item in addressed_items(params) if name in tables]
    for table, item in targets:
        if "Key" in item:
            _check_key(table, item["Key"])
    keys = [(table.name, *_key_values(table, item)) for table, item in targets]
    complete_keys = [str(key) for key in keys if None not in key]
    if len(set(complete_keys)) < len(complete_keys):
        raise validation_error(DUPLICATE_KEYS)


def addressed_items(params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (table name, mapping with the `Key` or the whole `Item`) for each item of a request."""
    if "Key" in params:
        yield params.get("TableName", ""), params
    for table_name, requests in params.get("RequestItems", {}).items():
        if isinstance(requests, Mapping):  # BatchGetItem
            for key in requests.get("Keys", ()):
                yield table_name, {"Key": key}
        else:  # BatchWriteItem
            for request in requests:
                for item in request.values():
                    yield table_name, item


def matches_schema(table: Table, key: Mapping[str, Any]) -> bool:
    """Return whether a key has exactly the attribute names and types of its table's key."""
    types = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr is not None and table.range_key_type is not None:
        types[table.range_key_attr] = table.range_key_type
    return {name: next(iter(value), None) for name, value in key.items()} == types


def _check_key(table: Table, key: Mapping[str, Any]) -> None:
    if not matches_schema(table, key):
        raise validation_error(KEY_MISMATCH)
    for name, value in key.items():
        if "" in value.values():
            raise validation_error(f"{EMPTY_KEY}{name}")


def _key_values(table: Table, item: Mapping[str, Any]) -> list[Any]:
    """Return the values of an item's key attributes, None for a missing one."""
    attributes = item.get("Key") or item.get("Item") or {}
    return [attributes.get(name) for name in table.table_key_attrs]
