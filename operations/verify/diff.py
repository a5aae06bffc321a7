"""Differences between two images: what is wrong with a key, and where its images first differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MISSING = "missing"
EXTRA = "extra"
DIFFERENT = "different"
UNSETTLED = "unsettled"
KINDS = (MISSING, EXTRA, DIFFERENT, UNSETTLED)
MAX_EXCERPT_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """The first path at which two images differ, and an excerpt of both values."""

    path: str
    table: str
    lake: str

    def __str__(self) -> str:
        prefix = f"{self.path}: " if self.path else ""
        return f"{prefix}table has {self.table}, lake has {self.lake}"


def classify(first_table: str | None, second_table: str | None, lake: str | None) -> str | None:
    """Return what is wrong with a key, or None if the lake equals the table.

    The arguments are digests of the key's item, None if it does not exist: in the table in the
    first pass, in the table in the second pass, and in the lake in the second pass.
    """
    if lake == second_table:
        return None
    if first_table != second_table:
        return UNSETTLED
    if lake is None:
        return MISSING
    return EXTRA if second_table is None else DIFFERENT


def first_difference(table: str, lake: str) -> Difference:
    """Return where two unequal images first differ.

    >>> print(first_difference('{"a":{"N":"1"},"b":{"L":[]}}', '{"a":{"N":"1"}}'))
    b: table has {"L":[]}, lake has nothing
    """
    try:
        table_image = json.loads(table)
        lake_image = json.loads(lake)
        if (
            not isinstance(table_image, dict)
            or not isinstance(lake_image, dict)
            or table_image == lake_image
        ):
            return _with_excerpts("", table, lake)
        path, table_value, lake_value = _descend("", {"M": table_image}, {"M": lake_image})
        return _with_excerpts(path, _to_json(table_value), _to_json(lake_value))
    except (ValueError, RecursionError):  # The lake may contain text that is not JSON.
        return _with_excerpts("", table, lake)


# Any below: the lake may contain JSON of any shape.


def _descend(path: str, table: Any, lake: Any) -> tuple[str, Any, Any]:
    """Return the path to the first difference of two unequal typed values, and both values."""
    for step, table_child, lake_child in _children(table, lake):
        if table_child != lake_child:
            child_path = path + step if path else step.removeprefix(".")
            return _descend(child_path, table_child, lake_child)
    return path, table, lake


def _children(table: Any, lake: Any) -> Iterable[tuple[str, Any, Any]]:
    """Return the members of two maps or the elements of two lists, in pairs with their step."""
    if _type_tag(table) != _type_tag(lake):
        return []
    if _type_tag(table) == "M":
        names = sorted({*table["M"], *lake["M"]})
        return [(f".{name}", table["M"].get(name), lake["M"].get(name)) for name in names]
    if _type_tag(table) == "L":
        pairs = zip(table["L"], lake["L"], strict=False)
        return [(f"[{index}]", *pair) for index, pair in enumerate(pairs)]
    return []


def _type_tag(value: Any) -> str | None:
    return next(iter(value)) if isinstance(value, dict) and len(value) == 1 else None


def _to_json(value: Any) -> str:
    if value is None:
        return "nothing"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _with_excerpts(path: str, table: str, lake: str) -> Difference:
    """Return a difference with excerpts of both texts around the first character that differs."""
    pairs = enumerate(zip(table, lake, strict=False))
    position = next((index for index, (ours, theirs) in pairs if ours != theirs), 0)
    start = max(0, position - MAX_EXCERPT_LENGTH // 2)
    return Difference(path, _excerpt(table, start), _excerpt(lake, start))


def _excerpt(text: str, start: int) -> str:
    if len(text) <= MAX_EXCERPT_LENGTH:
        return text
    end = start + MAX_EXCERPT_LENGTH
    prefix = "…" if start else ""
    suffix = "…" if end < len(text) else ""
    return f"{prefix}{text[start:end]}{suffix}"
