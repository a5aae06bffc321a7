"""Proof of the copy: it has the rows of the JSON, and no others, of every day that it copies.

operations.compact proves each part when it writes it, by the same queries. This proves all parts
again, as queries read them now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import boto3

from analytics.athena import run_query
from operations.lake_copy.days import Day, chunks, list_days
from operations.lake_copy.parts import COMPACT, REBUILD, CopyTable, Part, copied_days, marked_days
from operations.lake_copy.statements import Statements
from operations.verify.result import EQUAL, UNEQUAL
from setup.lib.errors import UserError
from setup.names import HISTORY, STATE
from terminal.text import count


class CopyOutdated(UserError):
    """The copy has days that it cannot be compared with; the message says which."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The number of days that were compared, and by table and day the number of wrong rows."""

    day_count: int
    differences: Mapping[str, Mapping[str, int]]

    @property
    def status(self) -> int:
        """1 if any row differs, else 0."""
        return UNEQUAL if any(self.differences.values()) else EQUAL

    def lines(self) -> Iterator[str]:
        """Yield the days that differ as text; the last line is the summary."""
        for table, days in self.differences.items():
            for day, rows in days.items():
                yield f"different  {day}  {count(rows, 'row')} of table {table}"
        if self.status == EQUAL:
            yield f"the copy equals the JSON: {count(self.day_count, 'day')}"
        else:
            yield f"the copy differs from the JSON: run {REBUILD}"

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return {
            "equal": self.status == EQUAL,
            "days": self.day_count,
            "differences": self.differences,
        }


def prove_copy() -> CopyReport:
    """Compare all parts of the copy with the JSON; raise CopyOutdated if a day has changed."""
    tables = {name: CopyTable(name) for name in (HISTORY, STATE)}
    parts = {name: _proven_parts(table) for name, table in tables.items()}
    columns = tables[HISTORY].columns()
    days = list_days(boto3.client("s3"), columns)
    _require_up_to_date(parts, days)
    copied = [days[name] for name in sorted(marked_days(parts[HISTORY], days))]
    report = CopyReport(len(copied), _differences(Statements(columns), parts, copied))
    if report.status == UNEQUAL:  # Unless rows arrived, or the parts were gathered meanwhile.
        _require_up_to_date(parts, list_days(boto3.client("s3"), columns))
        if parts != {name: _proven_parts(table) for name, table in tables.items()}:
            raise CopyOutdated(f"{COMPACT} changed the copy meanwhile: run this again")
    return report


def _proven_parts(table: CopyTable) -> list[Part]:
    return [part for part in table.parts() if part.marks]


def _require_up_to_date(parts: Mapping[str, list[Part]], days: Mapping[str, Day]) -> None:
    """Raise CopyOutdated unless all days of all parts are copied as the lake has them."""
    copied = copied_days(parts.values(), days)
    marked = {day for table in parts for part in parts[table] for day in part.marks}
    if not marked:
        raise CopyOutdated(f"nothing is copied: run {COMPACT}")
    if marked != copied:
        raise CopyOutdated(
            f"{count(len(marked - copied), 'day')} changed since the copy, such as "
            f"{min(marked - copied)}: run {COMPACT}"
        )


def _differences(
    statements: Statements, parts: Mapping[str, list[Part]], days: list[Day]
) -> dict[str, dict[str, int]]:
    """Return the number of rows that differ, by table and day: state is compared with history."""
    history, state = ([part.name for part in parts[table]] for table in (HISTORY, STATE))
    queries = [(STATE, statements.copy_rows(HISTORY, history), statements.copy_rows(STATE, state))]
    for chunk in chunks(days):
        names = [day.name for day in chunk]
        copy_rows = statements.copy_rows(HISTORY, history, names)
        queries.append((HISTORY, statements.lake_rows(names), copy_rows))
    result: dict[str, dict[str, int]] = {HISTORY: {}, STATE: {}}
    for table, expected, actual in queries:
        for day, rows in run_query(statements.differences(table, expected, actual)).rows:
            result[table][str(day)] = int(rows or 0)
    return result
