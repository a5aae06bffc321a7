"""Column names: a function of an attribute's path alone.

A plain segment (ASCII letters and digits, single underscores inside, a letter first) is
lowercased, as Glue and Athena do anyway. Any other segment becomes readable text, a hash of the
segment and a trailing underscore, which no plain segment has. Two underscores join the segments.
A name that is reserved (`cdc_…`, `dt`) or longer than Glue's 255 characters becomes readable text
and a hash of its path, in the same form. So each name is `[a-z][a-z0-9_]*`, and two paths share a
name only if they differ in nothing but the case of plain segments. If one item has both, those
that are not lowercase become readable text and a hash too.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from json import dumps

from transform.errors import BadRecord
from transform.values import quote_json

Path = tuple[str, ...]
ColumnSlot = tuple[str, Path, str, str]
MAX_NAME_LENGTH = 255
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


@lru_cache(maxsize=1024)  # The maps of a table have few sets of names.
def column_layout(path: Path, names: tuple[str, ...]) -> list[ColumnSlot]:
    """Return name, path, JSON label of the column and JSON label of each member, sorted by name."""
    return [
        (name, (*path, name), f',"{column_name((*path, name))}":', f"{quote_json(name)}:")
        for name in sorted(names)
    ]


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
