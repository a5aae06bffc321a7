"""Engine: DuckDB, which sees only the tables of the catalog and reads only cached files."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.services.athena.backend import parquet
from local.services.athena.backend.duckdb_process import DuckDbProcess
from local.services.athena.backend.error_mapping import mapped_errors
from local.services.athena.backend.planner import Planner
from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.backend.scans import duckdb_type
from local.services.athena.backend.value_formatting import format_value_sql
from local.services.athena.frontend.query import Query
from local.services.athena.frontend.types import from_hive
from local.services.athena.storage.glue_catalog import Catalog, Column, Name
from local.services.athena.storage.object_cache import PARQUET_SUFFIX, LakeObject, ObjectCache


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a result: its name and its DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A query ready to run; `objects` has the S3 object of each file that it may read."""

    sql: str
    columns: tuple[OutputColumn, ...]
    objects: dict[str, LakeObject]


@dataclass(frozen=True, slots=True)
class ParquetCopy:
    """A file of Parquet to write, or a folder of them with one for each value of `keys`.

    Columns beyond those of the query are NULL.
    """

    path: Path
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    compression: str


class Engine:
    """A catalog and a DuckDB that runs its queries, one at a time."""

    def __init__(self, catalog: Catalog, objects: ObjectCache, process: DuckDbProcess) -> None:
        self._catalog = catalog
        self._objects = objects
        self._duckdb = process

    def plan(
        self, query: Query, database: str, now: datetime, view_name: Name | None = None
    ) -> Plan:
        """Plan a query, or raise QueryFailed with Trino's error.

        `view_name` is the view that the query defines, if any.
        """
        planner = Planner(self._catalog, self._objects, self._duckdb, now, view_name)
        with mapped_errors():
            translation = planner.translate(query, database)
            duckdb_types = [kind for _, kind in planner.describe(translation)]
        columns = tuple(map(OutputColumn, translation.names, duckdb_types))
        objects: dict[str, LakeObject] = {}
        for scan in planner.scans:
            objects |= scan.objects_by_file()
        return Plan(planner.complete_sql(translation), columns, objects)

    def write(self, plan: Plan, file: Path) -> int:
        """Run a plan, and return the size in S3 of the objects that it read.

        It writes Athena's CSV: a header, every value quoted, NULL empty.
        """
        names = [f"c{number}" for number in range(len(plan.columns))]
        texts = [
            format_value_sql(column.type, name)
            for name, column in zip(names, plan.columns, strict=True)
        ]
        rows = f"SELECT {', '.join(texts)} FROM ({plan.sql}) AS q({', '.join(names)})"
        rows_file = file.with_suffix(".part")
        with mapped_errors(plan.objects):
            self._duckdb.execute("CALL truncate_duckdb_logs()")
            self._duckdb.execute(
                f"COPY ({rows}) TO {quote_literal(str(rows_file))} "
                "(FORMAT csv, HEADER false, FORCE_QUOTE *, NULLSTR '')"
            )
        with file.open("wb") as out, rows_file.open("rb") as source:
            out.write(csv_line(column.name for column in plan.columns).encode())
            shutil.copyfileobj(source, out, 1 << 20)
        rows_file.unlink()
        return self._scanned_bytes(plan)

    def explain(self, plan: Plan) -> list[str]:
        """Return the lines of DuckDB's plan."""
        with mapped_errors(plan.objects):
            rows = self._duckdb.execute(f"EXPLAIN {plan.sql}")
        return [line for _, text in rows for line in text.splitlines()]

    def write_parquet(self, plan: Plan, copy: ParquetCopy) -> tuple[int, int]:
        """Run a plan into Parquet files; return its number of rows and the bytes it scanned."""
        names = [f"c{number}" for number in range(len(plan.columns))]
        values = [*names, *["NULL"] * (len(copy.columns) - len(names))]
        casts = [_cast_sql(*pair) for pair in zip(values, copy.columns, strict=True)]
        keys = ", ".join(map(quote_identifier, copy.keys))
        partitioning = f", PARTITION_BY ({keys})" if keys else ""
        with mapped_errors(plan.objects):
            self._duckdb.execute("CALL truncate_duckdb_logs()")
            ((count, *_),) = self._duckdb.execute(
                f"COPY (SELECT {', '.join(casts)} FROM ({plan.sql}) AS q({', '.join(names)})) "
                f"TO {quote_literal(str(copy.path))} "
                f"(FORMAT parquet, COMPRESSION {quote_literal(copy.compression)}{partitioning})"
            )
        return count, self._scanned_bytes(plan)

    def _scanned_bytes(self, plan: Plan) -> int:
        """Return the bytes that the last query scanned, of an object once for each scan.

        Trino reads a text file whole, and of a Parquet file the columns that it needs.
        """
        if not plan.objects:
            return 0
        accesses = self._duckdb.execute(
            "SELECT path, count(*) FILTER (op = 'OPEN'), "
            "list([pos, bytes]) FILTER (op = 'READ' AND suffix(path, ?)) "
            "FROM duckdb_logs_parsed('FileSystem') WHERE op IN ('OPEN', 'READ') GROUP BY path",
            [PARQUET_SUFFIX],
        )
        return sum(
            _scanned_bytes(plan.objects[path], path, times, reads or [])
            for path, times, reads in accesses
            if path in plan.objects
        )


def _scanned_bytes(lake_object: LakeObject, path: str, times: int, reads: list[list[int]]) -> int:
    if path.endswith(PARQUET_SUFFIX):
        return parquet.scanned_bytes(lake_object.size, [(start, size) for start, size in reads])
    return times * lake_object.size


def _cast_sql(value: str, column: Column) -> str:
    target = duckdb_type(from_hive(column.type))
    return f"CAST({value} AS {target}) AS {quote_identifier(column.name)}"


def csv_line(texts: Iterable[str]) -> str:
    """Return a line of a result, such as its header."""
    return ",".join('"' + text.replace('"', '""') + '"' for text in texts) + "\n"
