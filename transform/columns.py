"""The columns' names: a function of an attribute's path alone.

A segment that is plain (ASCII letters and digits, single underscores inside, a letter first) is
lower-cased, as Glue and Athena do anyway. Any other becomes readable text, a hash of itself and a
closing underscore, which no plain segment has. Two underscores join the segments. A name that is
reserved (`cdc_…`, `dt`) or longer than Glue's 255 characters becomes readable text and a hash of
its path, in the same form. So each name is `[a-z][a-z0-9_]*`, and two paths have one name only
where they differ in nothing but the case of plain segments: then, if one item has both, those that
are not lower-case become readable text and a hash too.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from json import dumps

from transform.errors import BadRecord
from transform.values import quoted

Path = tuple[str, ...]
Place = tuple[str, Path, str, str]
LONGEST = 255
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*").fullmatch
_UNREADABLE = re.compile(r"[^A-Za-z0-9]+")


def column_name(path: Sequence[str]) -> str:
    """Return the column of an attribute's path: the names that lead to it.

    >>> column_name(["customer", "postalCode"])
    'customer__postalcode'
    >>> column_name(["total (USD)"])
    'total_usd_c924b3fbee09dcdc_'
    """
    name = "__".join(map(_segment, path))
    if name.startswith("cdc_") or name == "dt" or len(name) > LONGEST:
        return _hashed(path)
    return name


@lru_cache(maxsize=1024)  # A table's maps have few sets of names: each is worked out once.
def places(path: Path, names: tuple[str, ...]) -> list[Place]:
    """Return of a map's members, sorted by name: name, path, column and name as labels in JSON."""
    return [
        (name, (*path, name), f',"{column_name((*path, name))}":', f"{quoted(name)}:")
        for name in sorted(names)
    ]


def distinct(labels: list[str], paths: list[Path]) -> list[str]:
    """Return the labels of one item's columns, no two the same: lower-case paths keep theirs."""
    count = Counter(labels)
    apart = [
        label if count[label] == 1 or _is_lower_case(path) else f',"{_hashed(path)}":'
        for label, path in zip(labels, paths, strict=True)
    ]
    if len(set(apart)) != len(apart):
        raise BadRecord("a column for each attribute", "two that share one")
    return apart


def _segment(text: str) -> str:
    return text.lower() if _PLAIN(text) else _hashed([text])


def _is_lower_case(path: Path) -> bool:
    return not any(_PLAIN(segment) and segment != segment.lower() for segment in path)


def _hashed(path: Sequence[str]) -> str:
    """Return what can be read of a path, with a hash of all of it."""
    words = _UNREADABLE.sub("_", "_".join(path)).strip("_").lower()[:100].rstrip("_")
    if not words[:1].isalpha() or f"{words}_".startswith("cdc_"):
        words = f"x_{words}".rstrip("_")
    return f"{words}_{sha256(dumps(list(path)).encode()).hexdigest()[:16]}_"
