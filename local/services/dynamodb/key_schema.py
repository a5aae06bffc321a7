"""Keys of items: which items a call names one by one, and what DynamoDB refuses of that."""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.models.table import Table

from local.services.dynamodb.numbers import refusal

Tables = Mapping[str, Table]
MISMATCH = "The provided key element does not match the schema"
EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
    "contain an empty string value. Key: "
)
TWICE = "Provided list of item keys contains duplicates"


def check_keys(tables: Tables, params: Mapping[str, Any]) -> None:
    """Refuse a key that is none of its table, and a batch that names an item twice."""
    known = [(tables[name], each) for name, each in named(params) if name in tables]
    for table, each in known:
        if "Key" in each:
            _check_key(table, each["Key"])
    keys = [(table.name, *_key(table, each)) for table, each in known]
    whole = [key for key in keys if None not in key]
    if len(set(map(str, whole))) < len(whole):
        raise refusal(TWICE)


def named(params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each item that a call names: its table, and its `Key` or the `Item` that holds it."""
    if "Key" in params:
        yield params.get("TableName", ""), params
    for name, asked in params.get("RequestItems", {}).items():
        if isinstance(asked, Mapping):  # Of BatchGetItem.
            yield from ((name, {"Key": key}) for key in asked.get("Keys", ()))
        else:
            yield from ((name, each) for request in asked for each in request.values())


def fits_schema(table: Table, key: Mapping[str, Any]) -> bool:
    """Return whether a key has the names and the types of its table's."""
    types = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr is not None:
        types[table.range_key_attr] = table.range_key_type
    return {name: next(iter(value), None) for name, value in key.items()} == types


def _check_key(table: Table, key: Mapping[str, Any]) -> None:
    if not fits_schema(table, key):
        raise refusal(MISMATCH)
    for name, value in key.items():
        if "" in value.values():
            raise refusal(f"{EMPTY}{name}")


def _key(table: Table, each: Mapping[str, Any]) -> list[Any]:
    """Return the values of a key, None for one that is missing."""
    attributes = each.get("Key") or each.get("Item") or {}
    return [attributes.get(name) for name in table.table_key_attrs]
