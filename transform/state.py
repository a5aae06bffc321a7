"""The law of state: the lake's state of the table is a function of the set of its rows.

Delivery is at least once and unordered, so rows arrive in any order and more than once. Each row
carries all that is needed to order it: its rank, which is a tuple of strings that compare as the
changes happened. First comes the stream (`source`), then the position in it (`sequence`, padded
to 40 digits), then the time of a snapshot, and the event id as a tie-breaker that depends on
nothing but the row. A change has no snapshot time, so it ranks before the repairs of its own
sequence number, and these before the next change; a backfill ranks before every change of its
stream, because its sequence number is zero.

The latest row of a key is the one of greatest rank. A maximum depends neither on the order of the
rows nor on duplicates: that is the whole proof. If the latest row has no new image it is a
tombstone: the item does not exist.

Lost changes leave gaps. A change holds the image that it replaced; if that is not the image that
the previous change left, changes between the two are missing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol


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

    @classmethod
    def from_columns(cls, columns: Mapping[str, str | None]) -> "Row":
        """Return the row with these columns of the lake."""
        values: dict[str, Any] = {field.name: columns[f"cdc_{field.name}"] for field in fields(cls)}
        return cls(**values)


@dataclass(frozen=True)
class Gap:
    """Lost changes: `after` replaced an image that the change `before` it did not leave."""

    before: Row | None
    after: Row


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


def rank(row: Ranked) -> tuple[str, str, str, str]:
    """Return the sort key of the rows of a key; a change ranks before its repairs."""
    return (row.source, row.sequence, row.snapshot_at or "", row.event_id)


def latest_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return the row of greatest rank of each key, tombstones included."""
    latest: dict[str, Row] = {}
    for row in rows:
        if row.key not in latest or rank(row) > rank(latest[row.key]):
            latest[row.key] = row
    return latest


def current_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return the latest row of each key whose item exists."""
    return {key: row for key, row in latest_rows(rows).items() if row.new_image is not None}


def state_as_of(rows: Iterable[Row], timestamp: str) -> dict[str, Row]:
    """Return the current rows after all changes up to `YYYY-MM-DD HH:MM:SS.fff`, UTC."""
    return current_rows(row for row in rows if row.changed_at <= timestamp)


def find_gaps(rows: Iterable[Row]) -> Iterator[Gap]:
    """Yield the gaps that the rows themselves show, key by key.

    A change must have replaced the image that the previous change left, if both images are known.
    The first change of a stream is excused if a snapshot saw what it replaced, or a later state.
    """
    histories: dict[str, set[Row]] = defaultdict(set)
    for row in rows:
        histories[row.key].add(row)
    for _, history in sorted(histories.items()):
        yield from _gaps_of_key(history)


def _gaps_of_key(rows: Iterable[Row]) -> Iterator[Gap]:
    changes = {row.event_id: row for row in rows if row.operation != "SNAPSHOT"}
    snapshots = [row for row in rows if row.operation == "SNAPSHOT" and row.new_image is not None]
    before = None
    for after in sorted(changes.values(), key=rank):
        previous_image = before.new_image if before else None
        has_old_image = after.old_image is not None or after.operation == "INSERT"
        is_gap = has_old_image and previous_image != after.old_image
        if is_gap and not _is_excused(before, after, rows, snapshots):
            yield Gap(before, after)
        before = after


def _is_excused(
    before: Row | None, first: Row, rows: Iterable[Row], snapshots: Iterable[Row]
) -> bool:
    """Return whether a snapshot explains what the first change of a stream replaced."""
    if before is not None and before.source == first.source:
        return False
    stream = [row for row in rows if row.source == first.source and row.operation != "SNAPSHOT"]
    images = {first.old_image, *(row.new_image for row in stream)}
    return any(row.source == first.source and row.new_image in images for row in snapshots)
