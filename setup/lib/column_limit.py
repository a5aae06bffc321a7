"""The limit of columns: how many the table over the lake may have, and which map exceeds it.

A map that is keyed by data, such as user ids, makes a column for each key that any item ever had.
Glue refuses a table with too long a description, which public reports have met at 3,600 columns,
and Athena a query of more than 256 KiB, in which `verify` names each column up to four times.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from setup import names
from setup.lib.views import get_table

MAX_COLUMNS = 1000
WARNING_COLUMNS = 800
MIN_LARGE_MAP = 50  # A map with fewer members is not why a table has too many columns.
# Two underscores before a letter: a segment with a hash ends with an underscore of its own.
SEPARATOR = re.compile(r"__(?=[a-z])")


def is_inside_json_path(column: str) -> bool:
    """Return whether a column belongs to a map that JSON_PATHS keeps as one column."""
    return any(column.startswith(f"{path}__") for path in names.JSON_PATHS)


def column_warnings() -> list[str]:
    """Return a warning if the catalog has a table over the lake that is near the limit."""
    table = get_table(names.CHANGES)
    if table is None:
        return []
    return limit_warnings([column["Name"] for column in table["StorageDescriptor"]["Columns"]])


def limit_warnings(columns: Sequence[str]) -> list[str]:
    """Return a warning if the table is near the limit."""
    if len(columns) <= WARNING_COLUMNS:
        return []
    return [
        f"table {names.CHANGES} has {len(columns)} columns of at most {MAX_COLUMNS}: "
        f"{limit_advice(columns)}"
    ]


def limit_advice(columns: Iterable[str]) -> str:
    """Return what keeps these columns below the limit."""
    path, members = largest_map(columns)
    if members < MIN_LARGE_MAP:
        return (
            "add those that you query to COLUMNS in setup/own_table.py, and run python "
            "setup/10_glue.py"
        )
    return (
        f"{members} are members of one map: add '{path}' to JSON_PATHS in setup/own_table.py, run "
        f"python setup, then python -m operations.verify --repair"
    )


def largest_map(columns: Iterable[str]) -> tuple[str, int]:
    """Return the column of the map with the most members, and their number.

    >>> largest_map(["id", "user__name", "user__seen__x_1_", "user__seen__x_2_", "user__seen__a"])
    ('user__seen', 3)
    """
    members: defaultdict[str, set[str]] = defaultdict(set)
    for column in columns:
        segments = SEPARATOR.split(column)
        for depth in range(1, len(segments)):
            members["__".join(segments[:depth])].add(segments[depth])
    return max(
        ((path, len(segments)) for path, segments in members.items()),
        key=lambda pair: pair[1],
        default=("", 0),
    )
