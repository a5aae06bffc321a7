"""A compaction: copies the days that lack an up-to-date copy, proves it, and gathers small parts.

Whatever happens, queries are right at each moment. A part becomes visible once it is written whole,
and its days count as copied once it is proven. What two parts both have counts once. `recent` stops
reading a day only if a run that has ended before this one began has marked it: so a query that has
looked up the parts before, and `recent` after, misses nothing. Nothing needs a lock: two runs at
once copy a day twice, and the next run gathers the two parts.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from analytics.athena import run_query, run_statement
from operations.lake_copy.days import Day, chunks, list_days, oldest_recent_day
from operations.lake_copy.parts import (
    PART_TIME,
    CopyTable,
    Part,
    PartDropped,
    first_recent_day,
    marked_days,
    move_first_recent_day,
    superseded,
)
from operations.lake_copy.statements import Statements
from setup.lib.errors import UserError
from setup.names import CHANGES, FIRST_DAY, HISTORY, STATE, bucket
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

# How many parts below a size may lie side by side; state is read whole by most questions.
GATHERED = {HISTORY: (4, 64 << 20), STATE: (1, 256 << 20)}
KEPT_FOR = timedelta(days=1)  # Of objects that no table has any more: queries may still read them.
REBUILD = "python -m operations.compact --rebuild"


class CopyDiffers(UserError):
    """The copy has not exactly the rows of the lake."""


@dataclass
class Outcome:
    """What a compaction has done."""

    copied_days: list[str] = field(default_factory=list)
    changed_days: list[str] = field(default_factory=list)
    bytes_scanned: int = 0
    written_parts: int = 0
    dropped_parts: int = 0
    deleted_objects: int = 0
    recent_from: str = ""


class Compaction:
    """One run on a day; `note` is called with a line before each step that takes long."""

    def __init__(self, today: date, note: Callable[[str], None], *, rebuild: bool = False) -> None:
        glue = boto3.client("glue")
        self._s3: S3Client = boto3.client("s3")
        self._history = CopyTable(glue, HISTORY)
        self._state = CopyTable(glue, STATE)
        self._columns = self._history.columns()
        self._statements = Statements(self._columns)
        self._until = oldest_recent_day(today)
        self._note = note
        self._rebuild = rebuild
        self._days = self._list_days()
        self._copied_before = self._copied_days(self._days)
        self.outcome = Outcome()

    def days_to_copy(self) -> list[Day]:
        """Return the days that lack an up-to-date copy, but for the recent ones."""
        copied = set() if self._rebuild else self._copied_before
        days = self._days.values()
        return [day for day in days if day.name < self._until and day.name not in copied]

    def run(self) -> Outcome:
        """Copy, prove, move the first recent day, gather, and delete what no table has."""
        parts = [] if self._rebuild else [part.name for part in self._history.parts()]
        for chunk in chunks(self.days_to_copy()):
            parts += self._copy(chunk, parts)
        tables = (self._history, self._state)
        parts_by_table = [table.parts() for table in tables]  # Before the days: see superseded.
        self._days = self._list_days()
        for table, table_parts in zip(tables, parts_by_table, strict=True):
            self._drop_superseded(table, table_parts)
        self._require_days()
        self._move_first_recent_day()
        for table in tables:
            self._gather(table)
            self._delete_unused_objects(table)
        self.outcome.recent_from = first_recent_day()
        return self.outcome

    def _list_days(self) -> dict[str, Day]:
        return list_days(self._s3, self._columns)

    def _copied_days(self, days: Mapping[str, Day]) -> set[str]:
        history = marked_days(self._history.parts(), days)
        return history & marked_days(self._state.parts(), days)

    def _copy(self, days: Sequence[Day], parts: Iterable[str]) -> list[str]:
        """Write a part of each table with these days, prove both, and return their name.

        Return none if these days of the lake changed meanwhile, or operations.erase has dropped the
        part: the next run copies them.
        """
        names = [day.name for day in days]
        size = sum(day.size for day in days)
        self._note(f"copying {count(len(days), 'day')} from {names[0]}, {size:,} bytes")
        part = f"{datetime.now(UTC):{PART_TIME}}-{secrets.token_hex(4)}"
        rows = self._statements.lake_rows(names)
        # State first: it may have a row that history lacks, but not the reverse.
        for table in (self._state, self._history):
            self._write(table, rows, part)
            table.publish(part)
        self._note(f"comparing {count(len(days), 'day')} from {names[0]} with the copy")
        try:
            for table, proven_parts in ((self._state, [part]), (self._history, [*parts, part])):
                copy = self._statements.copy_rows(table.name, proven_parts, names)
                self._prove(table, rows, copy)
            for table in (self._state, self._history):
                table.mark(part, {day.name: day.digest for day in days})
        except (CopyDiffers, PartDropped):
            tables = (self._history, self._state)
            is_dropped = any(not table.has_parts([part]) for table in tables)
            for table in tables:
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
        location = f"s3://{bucket()}/{table.folder(part)}"
        self._scan(self._statements.unload(table.name, rows, location))
        self.outcome.written_parts += 1

    def _scan(self, statement: str) -> None:
        self.outcome.bytes_scanned += run_statement(statement)

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
        marked = {day for part in self._history.parts() for day in part.marks}
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
        """Let `recent` begin at the first day that was not copied before this run, or not now."""
        first_day = self._first_uncopied_day()
        if first_day > first_recent_day():
            move_first_recent_day(first_day)
            # operations.erase drops the parts, and then moves it back: perhaps before this run did.
            if self._first_uncopied_day() < first_day:
                move_first_recent_day(FIRST_DAY)

    def _first_uncopied_day(self) -> str:
        copied = self._copied_before & self._copied_days(self._days)
        return min([self._until, *(day for day in self._days if day not in copied)])

    def _gather(self, table: CopyTable) -> None:
        """Write the small parts of a table as one, if they are too many."""
        max_parts, max_bytes = GATHERED[table.name]
        sizes = self._part_sizes(table)
        parts = [p for p in table.parts() if p.marks and sizes[p.name] < max_bytes]
        if len(parts) <= max_parts:
            return
        self._note(f"gathering {count(len(parts), 'part')} of {table.name}")
        names = [part.name for part in parts]
        rows = self._statements.copy_rows(table.name, names)
        gathered = f"{datetime.now(UTC):{PART_TIME}}-{secrets.token_hex(4)}"
        self._write(table, rows, gathered)
        table.publish(gathered)
        try:
            self._prove(table, rows, self._statements.copy_rows(table.name, [gathered]))
        except CopyDiffers:
            if table.has_parts([*names, gathered]):
                raise
            return
        # If another run has dropped one of them meanwhile, the new one may lack its rows.
        if table.has_parts(names):
            with suppress(PartDropped):
                table.mark(gathered, self._merged_marks(parts))
                self._drop(table, parts)

    def _merged_marks(self, parts: Iterable[Part]) -> dict[str, str]:
        """Return the marks of all parts: of a day, the one that is still right if there is one."""
        marks: dict[str, str] = {}
        for part in parts:
            for name, mark in part.marks.items():
                day = self._days.get(name)
                if name not in marks or day is None or marks[name] != day.digest:
                    marks[name] = mark
        return marks

    def _part_sizes(self, table: CopyTable) -> Counter[str]:
        sizes: Counter[str] = Counter()
        for entry in self._objects(table):
            sizes[_part_of(entry[0])] += entry[1]
        return sizes

    def _objects(self, table: CopyTable) -> list[tuple[str, int, datetime]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket(), Prefix=table.folder("")[:-1]
        )
        return [
            (entry["Key"], entry["Size"], entry["LastModified"])
            for page in pages
            for entry in page.get("Contents", ())
        ]

    def _delete_unused_objects(self, table: CopyTable) -> None:
        """Delete the objects of parts that no query has begun to read for a day."""
        objects = self._objects(table)
        living = {part.name for part in table.parts()}
        latest: dict[str, datetime] = {}
        for key, _, modified_at in objects:
            part = _part_of(key)
            latest[part] = max(modified_at, latest.get(part, modified_at))
        before = datetime.now(UTC) - KEPT_FOR
        unused = {part for part, time in latest.items() if part not in living and time < before}
        keys = [key for key, *_ in objects if _part_of(key) in unused]
        for key in keys:
            self._s3.delete_object(Bucket=bucket(), Key=key)
        self.outcome.deleted_objects += len(keys)


def _part_of(key: str) -> str:
    return key.split("/")[2]
