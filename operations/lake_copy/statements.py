"""Statements of the copy: what Athena copies, gathers and compares; the SQL is in files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from analytics.athena import literal
from analytics.rank import CONTENT_SQL, RANK_SQL
from operations.columns import DeclaredColumns
from setup.names import HISTORY

SQL = {path.stem: path.read_text("utf-8").rstrip() for path in Path(__file__).parent.glob("sql/*")}
ORDERS = {HISTORY: "dt, cdc_key, cdc_source, cdc_sequence"}
DEFAULT_ORDER = "cdc_key"
# Trino reads ranges of a file that are close to each other at once: columns that are asked for
# together lie together.
FIRST_COLUMNS = (
    *("cdc_key", "cdc_source", "cdc_sequence", "cdc_snapshot_at", "cdc_event_id", "cdc_content"),
    *("dt", "cdc_operation", "cdc_changed_at", "cdc_expired", "test_order", "paid_at"),
    *("cancelled_at", "returned_at", "region", "currency", "total"),
)
LAST_COLUMNS = ("items", "cdc_changed", "cdc_old_image", "cdc_new_image")
COMPARED_COLUMNS = "dt, cdc_key, cdc_source, cdc_sequence, cdc_event_id, cdc_content, cdc_digest"


class Statements:
    """The statements for a copy with these columns, which are those of its tables."""

    def __init__(self, columns: Sequence[str]) -> None:
        middle = [name for name in columns if name not in (*FIRST_COLUMNS, *LAST_COLUMNS)]
        self._all = DeclaredColumns((*FIRST_COLUMNS, *middle, *LAST_COLUMNS))
        stored = [name for name in self._all.names if name not in ("dt", "cdc_content")]
        self._stored = DeclaredColumns(tuple(stored))

    def lake_rows(self, days: Iterable[str]) -> str:
        """Return the query for the rows of these days in the lake."""
        return self._rows("lake_rows", days=_literals(days), content=CONTENT_SQL)

    def copy_rows(self, table: str, parts: Iterable[str], days: Iterable[str] = ()) -> str:
        """Return the query for the rows of some parts, or of these days in them."""
        names = _literals(days)
        condition = f"dt IN ({names})" if names else "true"
        return self._rows("copy_rows", table=table, parts=_literals(parts), condition=condition)

    def reduced(self, table: str, rows: str) -> str:
        """Return the query for what a table needs of the rows: `state.once` or `state.keep`."""
        return SQL[table].format(rows=rows, rank=RANK_SQL)

    def unload(self, table: str, rows: str, location: str) -> str:
        """Return the statement that writes what a table needs of the rows."""
        return SQL["unload"].format(
            columns=", ".join(self._all.identifiers),
            rows=self.reduced(table, rows),
            order=ORDERS.get(table, DEFAULT_ORDER),
            location=literal(location),
        )

    def differences(self, table: str, expected: str, actual: str) -> str:
        """Return the query for the days whose rows, reduced for a table, are not the same."""
        return SQL["differences"].format(
            columns=COMPARED_COLUMNS,
            expected=self.reduced(table, expected),
            actual=self.reduced(table, actual),
        )

    def _rows(self, name: str, **values: str) -> str:
        return SQL[name].format(
            columns=", ".join(self._stored.identifiers),
            attribute_count=self._stored.not_null_count_sql(),
            row_digest=self._stored.digest_sql(),
            **values,
        )


def _literals(texts: Iterable[str]) -> str:
    return ", ".join(map(literal, texts))
