"""Row source: where queries read the lake's rows, in the copy as far as that is up to date.

A copied day is up to date if the lake lists the same objects of it as when its copy was proven. A
part counts if all its days are: otherwise it may have a row that the lake has lost, and lack the
one that this row outranked. The first day that no such part has, and all after it, are read as
JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import boto3

from analytics.athena import literal
from analytics.rank import ATTRIBUTES, CONTENT_SQL, IMAGES_CONTENT_SQL
from operations.columns import DeclaredColumns
from operations.lake_copy.days import Day, list_days
from operations.lake_copy.parts import CopyTable, Part, current_generation, marked_days
from setup.lib.errors import UserError
from setup.lib.views import get_table
from setup.names import CHANGES, HISTORY

JSON_SQL = f"SELECT {{columns}}, {{content}} AS cdc_content FROM {CHANGES}"
COPY_SQL = """{json}
    WHERE dt >= {day}
    UNION ALL
    SELECT {columns}, cdc_content FROM {table}
    WHERE dt < {day}"""
# Athena accepts 256 KiB of SQL, in which the names of columns stand up to six times. Of a table
# with longer names, only the JSON is read.
MAX_NAMES_LENGTH = 25_000


class CopyDropped(UserError):
    """The copy was dropped while a query may have read it."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """The JSON of the days from `json_from` on, and a table of the copy for those before.

    Without `json_from`, it is the JSON of all days. `content` is the SQL of its `cdc_content`.
    """

    table: str = HISTORY
    json_from: str | None = None
    content: str = IMAGES_CONTENT_SQL

    @classmethod
    def fetch_json(cls) -> RowSource:
        """Return the JSON of all days, with the content by which the copy orders copies too."""
        has_attributes = set(ATTRIBUTES) <= set(_columns_of(CHANGES))
        return cls(content=CONTENT_SQL if has_attributes else IMAGES_CONTENT_SQL)

    @classmethod
    def fetch(cls, table: str) -> RowSource:
        """Return the source that reads as much of a table of the copy as is up to date."""
        json = cls.fetch_json()
        columns = _columns_of(table)
        # A crawl adds columns to the JSON; the copy has them once setup and compact have run.
        if not columns or not set(_columns_of(CHANGES)) <= set(columns):
            return json
        # Before the days: marks that equal a later listing are not out of date.
        parts = CopyTable(table).parts(current_generation())
        if not parts or _are_too_long(columns):
            return json
        days = list_days(boto3.client("s3"), columns)
        return replace(json, table=table, json_from=first_json_day(parts, days))

    def refreshed(self) -> RowSource:
        """Return the source as of now: more days of the copy may be out of date."""
        return RowSource.fetch(self.table) if self.json_from else self

    def rows_sql(self, columns: Iterable[str]) -> str:
        """Return the query for these columns of all rows and `cdc_content`, the order of copies."""
        names = tuple(columns)
        if _are_too_long(names):
            return JSON_SQL.format(columns="*", content=self.content)
        identifiers = ", ".join(DeclaredColumns(names).identifiers)
        json_rows = JSON_SQL.format(columns=identifiers, content=self.content)
        if self.json_from is None:
            return json_rows
        return COPY_SQL.format(
            json=json_rows,
            columns=identifiers,
            table=self.table,
            day=literal(self.json_from),
        )

    def lines(self) -> Iterator[str]:
        """Yield what is read of the copy, if anything is."""
        if self.json_from:
            yield f"read the copy of the days before {self.json_from}, and the JSON of the others"

    def document(self) -> dict[str, object]:
        """Return the first day that is not read from the copy; none if all days are JSON."""
        return {"copied_until": self.json_from}

    def require_copy(self) -> None:
        """Raise CopyDropped if the copy is not there any more, as after an erase."""
        if self.json_from and not CopyTable(self.table).parts():
            raise CopyDropped("the copy was dropped while it was read: run this again")


JSON = RowSource()


def _columns_of(table: str) -> list[str]:
    """Return the columns of a table; none if it does not exist."""
    description = get_table(table)
    columns = description["StorageDescriptor"]["Columns"] if description else []
    return [column["Name"] for column in columns]


def _are_too_long(names: Iterable[str]) -> bool:
    return sum(map(len, names)) > MAX_NAMES_LENGTH


def first_json_day(parts: Sequence[Part], days: Mapping[str, Day]) -> str | None:
    """Return the first day that no part has whose days are all copied; None if it is the first."""
    copied = marked_days(parts, days)
    readable = marked_days((part for part in parts if part.marks.keys() <= copied), days)
    if not readable:
        return None
    lost = {day for part in parts for day in part.marks} - days.keys()
    day_after = date.fromisoformat(max(readable)) + timedelta(days=1)
    first_day = min({str(day_after)} | (days.keys() - readable) | lost)
    return first_day if first_day > min(readable) else None
