"""The columns that a Glue classifier reads out of JSON text: a pure guess from examples."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BLANKS = re.compile(r"\s*")
WIDTHS = ("int", "bigint", "double")  # Each holds what the ones before it hold.


@dataclass(frozen=True, slots=True)
class Array:
    """A list whose elements are all of one type."""

    element: "Type"


Type = str | Array | dict[str, "Type"] | None
"""A scalar's Hive name, a list, the fields of an object, or None: only nulls were seen."""


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Return the JSON objects that text begins with, up to the first thing that is not one."""
    decoder, end = json.JSONDecoder(), 0
    while (start := _BLANKS.match(text, end).end()) < len(text):
        try:
            document, end = decoder.raw_decode(text, start)
        except ValueError:
            return
        if not isinstance(document, dict):
            return
        yield document


def columns(found: Iterable[Mapping[str, Any]]) -> dict[str, Type]:
    """Return the columns that hold all the documents: names in lower case, as Glue folds them."""
    fields: dict[str, Type] = {}
    for document in found:
        fields = joined(fields, type_of(document))
    return fields


def type_of(value: Any) -> Any:
    """Return the narrowest type that holds a JSON value."""
    if isinstance(value, dict):
        return {name.lower(): type_of(each) for name, each in value.items()}
    if isinstance(value, list):
        element: Type = None
        for each in value:
            element = joined(element, type_of(each))
        return Array(element)
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -(2**31) <= value < 2**31 else "bigint"
    return {bool: "boolean", float: "double", str: "string"}.get(type(value))


def joined(one: Any, other: Any) -> Any:
    """Return the narrowest type that holds what either holds; `string` where nothing else does.

    >>> joined("int", "double"), joined("int", "boolean"), joined(None, "int")
    ('double', 'string', 'int')
    """
    if one is None or one == other:
        return other
    if other is None:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: joined(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, Array) and isinstance(other, Array):
        return Array(joined(one.element, other.element))
    if one in WIDTHS and other in WIDTHS:
        return max(one, other, key=WIDTHS.index)
    return "string"


def hive(kind: Type) -> str:
    """Return a type as Hive writes it.

    >>> hive({"sku": "string", "sizes": Array("int")})
    'struct<sku:string,sizes:array<int>>'
    """
    if isinstance(kind, dict):
        return f"struct<{','.join(f'{name}:{hive(each)}' for name, each in kind.items())}>"
    if isinstance(kind, Array):
        return f"array<{hive(kind.element)}>"
    return kind or "string"
