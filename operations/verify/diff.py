"""What is wrong with a key, and where its two images first differ: a pure comparison."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

MISSING, EXTRA, DIFFERENT, UNSETTLED = KINDS = ("missing", "extra", "different", "unsettled")
SHOWN = 80  # characters of a value that a difference shows


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two images differ, and what stands there on either side."""

    path: str
    table: str
    lake: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}table has {self.table}, lake has {self.lake}"


def digest(text: str) -> str:
    """Return the fingerprint of a text, as SQL's `lower(to_hex(sha256(to_utf8(text))))` does."""
    return sha256(text.encode()).hexdigest()


def kind(before: str | None, now: str | None, lake: str | None) -> str | None:
    """Return what is wrong with a key, or None when the lake holds what the table holds now.

    Each argument is the digest of an item, None where there is none: in the table's first
    reading, in its second, and in the lake's second.
    """
    if lake == now:
        return None
    if before != now:
        return UNSETTLED
    if lake is None:
        return MISSING
    return EXTRA if now is None else DIFFERENT


def first_difference(table: str, lake: str) -> Difference:
    """Return where two unequal images first differ.

    >>> print(first_difference('{"a":{"N":"1"},"b":{"L":[]}}', '{"a":{"N":"1"}}'))
    b: table has {"L":[]}, lake has nothing
    """
    try:
        ours, theirs = json.loads(table), json.loads(lake)
        if not isinstance(ours, dict) or not isinstance(theirs, dict) or ours == theirs:
            return _shown("", table, lake)
        path, mine, other = _descent("", {"M": ours}, {"M": theirs})
        return _shown(path, _written(mine), _written(other))
    except (ValueError, RecursionError):  # The lake holds whatever was put there.
        return _shown("", table, lake)


def _descent(path: str, ours: Any, theirs: Any) -> tuple[str, Any, Any]:
    """Return the path to the first difference of two unequal typed values, and both sides."""
    for step, mine, other in _children(ours, theirs):
        if mine != other:
            return _descent(path + step if path else step.removeprefix("."), mine, other)
    return path, ours, theirs


def _children(ours: Any, theirs: Any) -> Iterable[tuple[str, Any, Any]]:
    if _tag(ours) == _tag(theirs) == "M":
        mine, other = ours["M"], theirs["M"]
        return [(f".{name}", mine.get(name), other.get(name)) for name in sorted({*mine, *other})]
    if _tag(ours) == _tag(theirs) == "L":
        pairs = zip(ours["L"], theirs["L"], strict=False)
        return [(f"[{index}]", mine, other) for index, (mine, other) in enumerate(pairs)]
    return []


def _tag(value: Any) -> str | None:
    return next(iter(value)) if isinstance(value, dict) and len(value) == 1 else None


def _written(value: Any) -> str:
    if value is None:
        return "nothing"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _shown(path: str, table: str, lake: str) -> Difference:
    """Return a difference whose values are cut to where they part."""
    pairs = enumerate(zip(table, lake, strict=False))
    parting = next((at for at, (ours, theirs) in pairs if ours != theirs), 0)
    start = max(0, parting - SHOWN // 2)
    return Difference(path, _cut(table, start), _cut(lake, start))


def _cut(text: str, start: int) -> str:
    if len(text) <= SHOWN:
        return text
    shown = text[start : start + SHOWN]
    return f"{'…' if start else ''}{shown}{'…' if start + SHOWN < len(text) else ''}"
