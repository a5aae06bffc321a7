"""Schema inference: the columns that a Glue classifier infers from JSON text."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NON_BLANK = re.compile(r"\S")
NUMERIC_TYPES = ("int", "bigint", "double")  # Each holds every value of those before it.


@dataclass(frozen=True, slots=True)
class Array:
    """A list whose elements are all of one type."""

    element: "Type"


Type = str | Array | dict[str, "Type"] | None
"""A scalar's Hive name, a list, the fields of an object, or None if only nulls were seen."""
Fields = dict[str, Type]


def parse_documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects at the start of a text, up to the first thing that is not one."""
    decoder = json.JSONDecoder()
    end = 0
    while match := _NON_BLANK.search(text, end):
        try:
            document, end = decoder.raw_decode(text, match.start())
        except ValueError:
            return
        if not isinstance(document, dict):
            return
        yield document


def infer_columns(documents: Iterable[Mapping[str, Any]]) -> Fields:
    """Return the columns that hold all the documents: names in lower case, as Glue folds them."""
    columns: Fields = {}
    for document in documents:
        columns = merge_fields(columns, _infer_fields(document))
    return columns


def infer_type(value: Any) -> Type:
    """Return the narrowest type that holds a JSON value."""
    if isinstance(value, dict):
        return _infer_fields(value)
    if isinstance(value, list):
        element_type: Type = None
        for element in value:
            element_type = common_type(element_type, infer_type(element))
        return Array(element_type)
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "bigint"
    if isinstance(value, float):
        return "double"
    return "string" if isinstance(value, str) else None


def _infer_fields(document: Mapping[str, Any]) -> Fields:
    return {name.lower(): infer_type(value) for name, value in document.items()}


def common_type(left: Type, right: Type) -> Type:
    """Return the narrowest type that holds the values of both: `string` if nothing else does.

    >>> common_type("int", "double"), common_type("int", "boolean"), common_type(None, "int")
    ('double', 'string', 'int')
    """
    if left is None or left == right:
        return right
    if right is None:
        return left
    if isinstance(left, dict) and isinstance(right, dict):
        return merge_fields(left, right)
    if isinstance(left, Array) and isinstance(right, Array):
        return Array(common_type(left.element, right.element))
    if left in NUMERIC_TYPES and right in NUMERIC_TYPES:
        return max(left, right, key=NUMERIC_TYPES.index)
    return "string"


def merge_fields(left: Fields, right: Fields) -> Fields:
    """Return the fields of both objects, each with a type that holds the values of both."""
    return {name: common_type(left.get(name), right.get(name)) for name in {**left, **right}}


def hive_type(type_: Type) -> str:
    """Return a type in Hive's syntax.

    >>> hive_type({"sku": "string", "sizes": Array("int")})
    'struct<sku:string,sizes:array<int>>'
    """
    if isinstance(type_, dict):
        fields = ",".join(f"{name}:{hive_type(field)}" for name, field in type_.items())
        return f"struct<{fields}>"
    if isinstance(type_, Array):
        return f"array<{hive_type(type_.element)}>"
    return type_ or "string"
