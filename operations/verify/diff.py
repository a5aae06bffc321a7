"""Differences: what is wrong with a key, and where its images or columns first differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MISSING = "missing"
EXTRA = "extra"
DIFFERENT = "different"
COLUMNS = "columns"
UNSETTLED = "unsettled"
KINDS = (MISSING, EXTRA, DIFFERENT, COLUMNS, UNSETTLED)
MAX_EXCERPT_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a key saw; the lake is read before the table.

    `table` and `lake` are digests of the item, with its columns, None if it does not exist.
    `table_image` and `lake_image` are digests of its image alone. `lake_row` identifies the row
    that decides the lake's state, None without any row.
    """

    table: str | None
    lake: str | None
    table_image: str | None
    lake_image: str | None
    lake_row: str | None


def classify(before: Look, now: Look) -> str | None:
    """Return what is wrong with a key, or None if the lake equals the table.

    Between the two looks lies the longest time that a change may be in flight. If the lake still
    has the same row, no change that the table had at the first look is in flight: what differed
    then, differs. If it has another row, or the table another item, the key is changing.
    """
    if now.lake == now.table:
        return None
    if (before.table, before.lake_row) != (now.table, now.lake_row):
        return UNSETTLED
    if now.lake is None:
        return MISSING
    if now.table is None:
        return EXTRA
    return COLUMNS if now.table_image == now.lake_image else DIFFERENT


@dataclass(frozen=True, slots=True)
class Difference:
    """The first path or column with two values, and an excerpt of both.

    `table` is the table's value, `lake` that of the lake's image or column.
    """

    path: str
    table: str
    lake: str

    def __str__(self) -> str:
        prefix = f"{self.path}: " if self.path else ""
        return f"{prefix}table has {self.table}, lake has {self.lake}"


def first_column_difference(
    table: Mapping[str, str | None], lake: Mapping[str, str | None]
) -> Difference | None:
    """Return the first column, in the lake's order, that does not have the table's value.

    >>> print(first_column_difference({"total": "10"}, {"total": "99"}))
    column total: table has "10", lake has "99"
    """
    if any(table.get(name) is not None for name in lake) and not any(
        value is not None for value in lake.values()
    ):
        return Difference("columns", "attributes", "nothing")
    for name, lake_value in lake.items():
        table_value = table.get(name)
        if table_value != lake_value:
            return _with_excerpts(f"column {name}", _to_json(table_value), _to_json(lake_value))
    return None


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
