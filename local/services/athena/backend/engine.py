"""Engine: DuckDB, which sees only the tables of the catalog and reads only cached files."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from local.services.athena.backend.error_mapping import mapped_errors
from local.services.athena.backend.planner import Planner
from local.services.athena.backend.quoting import qualified_name, quote_identifier, quote_literal
from local.services.athena.backend.scans import (
    MAX_ROW_BYTES,
    MEASURED_READER,
    UNMEASURED_READER,
    Scan,
    explain,
)
from local.services.athena.backend.value_formatting import format_value_sql
from local.services.athena.frontend.query import Query
from local.services.athena.storage.glue_catalog import Catalog, Name
from local.services.athena.storage.object_cache import ObjectCache, lowercase_keys

_MACROS = Path(__file__).with_name("macros.sql")


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a result: its name and its DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A query ready to run.

    `scanned_bytes` is the size of the objects that it reads, `origins` the S3 object of each file.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    scanned_bytes: int
    origins: dict[str, str]


class Engine:
    """One DuckDB for all queries, which run one at a time."""

    def __init__(self, catalog: Catalog, objects: ObjectCache, folder: Path) -> None:
        self._catalog = catalog
        self._objects = objects
        self._duckdb = _connect(folder)
        self._lowercased_files: set[Path] = set()

    def interrupt(self) -> None:
        """Stop the running query."""
        self._duckdb.interrupt()

    def close(self) -> None:
        """Close the database."""
        self._duckdb.close()

    def plan(
        self, query: Query, database: str, now: datetime, view_name: Name | None = None
    ) -> Plan:
        """Plan a query, or raise QueryFailed with Trino's error.

        `view_name` is the view that the query defines, if any.
        """
        planner = Planner(self._catalog, self._objects, self._duckdb, now, view_name)
        with mapped_errors():
            self._drop_schemas()
            translation = planner.translate(query, database)
            rows = self._duckdb.execute(f"DESCRIBE {translation.sql}").fetchall()
        duckdb_types = [row[1] for row in rows]
        columns = tuple(map(OutputColumn, translation.names, duckdb_types))
        origins = {file: key for scan in planner.scans for file, key in scan.origins().items()}
        with mapped_errors(origins):
            self._lowercase_keys(planner.scans)
            # The definition of a view reads no data.
            scanned_bytes = 0 if view_name else self._scanned_bytes(translation.sql, planner.scans)
        return Plan(translation.sql, columns, scanned_bytes, origins)

    def write(self, plan: Plan, file: Path) -> None:
        """Run a plan and write Athena's CSV: a header, every value quoted, NULL empty."""
        names = [f"c{number}" for number in range(len(plan.columns))]
        texts = [
            format_value_sql(column.type, name)
            for name, column in zip(names, plan.columns, strict=True)
        ]
        rows = f"SELECT {', '.join(texts)} FROM ({plan.sql}) AS q({', '.join(names)})"
        rows_file = file.with_suffix(".part")
        with mapped_errors(plan.origins):
            self._duckdb.execute(
                f"COPY ({rows}) TO {quote_literal(str(rows_file))} "
                "(FORMAT csv, HEADER false, FORCE_QUOTE *, NULLSTR '')"
            )
        with file.open("wb") as out, rows_file.open("rb") as source:
            out.write(header(column.name for column in plan.columns).encode())
            shutil.copyfileobj(source, out, 1 << 20)
        rows_file.unlink()

    def _drop_schemas(self) -> None:
        """Drop the views of the previous query."""
        schemas = self._duckdb.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE starts_with(schema_name, 'glue ')"
        ).fetchall()
        for (name,) in schemas:
            self._duckdb.execute(f"DROP SCHEMA {quote_identifier(name)} CASCADE")

    def _lowercase_keys(self, scans: Iterable[Scan]) -> None:
        """Write the keys of new files in lower case: Hive's reader ignores their case."""
        files = {file for scan in scans for file in scan.files}
        for file in sorted(files - self._lowercased_files):
            if self._has_uppercase_keys(file):
                lowercase_keys(file)
        self._lowercased_files = files

    def _has_uppercase_keys(self, file: Path) -> bool:
        path = quote_literal(str(file))
        rows = f"read_ndjson_objects({path}, maximum_object_size = {MAX_ROW_BYTES})"
        keys = f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {rows}"
        try:
            result = self._duckdb.execute(f"SELECT bool_or(key <> lower(key)) FROM ({keys})")
            return bool(result.fetchall()[0][0])
        except duckdb.InvalidInputException:  # The query that reads this file will report it.
            return False

    def _scanned_bytes(self, sql: str, scans: list[Scan]) -> int:
        if len(scans) <= 1:
            return sum(scan.scanned_bytes(explain(self._duckdb, sql)) for scan in scans)
        return sum(self._scanned_bytes_of(sql, scan, scans) for scan in scans)

    def _scanned_bytes_of(self, sql: str, scan: Scan, scans: list[Scan]) -> int:
        """Return the bytes read of one of several tables: the others get the unmeasured reader."""
        for other in scans:
            reader = MEASURED_READER if other is scan else UNMEASURED_READER
            self._create_view(other, reader)
        return scan.scanned_bytes(explain(self._duckdb, sql))

    def _create_view(self, scan: Scan, reader: str) -> None:
        view = qualified_name(scan.table.database, scan.table.name)
        self._duckdb.execute(f"CREATE OR REPLACE VIEW {view} AS {scan.relation_sql(reader)}")


def header(names: Iterable[str]) -> str:
    """Return the header line of a result."""
    return ",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n"


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Return a database with fixed settings that cannot open files outside `folder`."""
    connection = duckdb.connect()
    settings = {
        "memory_limit": "'1GB'",
        "temp_directory": quote_literal(str(folder / "spilled")),
        "allowed_directories": f"[{quote_literal(str(folder) + '/')}]",
        "TimeZone": "'UTC'",
        "default_null_order": "'NULLS LAST'",
        "ieee_floating_point_ops": "true",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "enable_external_access": "false",
    }
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")
    connection.execute(_MACROS.read_text(encoding="utf-8"))
    connection.execute("SET lock_configuration = true")
    return connection
