"""Tables, their indexes, and the keys of items: which are valid, and whose items an index has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from local.core.request import AwsError
from local.services.dynamodb.item_image import to_moto
from local.services.dynamodb.language.errors import INVALID, Rejected, RejectedItem
from local.services.dynamodb.language.index import Index
from local.services.dynamodb.language.values import Image, Value, image_size, type_of

Tables = Mapping[str, Table]
MotoKey = tuple[DynamoType, DynamoType | None]
KEY_LIMITS = (
    (2048, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    (1024, "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"),
)
NOT_VALID = "One or more parameter values are not valid. "
KEY_MISMATCH = "The provided key element does not match the schema"
DUPLICATE_KEYS = "Provided list of item keys contains duplicates"


def find_table(tables: Tables, name: str) -> Table:
    """Return a table by its name or ARN, or raise AWS's error."""
    table = tables.get(name.rpartition(":table/")[2])
    if table is None:
        raise AwsError("ResourceNotFoundException", "Requested resource not found")
    return table


def table_index(table: Table) -> Index:
    """Return the table itself as an index."""
    return _index("", table.schema, tuple(_names(table.schema)))


def find_index(table: Table, name: str | None) -> Index:
    """Return the table itself or one of its secondary indexes."""
    if name is None:
        return table_index(table)
    for index in indexes_of(table):
        if index.name == name:
            return index
    raise Rejected(f"The table does not have the specified index: {name}")


def indexes_of(table: Table) -> Iterator[Index]:
    """Yield the secondary indexes of a table."""
    table_names = tuple(_names(table.schema))
    for is_global, indexes in ((True, table.global_indexes), (False, table.indexes)):
        for index in sorted(indexes, key=lambda index: str(index.name)):
            names = _names(index.schema)
            kind = index.projection.get("ProjectionType")
            others = index.projection.get("NonKeyAttributes", ())
            projected = None if kind == "ALL" else frozenset([*table_names, *names, *others])
            yield _index(index.name, index.schema, table_names, projected, is_global)


def _index(name: str, schema: Sequence[Mapping[str, str]], *details: Any) -> Index:
    hash_name, range_name = [*_names(schema), None][:2]
    return Index(name, str(hash_name), range_name, *details)


def _names(schema: Sequence[Mapping[str, str]]) -> list[str]:
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def key_types(table: Table) -> dict[str, str]:
    """Return the types of the attributes that are in any key of a table."""
    return {definition["AttributeName"]: definition["AttributeType"] for definition in table.attr}


def moto_key(table: Table, image: Mapping[str, Value]) -> MotoKey:
    """Return an item's key as moto's tables use it."""
    hash_value, range_value = [
        *(to_moto(image[name]) for name in table_index(table).key_names),
        None,
    ][:2]
    assert hash_value is not None  # noqa: S101 - every table has a hash key.
    return hash_value, range_value


def check_key(table: Table, key: Mapping[str, Value]) -> None:
    """Raise AWS's error for a key that does not fit its table."""
    types = key_types(table)
    expected = {name: types[name] for name in table_index(table).key_names}
    if {name: type_of(value) for name, value in key.items()} != expected:
        raise RejectedItem(KEY_MISMATCH)
    _check_key_values(table, key)


def check_item(table: Table, image: Image) -> None:
    """Raise AWS's error for an item whose key does not fit its table."""
    types = key_types(table)
    for name in table_index(table).key_names:
        if name not in image:
            raise RejectedItem(f"{INVALID}Missing the key {name} in the item")
        if type_of(image[name]) != types[name]:
            raise RejectedItem(
                f"{INVALID}Type mismatch for key {name} expected: {types[name]} "
                f"actual: {type_of(image[name])}"
            )
    _check_key_values(table, image)


def _check_key_values(table: Table, image: Mapping[str, Value]) -> None:
    for name, (limit, message) in zip(table_index(table).key_names, KEY_LIMITS, strict=False):
        if "" in image[name].values():
            raise Rejected(f"{NOT_VALID}{_empty_key(image[name])} Key: {name}")
        if image_size({"": image[name]}) > limit:
            raise Rejected(f"{INVALID}{message}")


def check_index_keys(table: Table, image: Image, *, is_update: bool) -> None:
    """Raise AWS's error for attributes that no index of a table can have as its key."""
    types = key_types(table)
    for index in indexes_of(table):
        for name in index.key_names:
            value = image.get(name)
            if value is None or name in index.table_names:
                continue
            if type_of(value) != types[name]:
                raise RejectedItem(
                    f"{INVALID}Type mismatch for Index Key {name} Expected: {types[name]} "
                    f"Actual: {type_of(value)} IndexName: {index.name}"
                )
            if "" in value.values():
                raise _empty_index_key(index, name, value, is_update)


def _empty_index_key(index: Index, name: str, value: Value, is_update: bool) -> Rejected:
    if is_update:
        return Rejected(
            f"{NOT_VALID}The update expression attempted to update a secondary index key to a "
            f"value that is not supported. {_empty_key(value)}"
        )
    return Rejected(
        f"{NOT_VALID}A value specified for a secondary index key is not supported. "
        f"{_empty_key(value)} IndexName: {index.name}, IndexKey: {name}"
    )


def _empty_key(value: Value) -> str:
    kind = "binary" if "B" in value else "string"
    return f"The AttributeValue for a key attribute cannot contain an empty {kind} value."
