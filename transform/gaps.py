"""Gaps in the history that the lake has of an item: the changes that it lacks.

A change holds the image that it replaced; if that is not the image that the previous change left,
changes between the two are missing. A repair of the key between the two bridges the gap: the lake
has the item as it was after the lost changes, but not the changes. Changes lost at the end of a
history show only once a repair has bridged them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from transform.state import BACKFILL_SEQUENCE, Row, identity, precedence


class GapKind(StrEnum):
    """What is known about the changes that a gap lacks."""

    OPEN = "open"  # They are lost.
    BRIDGED = "bridged"  # They are lost, but a repair wrote the item that they left.
    OLDER = "older"  # There may be none: the item may be older than the stream.
    ERASED = "erased"  # None, but the images were erased; `find_gaps` finds no gap there.


@dataclass(frozen=True)
class Gap:
    """Lost changes: `after` replaced an image that the change `before` it did not leave.

    If a repair bridges changes lost at the end of a history, `after` is the row of the repair.
    """

    kind: GapKind
    before: Row | None
    after: Row


def find_gaps(rows: Iterable[Row]) -> Iterator[Gap]:
    """Yield the gaps that the rows themselves show, key by key.

    A change must have replaced the image that the previous change left, if both images are known.
    The first change of a key needs no change before it if a snapshot of its stream has the image
    that it replaced, or a later one.
    """
    histories: dict[str, set[Row]] = defaultdict(set)
    backfilled_at: dict[str, str] = {}
    for row in rows:
        histories[row.key].add(row)
        if row.snapshot_at and row.sequence == BACKFILL_SEQUENCE:
            backfilled_at[row.source] = max(row.snapshot_at, backfilled_at.get(row.source, ""))
    for _, history in sorted(histories.items()):
        yield from _gaps_of_key(history, backfilled_at)


def _gaps_of_key(rows: Iterable[Row], backfilled_at: Mapping[str, str]) -> Iterator[Gap]:
    in_order = list({identity(row): row for row in sorted(rows, key=precedence)}.values())
    changes = [row for row in in_order if not row.is_snapshot]
    snapshots = [row for row in in_order if row.is_snapshot]
    before = None
    for after in changes:
        previous_image = before.new_image if before else None
        has_old_image = after.old_image is not None or after.operation == "INSERT"
        if has_old_image and previous_image != after.old_image:
            kind = _kind(before, after, changes, snapshots)
            # A backfill sees every item but those that were removed before it, so only an item that
            # changed before the backfill ended has no snapshot.
            if before is None and after.changed_at <= backfilled_at.get(after.source, ""):
                kind = kind and GapKind.OLDER
            if kind:
                yield Gap(kind, before, after)
        before = after
    latest = in_order[-1]
    if before and latest.new_image != before.new_image:
        yield Gap(GapKind.BRIDGED, before, latest)


def _kind(
    before: Row | None, after: Row, changes: Iterable[Row], snapshots: Iterable[Row]
) -> GapKind | None:
    """Return the kind of a gap, or None if a snapshot shows that nothing is missing."""
    if before is None or before.source != after.source:
        stream = [row for row in changes if row.source == after.source]
        images = {after.old_image, *(row.new_image for row in stream)} - {None}
        if any(row.source == after.source and row.new_image in images for row in snapshots):
            return GapKind.BRIDGED if before else None
    # A repair has the position of the change after which it found changes missing.
    position = before and (before.source, before.sequence)
    repairs = [row for row in snapshots if (row.source, row.sequence) == position]
    if any(repair.new_image == after.old_image for repair in repairs):
        return GapKind.BRIDGED
    return GapKind.OPEN
