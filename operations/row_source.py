"""Row source: where queries read the lake's rows, in the copy as far as that is up to date.

A copied day is up to date if the lake lists the same objects of it as when its copy was proven. If
a day of a part is not, the part is not read at all: it may have a row that the lake has lost, and
lack the one that this row outranked. The first day that no other part has, and all days after it,
are read as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import boto3

from analytics.athena import literal
from analytics.rank import IMAGES_CONTENT_LENGTH, IMAGES_CONTENT_SQL
from operations.columns import DeclaredColumns
from operations.compact.days import Day, list_days
from operations.compact.parts import CopyTable, Part, marked_days
from setup.lib.errors import UserError
from setup.lib.views import get_table
from setup.names import CHANGES, HISTORY, STATE

JSON_SQL = f"SELECT {{columns}}, {IMAGES_CONTENT_SQL} AS cdc_content FROM {CHANGES}"
# The stored content goes on with the attributes of orders.
COPY_SQL = f"""{{json}}
    WHERE dt >= {{day}}
    UNION ALL
    SELECT {{columns}}, substr(cdc_content, 1, {IMAGES_CONTENT_LENGTH}) FROM {{table}}
    WHERE dt < {{day}} AND {{is_up_to_date}}"""
# Athena accepts 256 KiB of SQL, in which the names of columns stand up to six times.
MAX_NAMES_LENGTH = 25_000


class CopyDropped(UserError):
    """The copy was dropped while a query may have read it."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """The JSON of the days from `json_from` on, and a table of the copy for those before.

    Without `json_from`, it is the JSON of all days.
    """

    table: str = HISTORY
    json_from: str | None = None
    outdated_parts: tuple[str, ...] = ()

    @classmethod
    def fetch(cls, table: str) -> RowSource:
        """Return the source that reads as much of a table of the copy as is up to date."""
        if get_table(table) is None:
            return JSON
        glue = boto3.client("glue")
        history = CopyTable(glue, HISTORY)
        # Before the days: marks that equal a later listing are not out of date.
        history_parts = history.parts()
        state_parts = CopyTable(glue, STATE).parts()
        if not (history_parts and state_parts):
            return JSON
        days = list_days(boto3.client("s3"), history.columns())
        copied = marked_days(history_parts, days) & marked_days(state_parts, days)
        parts = history_parts if table == HISTORY else state_parts
        return _up_to_date_source(table, parts, days, copied)

    def refreshed(self) -> RowSource:
        """Return the source as of now: more days of the copy may be out of date."""
        return RowSource.fetch(self.table) if self.json_from else self

    def rows_sql(self, columns: Iterable[str]) -> str:
        """Return the query for these columns of all rows, and their `cdc_content`.

        It is what `transform.state.content` computes. Very many columns are read from the JSON.
        """
        names = tuple(columns)
        if sum(map(len, names)) > MAX_NAMES_LENGTH:
            return JSON_SQL.format(columns="*")
        identifiers = ", ".join(DeclaredColumns(names).identifiers)
        json_rows = JSON_SQL.format(columns=identifiers)
        if self.json_from is None:
            return json_rows
        parts = ", ".join(map(literal, self.outdated_parts))
        return COPY_SQL.format(
            json=json_rows,
            columns=identifiers,
            table=self.table,
            day=literal(self.json_from),
            is_up_to_date=f"cdc_part NOT IN ({parts})" if parts else "true",
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
        if self.json_from and not CopyTable(boto3.client("glue"), self.table).parts():
            raise CopyDropped("the copy was dropped while it was read: run this again")


JSON = RowSource()


def _up_to_date_source(
    table: str, parts: Sequence[Part], days: Mapping[str, Day], copied: Collection[str]
) -> RowSource:
    """Return the source that reads the parts of which all days are copied as the lake has them."""
    outdated = [part for part in parts if not part.marks.keys() <= set(copied)]
    others = [part for part in parts if part not in outdated]
    readable_days = marked_days(others, days)
    if not readable_days:
        return JSON
    day_after = date.fromisoformat(max(readable_days)) + timedelta(days=1)
    json_from = min([str(day_after), *(days.keys() - readable_days)])
    return RowSource(table, json_from, tuple(part.name for part in outdated))
