"""The law of state: what a set of rows, in any order and however often each, says of the table.

Per key the row of greatest rank holds; where that has no new image, the item is gone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Row:
    """What the law needs of a row of the lake: its columns `cdc_…` of the same names."""

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
        """Return the row that the columns of the lake tell."""
        return cls(**{field.name: columns[f"cdc_{field.name}"] for field in fields(cls)})


@dataclass(frozen=True)
class Gap:
    """A lost change: `after` replaced an image that the change `before` it did not leave."""

    before: Row | None
    after: Row


def rank(row: Row) -> tuple[str, str, str, str]:
    """Return what orders the rows of a key, all of it text; a change comes before its repairs."""
    return (row.source, row.sequence, row.snapshot_at or "", row.event_id)


def latest_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return each key's row of greatest rank, removals too."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.key not in found or rank(row) > rank(found[row.key]):
            found[row.key] = row
    return found


def current_rows(rows: Iterable[Row]) -> dict[str, Row]:
    """Return for each key whose item is there the row that holds."""
    return {key: row for key, row in latest_rows(rows).items() if row.new_image is not None}


def state_as_of(rows: Iterable[Row], moment: str) -> dict[str, Row]:
    """Return what was current after all changes up to `YYYY-MM-DD HH:MM:SS.fff`, UTC."""
    return current_rows(row for row in rows if row.changed_at <= moment)


def find_gaps(rows: Iterable[Row]) -> Iterator[Gap]:
    """Yield the lost changes that the rows themselves betray, key by key.

    A change must have replaced the image that the change before it left, if both are told. The
    first one of a stream is excused where a snapshot saw what it replaced, or what came later.
    """
    histories: dict[str, set[Row]] = defaultdict(set)
    for row in rows:
        histories[row.key].add(row)
    for _, history in sorted(histories.items()):
        yield from _gaps_of_key(history)


def _gaps_of_key(rows: Iterable[Row]) -> Iterator[Gap]:
    changes = {row.event_id: row for row in rows if row.operation != "SNAPSHOT"}
    seen = [row for row in rows if row.operation == "SNAPSHOT" and row.new_image is not None]
    before = None
    for after in sorted(changes.values(), key=rank):
        left = before.new_image if before else None
        is_told = after.old_image is not None or after.operation == "INSERT"
        if is_told and left != after.old_image and not _is_excused(before, after, rows, seen):
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
