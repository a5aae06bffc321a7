"""Planner of queries: puts a subquery in the place of each table and view that a query names.

So DuckDB needs no views: it would plan each when it is created, and again with each view of it.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from local.services.athena.backend import information_schema
from local.services.athena.backend.column_types import Columns, ColumnTypes
from local.services.athena.backend.duckdb_process import DuckDbError, DuckDbProcess
from local.services.athena.backend.parquet import ParquetScan, group_by_schema
from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.backend.scans import MAX_ROW_BYTES, Scan
from local.services.athena.backend.transpiler import ANY_TIME, transpile, uses_current_time
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.analyzer import analyze
from local.services.athena.frontend.query import Query, parse_query
from local.services.athena.frontend.type_checks import position
from local.services.athena.frontend.types import from_duckdb
from local.services.athena.storage.glue_catalog import (
    CATALOG,
    PARQUET_SERDE,
    PATH,
    Catalog,
    Name,
    Table,
)
from local.services.athena.storage.object_cache import ObjectCache
from local.services.athena.storage.partitions import layout_of

_JSON_SERDES = ("org.apache.hive.hcatalog.data.JsonSerDe", "org.openx.data.jsonserde.JsonSerDe")
_PATH_REFERENCE = f'"{PATH}"'

Sources = tuple[tuple[Name, Columns], ...]
"""Each table or view that a query names, with its columns."""


_column_types = ColumnTypes()
_MARK = f"relation {uuid.uuid4()} "  # No text of a query can have it.
_PLACEHOLDER = re.compile(f'"{_MARK}([0-9]+)"')


@dataclass(frozen=True, slots=True)
class Translation:
    """A query in DuckDB's SQL, with placeholders for its sources, and the names of its columns."""

    sql: str
    names: tuple[str, ...]
    sources: Sources


@lru_cache(maxsize=64)
def _uses_current_time(query: Query) -> bool:
    return uses_current_time(query.tree)


@lru_cache(maxsize=64)  # Translating takes most of the time of planning a query.
def _translated(query: Query, database: str, sources: Sources, now: datetime | None) -> Translation:
    return _translate(query.tree.copy(), database, sources, now or ANY_TIME)


def _translate(tree: exp.Expr, database: str, sources: Sources, now: datetime) -> Translation:
    if not isinstance(tree, exp.Query):
        raise not_modelled(type(tree).__name__.upper())
    schema = {
        name: {column: from_duckdb(kind) for column, kind in columns} for name, columns in sources
    }
    query = analyze(tree, schema, database)
    names = tuple(column.alias_or_name for column in query.selects)
    _set_placeholders(query, [name for name, _ in sources])
    return Translation(transpile(query, now), names, sources)


