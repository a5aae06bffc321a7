"""Session of a statement: what it reads and writes, and the helpers that statements share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.services.athena.api.prepared_statements import PreparedStatements
from local.services.athena.api.results import Outcome, Row, write_text
from local.services.athena.backend.engine import Engine, OutputColumn
from local.services.athena.errors import QueryCancelled, QueryFailed
from local.services.athena.frontend.types import display_name, from_duckdb, to_hive
from local.services.athena.storage.glue_catalog import Catalog, Column, Name, Table
from local.services.athena.storage.object_cache import ObjectCache

UNSUPPORTED = "Queries of this type are not supported"
"""Athena's answer to a statement that neither of its parsers takes."""
SCAN_LIMIT_EXCEEDED = "Bytes scanned limit was exceeded"
_UNSUPPORTED_TYPES = {
    "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone",
    "TIME": "time(3)",
    "INTERVAL": "interval day to second",
    "UUID": "uuid",
    "JSON": "json",
}
"""A DuckDB type that Hive lacks → Trino's name of it."""


@dataclass(frozen=True, slots=True)
class Session:
    """The context of a statement; `scan_limit` is the workgroup's limit in bytes."""

    engine: Engine
    catalog: Catalog
    objects: ObjectCache
    s3: Any
    prepared_statements: PreparedStatements
    database: str
    now: datetime
    file: Path
    output_location: str
    scan_limit: int | None

    def check_scan(self, scanned_bytes: int) -> None:
        """Cancel a query that has scanned more than the workgroup allows."""
        if self.scan_limit is not None and scanned_bytes > self.scan_limit:
            raise QueryCancelled(SCAN_LIMIT_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its type in Athena, the function that runs it and its result's name in S3.

    `external_location` is where a CREATE TABLE AS says that its rows go.
    """

    kind: str
    substatement: str
    run: Callable[[Session], Outcome]
    result_name: str = "{}.txt"
    external_location: str = ""


def hive_columns(columns: Sequence[OutputColumn]) -> list[Column]:
    """Return the columns of a result as those of a table; a comment is Trino's type."""
    names = [column.name for column in columns]
    for number, column in enumerate(columns):
        if column.name == f"_col{number}":
            raise QueryFailed(
                "MISSING_COLUMN_NAME", f"Column name not specified at position {number + 1}"
            )
        if names.count(column.name) > 1:
            raise QueryFailed(
                "DUPLICATE_COLUMN_NAME", f"Column name '{column.name}' is specified more than once"
            )
        if column.type in _UNSUPPORTED_TYPES:
            raise QueryFailed(
                "NOT_SUPPORTED",
                f"Unsupported Hive type: {_UNSUPPORTED_TYPES[column.type]}: cast the column "
                f"{column.name}",
            )
    return [
        Column(column.name, to_hive(column.type), display_name(from_duckdb(column.type)))
        for column in columns
    ]


def write_rows(session: Session, names: Sequence[str], rows: Sequence[Row]) -> Outcome:
    """Write the result of a statement other than a query."""
    write_text(session.file, rows)
    return Outcome(tuple(OutputColumn(name, "string") for name in names))


def split_name(name: str, database: str) -> Name:
    """Return the database and the name of a table, as DDL spells them."""
    parts = [part.strip('`"').lower() for part in re.findall(r'`[^`]+`|"[^"]+"|[^.`"]+', name)]
    return (parts[-2] if len(parts) > 1 else database), parts[-1]


def require_table(session: Session, name: str) -> Table:
    """Return the table of a name, or fail if it does not exist."""
    database, table_name = split_name(name, session.database)
    table = session.catalog.table(database, table_name)
    if table is None:
        raise QueryFailed("TABLE_NOT_FOUND", f"Table '{database}.{table_name}' does not exist")
    return table
