"""Column names: a function of an attribute's path alone.

A plain segment (ASCII letters and digits, single underscores inside, a letter first) is
lowercased, as Glue and Athena do anyway. Any other segment becomes readable text, a hash of the
segment and a trailing underscore, which no plain segment has. Two underscores join the segments.
A name that is reserved (`cdc_…`, `dt`) or longer than Glue's 255 characters becomes readable text
and a hash of its path, in the same form. So each name is `[a-z][a-z0-9_]*`, and two paths share a
name only if they differ in nothing but the case of plain segments. If one item has both, those
that are not lowercase become readable text and a hash too.

A map becomes a column for each of its members, unless it is empty, has more than MAX_MAP_MEMBERS
members, or `json_paths` has the name of its column: then it is one column of plain JSON, with all
that it contains. A map that is keyed by data, such as user ids, has no members to name columns by.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from json import dumps
from typing import Any

from transform.cache import BoundedCache
from transform.errors import BadRecord
from transform.values import quote_json

Path = tuple[str, ...]
ColumnSlot = tuple[str, Path, bool, str, str]
JsonPaths = AbstractSet[str]
MapKey = tuple[Path, tuple[str, ...], JsonPaths]
NO_JSON_PATHS: JsonPaths = frozenset()
MAX_NAME_LENGTH = 255
MAX_MAP_MEMBERS = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*").fullmatch
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")


def column_name(path: Sequence[str]) -> str:
    """Return the column name of an attribute, given the names on the path to it.

    >>> column_name(["customer", "postalCode"])
    'customer__postalcode'
    >>> column_name(["total (USD)"])
    'total_usd_c924b3fbee09dcdc_'
    """
    name = "__".join(map(_segment, path))
    if name.startswith("cdc_") or name == "dt" or len(name) > MAX_NAME_LENGTH:
        return _hashed(path)
    return name


def _column_layout(key: MapKey) -> list[ColumnSlot]:
    """Return the members of a map, sorted by name, given its path, their names and `json_paths`.

    Each has its name and path, whether it stays one column, and the JSON labels of column and
    member.
    """
    path, names, json_paths = key
    return [_column_slot((*path, name), json_paths) for name in sorted(names)]


column_layouts = BoundedCache(_column_layout)  # The maps of a table have few sets of names.


def _column_slot(path: Path, json_paths: JsonPaths) -> ColumnSlot:
    column = column_name(path)
    return path[-1], path, column in json_paths, f',"{column}":', f"{quote_json(path[-1])}:"


def is_split(tag: str, content: Any, is_json_path: bool) -> bool:
    """Return whether a value is a map whose members become columns of their own."""
    return tag == "M" and not is_json_path and 0 < len(content) <= MAX_MAP_MEMBERS


def columns_of_paths(paths: Iterable[Path]) -> set[str]:
    """Return the columns that these attributes have, whether or not they meet in one item."""
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        by_name[column_name(path)].append(path)
    sharing = (path for group in by_name.values() if len(group) > 1 for path in group)
    return {*by_name, *(_hashed(path) for path in sharing if not _is_lowercase(path))}


def disambiguated(labels: list[str], paths: list[Path]) -> list[str]:
    """Return distinct labels for the columns of one item; lowercase paths keep theirs."""
    counts = Counter(labels)
    distinct = [
        label if counts[label] == 1 or _is_lowercase(path) else f',"{_hashed(path)}":'
        for label, path in zip(labels, paths, strict=True)
    ]
    if len(set(distinct)) != len(distinct):
        raise BadRecord("a column for each attribute", "two that share one")
    return distinct


def _segment(text: str) -> str:
    return text.lower() if _PLAIN(text) else _hashed([text])


def _is_lowercase(path: Path) -> bool:
    return not any(_PLAIN(segment) and segment != segment.lower() for segment in path)


def _hashed(path: Sequence[str]) -> str:
    """Return the readable part of a path, with a hash of all of it."""
    words = _NOT_ALPHANUMERIC.sub("_", "_".join(path)).strip("_").lower()[:100].rstrip("_")
    if not words[:1].isalpha() or f"{words}_".startswith("cdc_"):
        words = f"x_{words}".rstrip("_")
    return f"{words}_{sha256(dumps(list(path)).encode()).hexdigest()[:16]}_"