class Planner:
    """Planner of one query; `view_name` is a view that it defines and so must not read."""

    def __init__(
        self,
        catalog: Catalog,
        objects: ObjectCache,
        process: DuckDbProcess,
        now: datetime,
        view_name: Name | None = None,
    ) -> None:
        self._catalog = catalog
        self._objects = objects
        self._duckdb = process
        self._now = now
        self._columns: dict[tuple[Name, bool], Columns] = {}
        self._relations: dict[Name, str] = {}
        self._has_paths = False
        self._open_views = [view_name] if view_name else []
        self.scans: list[Scan] = []

    def translate(self, query: Query, database: str) -> Translation:
        """Translate a query; unqualified table names belong to `database`."""
        self._has_paths = self._has_paths or _PATH_REFERENCE in query.text.lower()
        sources = self._sources(query.tree, database)
        now = self._now if _uses_current_time(query) else None
        return _translated(query, database, sources, now)

    def complete_sql(self, translation: Translation) -> str:
        """Return the SQL of the translated query with all that it reads."""
        relations = [self._relations[name] for name, _ in translation.sources]
        return _fill_placeholders(translation.sql, relations)

    def describe(self, translation: Translation) -> Columns:
        """Return the columns of a translated query: they follow from those of its sources."""
        relations = [_empty_relation_sql(columns) for _, columns in translation.sources]
        return self._describe(_fill_placeholders(translation.sql, relations))

    def _describe(self, sql: str) -> Columns:
        return _column_types.describe(self._duckdb, sql)

    def _sources(self, tree: exp.Expr, database: str) -> Sources:
        tables = [(_name(table, database), table) for table in _base_tables(tree)]
        return tuple((name, self._columns_of(name, table)) for name, table in tables)

    def _columns_of(self, name: Name, node: exp.Table) -> Columns:
        key = (name, self._has_paths)
        if key not in self._columns:
            if name in self._open_views:
                raise QueryFailed("VIEW_IS_RECURSIVE", f"{position(node)}: View is recursive")
            self._open_views.append(name)
            self._columns[key] = self._add_relation(name, node)
            self._open_views.pop()
        return self._columns[key]

    def _add_relation(self, name: Name, node: exp.Table) -> Columns:
        if name[0] == "information_schema":
            sql = information_schema.relation_sql(self._catalog, name[1])
            columns = self._describe(sql)
        else:
            table = self._catalog.table(*name)
            if table is None:
                raise self._not_found(name, node)
            sql, columns = self._view(table) if table.is_view else self._scan(table)
        self._relations[name] = sql
        return columns

    def _not_found(self, name: Name, node: exp.Table) -> QueryFailed:
        line = position(node)
        if not self._catalog.has_database(name[0]):
            return QueryFailed("SCHEMA_NOT_FOUND", f"{line}: Schema '{name[0]}' does not exist")
        full_name = f"{CATALOG.lower()}.{name[0]}.{name[1]}"
        return QueryFailed("TABLE_NOT_FOUND", f"{line}: Table '{full_name}' does not exist")

    def _view(self, table: Table) -> tuple[str, Columns]:
        view = table.definition
        translation = self.translate(parse_query(view.sql), view.database)
        stored_names = tuple(column.name for column in table.columns)
        if stored_names and stored_names != translation.names:
            raise QueryFailed(
                "VIEW_IS_STALE",
                f"View '{CATALOG.lower()}.{table.database}.{table.name}' is stale or in invalid "
                f"state: expected columns {', '.join(stored_names)}, "
                f"found {', '.join(translation.names)}",
            )
        return self.complete_sql(translation), self.describe(translation)

    def _scan(self, table: Table) -> tuple[str, Columns]:
        is_parquet = table.serde == PARQUET_SERDE
        if not is_parquet and table.serde not in _JSON_SERDES:
            serde = f"the SerDe {table.serde}" if table.serde else "a table without a SerDe"
            raise not_modelled(serde)
        objects = tuple(self._objects.list_objects(layout_of(table, self._catalog, self._now)))
        key_names = [key.name for key in table.keys]
        has_uppercase_keys = None if is_parquet else self._has_uppercase_keys
        files = tuple(self._objects.fetch(key_names, list(objects), has_uppercase_keys))
        scan = Scan(table, objects, files, self._has_paths)
        if is_parquet:
            groups = group_by_schema(self._duckdb, scan)
            scan = ParquetScan(table, objects, files, self._has_paths, groups)
        self.scans.append(scan)
        return scan.relation_sql(), self._describe(scan.empty_sql())

    def _has_uppercase_keys(self, file: Path) -> bool:
        """Return whether a row of a file has a key in upper case: Hive's reader ignores case."""
        path = quote_literal(str(file))
        rows = f"read_ndjson_objects({path}, maximum_object_size = {MAX_ROW_BYTES})"
        keys = f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {rows}"
        try:
            (row,) = self._duckdb.execute(f"SELECT bool_or(key <> lower(key)) FROM ({keys})")
            return bool(row[0])
        except DuckDbError:  # The query that reads this file will report it.
            return False


def _base_tables(tree: exp.Expr) -> list[exp.Table]:
    """Return the tables of a query that are not names of its WITH queries."""
    tables = [
        source
        for scope in traverse_scope(tree)
        for source in scope.sources.values()
        if isinstance(source, exp.Table)
    ]
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise QueryFailed(
                "FUNCTION_NOT_FOUND", f"{position(table)}: Table function not registered"
            )
    return tables


def _name(table: exp.Table, database: str) -> Name:
    if table.catalog and table.catalog.lower() != CATALOG.lower():
        raise QueryFailed(
            "CATALOG_NOT_FOUND", f"{position(table)}: Catalog '{table.catalog}' does not exist"
        )
    return (table.db or database).lower(), table.name.lower()


def _set_placeholders(tree: exp.Expr, names: Sequence[Name]) -> None:
    """Replace the tables of an analyzed query with placeholders, numbered as in `names`."""
    for table in tree.find_all(exp.Table):
        if table.db:
            number = names.index((table.db, table.name))
            table.set("this", exp.to_identifier(f"{_MARK}{number}", quoted=True))
            table.set("db", None)
            table.set("catalog", None)


def _fill_placeholders(sql: str, relations: Sequence[str]) -> str:
    return _PLACEHOLDER.sub(lambda match: f"({relations[int(match[1])]})", sql)


def _empty_relation_sql(columns: Columns) -> str:
    nulls = ", ".join(f"NULL::{kind} AS {quote_identifier(name)}" for name, kind in columns)
    return f"SELECT {nulls} WHERE false"
