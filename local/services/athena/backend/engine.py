"""DuckDB as Athena's engine: it sees what the catalog names, and reads nothing but the cache."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from sqlglot import exp

from local.services.athena.backend.error_mapping import failures
from local.services.athena.backend.planner import Planner
from local.services.athena.backend.quoting import qualified_name, quote_identifier, quote_literal
from local.services.athena.backend.scans import (
    COUNTED,
    LARGEST_ROW,
    UNCOUNTED,
    Scan,
    plan_of,
)
from local.services.athena.backend.value_formatting import written
from local.services.athena.storage.glue_catalog import Catalog, Name
from local.services.athena.storage.object_cache import Objects, lower_keys

_MACROS = Path(__file__).with_name("macros.sql")


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a result: its name, and DuckDB's type of it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A query ready to run: DuckDB's SQL, what comes out, and the bytes of S3 that it reads."""

    sql: str
    columns: tuple[OutputColumn, ...]
    scanned: int
    origins: dict[str, str]


class Engine:
    """One DuckDB for all queries, one query at a time."""

    def __init__(self, catalog: Catalog, objects: Objects, folder: Path) -> None:
        self._catalog = catalog
        self._objects = objects
        self._duckdb = _started(folder)
        self._lowered: set[Path] = set()

    def interrupt(self) -> None:
        """Stop the query that runs."""
        self._duckdb.interrupt()

    def close(self) -> None:
        """Let go of the database."""
        self._duckdb.close()

    def plan(
        self, tree: exp.Expression, database: str, now: datetime, making: Name | None = None
    ) -> Plan:
        """Return the plan of a query; raise QueryFailed with Trino's reason where it has none."""
        planner = Planner(self._catalog, self._objects, self._duckdb, now, making)
        with failures():
            self._forget()
            translation = planner.translation(tree, database)
            described = self._duckdb.execute(f"DESCRIBE {translation.sql}").fetchall()
        kinds = [row[1] for row in described]
        columns = tuple(map(OutputColumn, translation.names, kinds))
        origins = {file: key for scan in planner.scans for file, key in scan.origins().items()}
        with failures(origins):
            self._lower(planner.scans)
            scanned = self._scanned(translation.sql, planner.scans)
        return Plan(translation.sql, columns, scanned, origins)

    def write(self, plan: Plan, file: Path) -> None:
        """Write a plan's rows as Athena's CSV: names first, each value quoted, NULL empty."""
        names = [f"c{number}" for number in range(len(plan.columns))]
        texts = [
            written(column.type, name) for name, column in zip(names, plan.columns, strict=True)
        ]
        rows = f"SELECT {', '.join(texts)} FROM ({plan.sql}) AS q({', '.join(names)})"
        part = file.with_suffix(".part")
        with failures(plan.origins):
            self._duckdb.execute(
                f"COPY ({rows}) TO {quote_literal(str(part))} "
                "(FORMAT csv, HEADER false, FORCE_QUOTE *, NULLSTR '')"
            )
        with file.open("wb") as out, part.open("rb") as source:
            out.write(header(column.name for column in plan.columns).encode())
            shutil.copyfileobj(source, out, 1 << 20)
        part.unlink()

    def _forget(self) -> None:
        """Drop what the query before this one made."""
        made = self._duckdb.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE starts_with(schema_name, 'glue ')"
        ).fetchall()
        for (name,) in made:
            self._duckdb.execute(f"DROP SCHEMA {quote_identifier(name)} CASCADE")

    def _lower(self, scans: Iterable[Scan]) -> None:
        """Let Hive's reader find its columns: the keys of new files in lower case."""
        files = {file for scan in scans for file in scan.files}
        for file in sorted(files - self._lowered):
            if self._has_capitals(file):
                lower_keys(file)
        self._lowered = files

    def _has_capitals(self, file: Path) -> bool:
        path = quote_literal(str(file))
        rows = f"read_ndjson_objects({path}, maximum_object_size = {LARGEST_ROW})"
        keys = f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {rows}"
        try:
            found = self._duckdb.execute(f"SELECT bool_or(key <> lower(key)) FROM ({keys})")
            return bool(found.fetchall()[0][0])
        except duckdb.InvalidInputException:  # The query that reads this file will say so.
            return False

    def _scanned(self, sql: str, scans: list[Scan]) -> int:
        if len(scans) <= 1:
            return sum(scan.scanned_bytes(plan_of(self._duckdb, sql)) for scan in scans)
        return sum(self._scanned_alone(sql, scan, scans) for scan in scans)

    def _scanned_alone(self, sql: str, scan: Scan, scans: list[Scan]) -> int:
        """Return what one of several tables costs: the others are read under another name."""
        for other in scans:
            self._show(other, COUNTED if other is scan else UNCOUNTED)
        return scan.scanned_bytes(plan_of(self._duckdb, sql))

    def _show(self, scan: Scan, reader: str) -> None:
        view = qualified_name(scan.table.database, scan.table.name)
        self._duckdb.execute(f"CREATE OR REPLACE VIEW {view} AS {scan.relation(reader)}")


def header(names: Iterable[str]) -> str:
    """Return the first line of a result."""
    return ",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n"


def _started(folder: Path) -> duckdb.DuckDBPyConnection:
    """Return a database that can touch no file outside `folder`, and whose settings are fixed."""
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
