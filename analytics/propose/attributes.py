"""Attributes: what the images of a lake hold at each path, as far as a view needs to know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from transform.columns import MAX_MAP_MEMBERS, Path, column_name
from transform.images import flattened

MAX_ATTRIBUTES = 500
# The texts that Athena's from_iso8601_timestamp reads without losing digits.
ISO_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
name_of_path = lru_cache(maxsize=4096)(column_name)

# An image: DynamoDB's typed values by name.
Image = Mapping[str, Any]


@dataclass(slots=True)
class Attribute:
    """The values of one column: their number by DynamoDB's type, and how long the numbers are.

    It has more than one path if these differ only in case.
    """

    column: str
    paths: set[Path] = field(default_factory=set)
    types: Counter[str] = field(default_factory=Counter)
    integer_digits: int = 0
    decimal_places: int = 0
    has_only_times: bool = True

    def add(self, path: Path, tag: str, content: Any) -> None:
        """Count a value."""
        self.paths.add(path)
        self.types[tag] += 1
        if tag == "N":
            whole, _, fraction = content.lstrip("-").partition(".")
            self.integer_digits = max(self.integer_digits, len(whole.lstrip("0")))
            self.decimal_places = max(self.decimal_places, len(fraction))
        elif tag == "S" and self.has_only_times:
            self.has_only_times = is_iso_time(content)

    @property
    def path(self) -> Path:
        """The path; of those that differ in case, the first."""
        return min(self.paths)

    @property
    def label(self) -> str:
        """The attribute's name on one line: what a terminal does not show is escaped."""
        return " or ".join(printable(".".join(path)) for path in sorted(self.paths))

    @property
    def value_types(self) -> set[str]:
        """DynamoDB's types of the values that are not null."""
        return set(self.types) - {"NULL"}


@dataclass(slots=True)
class MapMembers:
    """The maps at a path that became columns of their members: their number, and all names."""

    count: int = 0
    names: set[str] = field(default_factory=set)


class AttributeCollector:
    """The attributes of all images that were added, by column.

    A map with more than MAX_MAP_MEMBERS members in all images is keyed by data: it is one
    attribute, and its column is in `json_paths`. `omitted` counts values of other attributes than
    the first MAX_ATTRIBUTES.
    """

    def __init__(self, json_paths: tuple[str, ...] = ()) -> None:
        self.attributes: dict[str, Attribute] = {}
        self.json_paths = set(json_paths)
        self.omitted = 0
        self._maps: dict[Path, MapMembers] = {}

    def add_image(self, image: Image) -> None:
        """Count the values of an image."""
        values = list(self._values(image))
        columns = [name_of_path(path) for path, _, _ in values]
        if len(set(columns)) != len(columns):  # Paths that differ in case meet in this item.
            columns = list(flattened(image, self.json_paths))
        for column, (path, tag, content) in zip(columns, values, strict=True):
            if column not in self.attributes and len(self.attributes) == MAX_ATTRIBUTES:
                self.omitted += 1
                continue
            self.attributes.setdefault(column, Attribute(column)).add(path, tag, content)

    def _values(self, attributes: Image, path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
        """Yield path, type and content of each column's value, in the order of the columns."""
        for name in sorted(attributes):
            ((tag, content),) = attributes[name].items()
            member_path = (*path, name)
            if tag == "M" and content and not self._is_keyed_by_data(member_path, content):
                yield from self._values(content, member_path)
            else:
                yield member_path, tag, content

    def _is_keyed_by_data(self, path: Path, members: Image) -> bool:
        column = name_of_path(path)
        if column in self.json_paths:
            return True
        seen = self._maps.setdefault(path, MapMembers())
        seen.names.update(members)
        if len(seen.names) <= MAX_MAP_MEMBERS:
            seen.count += 1
            return False
        self.json_paths.add(column)
        self._forget_members(path)
        attribute = self.attributes.setdefault(column, Attribute(column, {path}))
        attribute.types["M"] += seen.count
        return True

    def _forget_members(self, path: Path) -> None:
        """Drop the attributes below a path, which are no columns of their own."""
        below = len(path)
        self.attributes = {
            column: attribute
            for column, attribute in self.attributes.items()
            if attribute.path == path or attribute.path[:below] != path
        }
        self._maps = {other: seen for other, seen in self._maps.items() if other[:below] != path}


def printable(text: str) -> str:
    r"""Return a text with escapes for characters that a terminal or an editor does not show.

    >>> printable("Größe"), printable("a\n; DROP")
    ('Größe', 'a\\n; DROP')
    """
    return text if text.isprintable() else ascii(text)[1:-1]


def is_iso_time(text: str) -> bool:
    """Return whether a text is a time in ISO 8601 that exists.

    >>> is_iso_time("2026-11-23T10:00:00Z"), is_iso_time("2026-11-31T10:00:00Z")
    (True, False)
    """
    if not ISO_TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
