"""A compaction: copies the days that lack an up-to-date copy, proves it, and gathers small parts.

Whatever happens, queries are right at each moment. A part becomes visible once it is written whole,
and its days count as copied once it is proven. What two parts both have counts once. `recent` stops
reading a day only if a run that has ended before this one began has marked it: so a query that has
looked up the parts before, and `recent` after, misses nothing. Marks count in the generation in
which a run begins: operations.erase begins another before it drops parts. Nothing needs a lock: two
runs at once copy a day twice, and the next run gathers the two parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from analytics.athena import run_query, run_statement
from operations.lake_copy.days import Day, chunks, list_days, oldest_recent_day
from operations.lake_copy.parts import (
    REBUILD,
    CopyTable,
    Part,
    PartDropped,
    RecentChanged,
    copied_days,
    first_day_of,
    first_recent_day,
    generation_of,
    marked_days,
    move_first_recent_day,
    new_part_name,
    smallest_within,
    superseded,
)
from operations.lake_copy.statements import Statements
from operations.lake_objects import list_objects
from setup.lib.errors import UserError
from setup.lib.views import describe_table
from setup.names import CHANGES, HISTORY, RECENT, STATE, bucket
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

# How many parts may lie side by side that together are below a size, so that no statement has to
# hold all history; state is read whole by most questions.
GATHERED = {HISTORY: (4, 64 << 20), STATE: (1, 256 << 20)}
KEPT_FOR = timedelta(days=1)  # Of objects that no table has any more: queries may still read them.


class CopyDiffers(UserError):
    """The copy has not exactly the rows of the lake."""


@dataclass
class Outcome:
    """What a compaction has done."""

    copied_days: list[str] = field(default_factory=list)
    changed_days: list[str] = field(default_factory=list)
    bytes_scanned: int = 0
    dropped_parts: int = 0
    deleted_objects: int = 0
    recent_from: str = ""


class Compaction:
    """One run on a day; `note` is called with a line before each step that takes long."""

    def __init__(self, today: date, note: Callable[[str], None], *, rebuild: bool = False) -> None:
        self._s3: S3Client = boto3.client("s3")
        self._history = CopyTable(HISTORY)
        # Written in this order: state may have a row that history lacks, but not the reverse.
        self._tables = (CopyTable(STATE), self._history)
        self._columns = self._history.columns()
        self._statements = Statements(self._columns)
        self._until = oldest_recent_day(today)
        self._note = note
        self._rebuild = rebuild
        self._recent = describe_table(RECENT)
        self._generation = generation_of(self._recent)
        self._days = self._list_days()
        self._copied_before = self._copied_days()
        self.outcome = Outcome()

    def days_to_copy(self) -> list[Day]:
        """Return the days that lack an up-to-date copy, but for the recent ones."""
        copied = set() if self._rebuild else self._copied_before
        days = self._days.values()
        return [day for day in days if day.name < self._until and day.name not in copied]

    def run(self) -> Outcome:
        """Copy, prove, move the first recent day, gather, and delete what no table has."""
        history_parts = self._parts(self._history)
        parts = [] if self._rebuild else [part.name for part in history_parts]
        for chunk in chunks(self.days_to_copy()):
            parts += self._copy(chunk, parts)
        # Before the days are listed: see superseded.
        parts_by_table = {table: self._parts(table) for table in self._tables}
        self._days = self._list_days()
        for table, table_parts in parts_by_table.items():
            self._drop_superseded(table, table_parts)
        self._require_days()
        self._move_first_recent_day()
        for table in self._tables:
            self._gather(table)
            self._delete_unused_objects(table)
        self.outcome.recent_from = first_recent_day()
        return self.outcome

    def _list_days(self) -> dict[str, Day]:
        return list_days(self._s3, self._columns)

    def _copied_days(self) -> set[str]:
        return copied_days(map(self._parts, self._tables), self._days)

    def _parts(self, table: CopyTable) -> list[Part]:
        """Return the parts that queries read; those that operations.erase drops have no marks."""
        return table.parts(self._generation)

    def _copy(self, days: Sequence[Day], parts: Iterable[str]) -> list[str]:
        """Write a part of each table with these days, prove both, and return their name.

        Return none if these days of the lake changed meanwhile, or operations.erase has dropped the
        part: the next run copies them.
        """
        names = [day.name for day in days]
        size = sum(day.size for day in days)
        self._note(f"copying {count(len(days), 'day')} from {names[0]}, {size:,} bytes")
        part = new_part_name()
        rows = self._statements.lake_rows(names)
        for table in self._tables:
            self._write(table, rows, part)
        self._note(f"comparing {count(len(days), 'day')} from {names[0]} with the copy")
        try:
            for table in self._tables:
                proven_parts = [*parts, part] if table is self._history else [part]
                copy = self._statements.copy_rows(table.name, proven_parts, names)
                self._prove(table, rows, copy)
            for table in self._tables:
                marks = {day.name: day.digest for day in days}
                table.mark(part, marks, self._generation)
        except (CopyDiffers, PartDropped):
            is_dropped = not all(table.has_parts([part]) for table in self._tables)
            for table in reversed(self._tables):
                table.drop(part)
            if is_dropped or self._have_changed(days):
                self.outcome.changed_days += names
                return []
            raise
        self.outcome.copied_days += names
        return [part]

    def _have_changed(self, days: Iterable[Day]) -> bool:
        listed = self._list_days()
        return any(listed.get(day.name) != day for day in days)

    def _write(self, table: CopyTable, rows: str, part: str) -> None:
        """Write rows as a part, which queries read from then on."""
        statement = self._statements.unload(table.name, rows, table.location(part))
        self.outcome.bytes_scanned += run_statement(statement)
        table.publish(part)

    def _prove(self, table: CopyTable, expected: str, actual: str) -> None:
        """Raise CopyDiffers if a row is in only one of the two."""
        result = run_query(self._statements.differences(table.name, expected, actual))
        self.outcome.bytes_scanned += result.bytes_scanned
        differences = list(result.rows)
        if differences:
            days = ", ".join(f"{day} ({rows})" for day, rows in differences[:5])
            raise CopyDiffers(
                f"the copy differs from table {CHANGES} in rows of "
                f"{count(len(differences), 'day')}: {days}; objects that were copied may have been "
                f"deleted or overwritten: run {REBUILD}"
            )

    def _drop_superseded(self, table: CopyTable, parts: Sequence[Part]) -> None:
        """Drop the parts that newer ones make superfluous, and those that died before a proof."""
        dead_before = datetime.now(UTC) - KEPT_FOR
        dead = [part for part in parts if not part.marks and part.begun_at < dead_before]
        self._drop(table, [*superseded(parts, self._days), *dead])

    def _require_days(self) -> None:
        """Raise CopyDiffers if the copy has a day that the lake does not have any more."""
        marked = {day for part in self._parts(self._history) for day in part.marks}
        missing = sorted(marked - self._days.keys())
        if missing:
            raise CopyDiffers(
                f"the copy has {count(len(missing), 'day')} that the lake does not have any more, "
                f"such as {missing[0]}: run {REBUILD}"
            )

    def _drop(self, table: CopyTable, parts: Iterable[Part]) -> None:
        for part in parts:
            table.drop(part.name)
            self.outcome.dropped_parts += 1

    def _move_first_recent_day(self) -> None:
        """Let `recent` begin at the first day that was not copied before this run, or not now.

        If operations.erase drops the copy meanwhile, or another run has moved `recent`, it has
        changed since this run began: then the next run moves it.
        """
        copied = self._copied_before & self._copied_days()
        first_day = min([self._until, *(day for day in self._days if day not in copied)])
        if first_day > first_day_of(self._recent):
            with suppress(RecentChanged):
                move_first_recent_day(first_day, self._recent)

    def _gather(self, table: CopyTable) -> None:
        """Write the small parts of a table as one, if they are too many."""
        max_parts, max_bytes = GATHERED[table.name]
        objects = self._objects_by_part(table)
        sizes = {part: sum(entry["Size"] for entry in objects[part]) for part in objects}
        marked = [part for part in self._parts(table) if part.marks]
        parts = smallest_within(marked, sizes, max_bytes)
        if len(parts) <= max_parts:
            return
        self._note(f"gathering {count(len(parts), 'part')} of {table.name}")
        names = [part.name for part in parts]
        rows = self._statements.copy_rows(table.name, names)
        gathered = new_part_name()
        self._write(table, rows, gathered)
        try:
            self._prove(table, rows, self._statements.copy_rows(table.name, [gathered]))
        except CopyDiffers:
            if table.has_parts([*names, gathered]):
                raise
            return
        # If another run has dropped one of them meanwhile, the new one may lack its rows.
        if table.has_parts(names):
            with suppress(PartDropped):
                table.mark(gathered, self._merged_marks(parts), self._generation)
                self._drop(table, parts)

    def _merged_marks(self, parts: Iterable[Part]) -> dict[str, str]:
        """Return the marks of all parts: of a day, the one that is still right if there is one."""
        marks = {day: mark for part in parts for day, mark in part.marks.items()}
        return marks | {day: self._days[day].digest for day in marked_days(parts, self._days)}

    def _objects_by_part(self, table: CopyTable) -> dict[str, list[ObjectTypeDef]]:
        objects = defaultdict(list)
        for entry in list_objects(self._s3, bucket(), table.prefix):
            part, _, _ = entry["Key"].removeprefix(table.prefix).partition("/")
            objects[part].append(entry)
        return objects

    def _delete_unused_objects(self, table: CopyTable) -> None:
        """Delete the objects of parts that no query has begun to read for a day."""
        objects = self._objects_by_part(table)
        living = {part.name for part in table.parts()}
        before = datetime.now(UTC) - KEPT_FOR
        for part in objects.keys() - living:
            if max(entry["LastModified"] for entry in objects[part]) < before:
                for entry in objects[part]:
                    self._s3.delete_object(Bucket=bucket(), Key=entry["Key"])
                    self.outcome.deleted_objects += 1
