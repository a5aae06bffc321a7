"""Comparison of what AWS describes with what setup wants, and the differences that it finds.

`python setup --check` reports why a script would write. A script compares right before it writes,
so the differences that its last comparison noted are the reason for its next write.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

MAX_SHOWN = 3
MAX_CHARACTERS = 120
CHARACTERS_BEFORE = 9  # That two long texts share before their first difference.

# Descriptions are of any shape.
Value = Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that AWS describes at a path, in place of the expected one.

    The path is empty for a whole description.
    """

    path: str
    expected: Value
    actual: Value

    def __str__(self) -> str:
        """Return the difference in words.

        >>> str(Difference("BatchSize", 500, 7))
        'BatchSize: expected 500, found 7'
        """
        expected, actual = without_common_start(self.expected, self.actual)
        values = f"expected {shorten(expected)}, found {shorten(actual)}"
        return f"{self.path}: {values}" if self.path else values


_noted: ContextVar[tuple[Difference, ...]] = ContextVar("noted", default=())


def matches_desired(desired: Value, actual: Value) -> bool:
    """Return whether AWS's description contains the desired one, and note the differences.

    AWS may describe more than was set, lists things in its own order, and omits empty values.

    >>> matches_desired({"Tags": [{"Key": "a"}]}, {"Tags": [{"Key": "a", "Value": "b"}], "Size": 3})
    True
    >>> matches_desired({"Filter": {"Rules": []}}, {})
    True
    >>> matches_desired({"Rules": []}, {"Rules": ["a rule"]})
    False
    """
    return not note(find_differences(desired, actual))


def differs(name: str, expected: Value, actual: Value) -> bool:
    """Return whether two values differ, and note it if they do."""
    return bool(note([Difference(name, expected, actual)] if expected != actual else []))


def note(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Note these differences in place of those before, and return them."""
    noted = tuple(differences)
    _noted.set(noted)
    return noted


def take_noted() -> str:
    """Return the differences noted last in words, and forget them; empty if there are none."""
    noted = _noted.get()
    _noted.set(())
    text = "; ".join(map(str, noted[:MAX_SHOWN]))
    rest = len(noted) - MAX_SHOWN
    return f"{text}; and {rest} more" if rest > 0 else text


def find_differences(desired: Value, actual: Value, path: str = "") -> Iterator[Difference]:
    """Yield the differences between the desired description and AWS's.

    >>> desired = {"Rule": {"Size": 1}, "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c"}]}
    >>> actual = {"Rule": {"Size": 2}, "Tags": [{"Key": "a", "Value": "x"}, {"Key": "c"}]}
    >>> list(map(str, find_differences(desired, actual)))
    ['Rule.Size: expected 1, found 2', 'Tags[a].Value: expected "b", found "x"']
    """
    if isinstance(desired, Mapping) and isinstance(actual, Mapping | None):
        yield from _differences_of_mapping(desired, actual or {}, path)
    elif isinstance(desired, list | tuple) and desired and isinstance(actual, list | tuple):
        for member in desired:
            yield from _differences_of_member(member, actual, path)
    elif desired in (None, "", [], ()):
        if actual:
            yield Difference(path, desired, actual)
    elif desired != actual:
        yield Difference(path, desired, actual)


def _differences_of_mapping(
    desired: Mapping[str, Value], actual: Mapping[str, Value], path: str
) -> Iterator[Difference]:
    """Yield the differences of each member, or one if AWS describes nothing at all."""
    for key, value in desired.items():
        for difference in find_differences(
            value, actual.get(key), f"{path}.{key}" if path else key
        ):
            if not actual:
                yield Difference(path, desired, None)
                return
            yield difference


def _differences_of_member(
    member: Value, actual: Sequence[Value], path: str
) -> Iterator[Difference]:
    """Yield how a member of a list differs from the most similar member that AWS describes."""
    candidates = [list(find_differences(member, other)) for other in actual]
    if [] in candidates:
        return
    if not candidates or not isinstance(member, Mapping):
        yield Difference(path, member, actual)
        return
    closest = actual[min(range(len(actual)), key=lambda index: len(candidates[index]))]
    name = next(iter(member.values()), None)  # Descriptions begin with a name or key.
    is_same = isinstance(closest, Mapping) and name in closest.values()
    if is_same and isinstance(name, str):
        yield from find_differences(member, closest, f"{path}[{name}]")
    elif len(actual) == 1:
        yield from find_differences(member, closest, path)
    else:
        yield Difference(path, member, actual)


def without_common_start(expected: Value, actual: Value) -> tuple[Value, Value]:
    """Return two long texts from shortly before their first difference; other values unchanged.

    >>> without_common_start("SELECT 1" + " " * 200 + "-- a", "SELECT 1" + " " * 200 + "-- b")
    ('…      -- a', '…      -- b')
    """
    if not (isinstance(expected, str) and isinstance(actual, str)):
        return expected, actual
    common = takewhile(lambda pair: pair[0] == pair[1], zip(expected, actual, strict=False))
    start = sum(1 for _ in common) - CHARACTERS_BEFORE
    if start <= 0 or max(len(expected), len(actual)) <= MAX_CHARACTERS:
        return expected, actual
    return f"…{expected[start:]}", f"…{actual[start:]}"


def shorten(value: Value) -> str:
    """Return a value as JSON, shortened.

    >>> shorten(None), shorten({"a": True}), len(shorten("x" * 1000))
    ('nothing', '{"a": true}', 120)
    """
    if value is None:
        return "nothing"
    text = "".join(islice(json.dumps(value, default=str, ensure_ascii=False), MAX_CHARACTERS))
    return f"{text[:-1]}…" if len(text) == MAX_CHARACTERS else text
