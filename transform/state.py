"""The law of state: the lake's state of the table is a function of the set of its rows.

Delivery is at least once and unordered, so rows arrive in any order and more than once. Each row
carries all that is needed to order it: its rank, which is a tuple of strings that compare as the
changes happened. First comes the creation time of the stream, which ends its ARN (`source`): a
stream that was re-created, or that of a table restored under another name, outranks the older one
whatever the names of the tables. Then the position in the stream (`sequence`, padded to 40
digits), the time of a snapshot, and the event id as a tie-breaker. A change has no snapshot time,
so it ranks before the repairs of its own sequence number, and these before the next change; a
backfill ranks before every change of its stream, because its sequence number is zero.

The latest row of a key is the one of greatest rank. Rows of equal rank are copies of one change.
Copies that differ, because two versions of the transform made them, are ordered by their content:
those with images last, then by a digest, which a copy of the lake can store in place of the images.
A maximum of a total order depends neither on the order of the rows nor on
duplicates: that is the whole proof. If the latest row has no new image it is a tombstone: the item
does not exist.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Protocol

BACKFILL_SEQUENCE = "0" * 40
CONTENT_DIGITS = 16


@dataclass(frozen=True)
class Row:
    """The columns of a row that the law needs: `cdc_…` of the same names."""

    operation: str
    key: str
    source: str
    sequence: str
    snapshot_at: str | None
    event_id: str
    changed_at: str
    old_image: str | None
    new_image: str | None

    @property
    def is_snapshot(self) -> bool:
        """Whether a backfill or a repair wrote the row."""
        return self.operation == "SNAPSHOT"

    @classmethod
    def from_columns(cls, columns: Mapping[str, str | None]) -> "Row":
        """Return the row with these columns of the lake."""
        values: dict[str, Any] = {field.name: columns[f"cdc_{field.name}"] for field in fields(cls)}
        return cls(**values)


class Ranked(Protocol):
    """Anything that has a rank: a row of the lake, or the change that becomes one."""

    @property
    def source(self) -> str: ...

    @property
    def sequence(self) -> str: ...

    @property
    def snapshot_at(self) -> str | None: ...

    @property
    def event_id(self) -> str: ...


def stream_rank(source: str) -> tuple[str, str]:
    """Return the sort key of streams: the creation time, which ends the ARN, then the ARN.

    >>> stream_rank("table/t/stream/2026-11-01T22:35:34.921")
    ('2026-11-01T22:35:34.921', 'table/t/stream/2026-11-01T22:35:34.921')
    """
    return source.rpartition("/")[2], source


def rank(row: Ranked) -> tuple[str, str, str, str, str]:
    """Return the sort key of the changes of a key; a change ranks before its repairs."""
    return (*stream_rank(row.source), row.sequence, row.snapshot_at or "", row.event_id)


def identity(row: Row) -> tuple[str, str, str, str]:
    """Return what is equal in the copies of one change, and in no two changes."""
    return (row.key, row.source, row.sequence, row.event_id)


def content(row: Row) -> str:
    """Return the sort key of the copies of a change: 1 for an image, 0 for none, and a digest.

    >>> content(Row("INSERT", "k", "s", "1", None, "e", "2026-11-18 11:06:40.000", None, "{}"))
    '108c3e4d13b97ffca6'
    """
    images = f"{int(row.new_image is not None)}{int(row.old_image is not None)}"
    values = (row.new_image, row.old_image, row.operation, row.changed_at)
    text = "\n".join(value or "" for value in values)
    return images + sha256(text.encode()).hexdigest()[:CONTENT_DIGITS]


def latest_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return the row of greatest rank of each key, tombstones included."""
    return {row.key: row for row in _greatest(rows, lambda row: row.key)}


def precedence(row: Row) -> tuple[tuple[str, ...], str]:
    """Return the sort key of all rows of a key: the latest sorts last."""
    return rank(row), content(row)


def current_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return the latest row of each key whose item exists."""
    return {key: row for key, row in latest_rows(rows).items() if row.new_image is not None}


def keep(rows: Iterable[Row]) -> set[Row]:
    """Return the latest row of each key with an image, and the latest without one.

    They give the same state and the same last images as all rows: if only a repair found that an
    item was removed, its latest row has no image. Maxima may be taken in parts, in any order and
    again: keep(keep(a) | b) = keep(a | b). So a copy of the lake may lie in parts side by side.
    """
    return _greatest(rows, lambda row: (row.key, has_image(row)))


def once(rows: Iterable[Row]) -> set[Row]:
    """Return each change of each day once, in its fullest copy; parts add up as those of `keep`."""
    return _greatest(rows, lambda row: (row.changed_at[:10], *identity(row)))


def has_image(row: Row) -> bool:
    """Return whether a row has the item as it was before or after the change."""
    return row.new_image is not None or row.old_image is not None


def _greatest(rows: Iterable[Row], group: Callable[[Row], Hashable]) -> set[Row]:
    greatest: dict[Hashable, Row] = {}
    for row in rows:
        name = group(row)
        if name not in greatest or precedence(row) > precedence(greatest[name]):
            greatest[name] = row
    return set(greatest.values())


def state_as_of(rows: Iterable[Row], timestamp: str) -> dict[str, Row]:
    """Return the current rows after all changes up to `YYYY-MM-DD HH:MM:SS.fff`, UTC."""
    return current_rows(row for row in rows if row.changed_at <= timestamp)
