"""One query's way from Athena's SQL to DuckDB's: its tables and views looked up in the catalog."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import duckdb
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from local.services.athena.backend import information_schema as information
from local.services.athena.backend.quoting import qualified_name, quote_identifier, schema_name
from local.services.athena.backend.scans import Scan
from local.services.athena.backend.transpiler import tells_now, translated
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.analyzer import analysed
from local.services.athena.frontend.parser import parsed
from local.services.athena.frontend.type_checks import position
from local.services.athena.frontend.types import from_duckdb
from local.services.athena.storage.glue_catalog import CATALOG, Catalog, Name, Table
from local.services.athena.storage.object_cache import Objects
from local.services.athena.storage.partitions import layout

_JSON_SERDES = ("org.apache.hive.hcatalog.data.JsonSerDe", "org.openx.data.jsonserde.JsonSerDe")


Described = tuple[tuple[str, str], ...]  # Columns by name, with DuckDB's types.
Sources = tuple[tuple[Name, Described], ...]


@dataclass(frozen=True, slots=True)
class Translation:
    """A query in DuckDB's SQL, and the names of its columns."""

    sql: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A view's statement, parsed, and whether it asks for the present."""

    tree: exp.Expression
    tells_now: bool


@lru_cache(maxsize=64)
def _parsed_view(sql: str) -> View:
    tree = parsed(sql)
    return View(tree, tells_now(tree))


@lru_cache(maxsize=64)  # Most of what a query takes is the reading of the views that it names.
def _view_translation(
    sql: str, database: str, sources: Sources, now: datetime | None
) -> Translation:
    return _translation(_parsed_view(sql).tree.copy(), database, sources, now or datetime.min)


def _translation(
    tree: exp.Expression, database: str, sources: Sources, now: datetime
) -> Translation:
    schema = {
        name: {column: from_duckdb(kind) for column, kind in columns} for name, columns in sources
    }
    bound = analysed(tree, schema, database)
    names = tuple(column.alias_or_name for column in bound.selects)
    _move(bound)
    return Translation(translated(bound, now), names)


class Planner:
    """What one query needs: it makes a view in DuckDB for each table and view that is named.

    `making` is the view that the query is to define, and so may not read.
    """

    def __init__(
        self,
        catalog: Catalog,
        objects: Objects,
        connection: duckdb.DuckDBPyConnection,
        now: datetime,
        making: Name | None = None,
    ) -> None:
        self._catalog = catalog
        self._objects = objects
        self._duckdb = connection
        self._now = now
        self._made: dict[Name, Described] = {}
        self._open = [making] if making else []
        self.scans: list[Scan] = []

    def translation(self, tree: exp.Expression, database: str) -> Translation:
        """Return a query in DuckDB's SQL; `database` is where its bare table names are."""
        return _translation(tree, database, self._sources(tree, database), self._now)

    def _sources(self, tree: exp.Expression, database: str) -> Sources:
        if not isinstance(tree, exp.Query):
            raise not_modelled(f"{type(tree).__name__.upper()}")
        named = [(_name(table, database), table) for table in _tables(tree)]
        return tuple((name, self._columns(name, table)) for name, table in named)

    def _columns(self, name: Name, node: exp.Table) -> Described:
        if name not in self._made:
            if name in self._open:
                raise QueryFailed("VIEW_IS_RECURSIVE", f"{position(node)}: View is recursive")
            self._open.append(name)
            self._made[name] = self._relation(name, node)
            self._open.pop()
        return self._made[name]

    def _relation(self, name: Name, node: exp.Table) -> Described:
        sql, schema = self._definition(name, node), schema_name(name[0])
        self._duckdb.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)}")
        self._duckdb.execute(f"CREATE VIEW {qualified_name(*name)} AS {sql}")
        # DESCRIBE would plan the view once more.
        columns = (
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE schema_name = ? AND table_name = ? ORDER BY column_index"
        )
        return tuple(self._duckdb.execute(columns, [schema, name[1]]).fetchall())

    def _definition(self, name: Name, node: exp.Table) -> str:
        if name[0] == "information_schema":
            return information.relation(self._catalog, name[1])
        table = self._catalog.table(*name)
        if table is None:
            raise self._missing(name, node)
        return self._view(table) if table.is_view else self._base(table)

    def _missing(self, name: Name, node: exp.Table) -> QueryFailed:
        where = position(node)
        if not self._catalog.has_database(name[0]):
            return QueryFailed("SCHEMA_NOT_FOUND", f"{where}: Schema '{name[0]}' does not exist")
        shown = f"{CATALOG.lower()}.{name[0]}.{name[1]}"
        return QueryFailed("TABLE_NOT_FOUND", f"{where}: Table '{shown}' does not exist")

    def _view(self, table: Table) -> str:
        view = table.definition
        known = _parsed_view(view.sql)
        sources = self._sources(known.tree, view.database)
        now = self._now if known.tells_now else None
        translation = _view_translation(view.sql, view.database, sources, now)
        declared = tuple(column.name for column in table.columns)
        if declared and declared != translation.names:
            raise QueryFailed(
                "VIEW_IS_STALE",
                f"View '{CATALOG.lower()}.{table.database}.{table.name}' is stale or in invalid "
                f"state: its columns are {', '.join(translation.names)}, not {', '.join(declared)}",
            )
        return translation.sql

    def _base(self, table: Table) -> str:
        if table.serde not in _JSON_SERDES:
            raise not_modelled(f"the SerDe {table.serde or 'of a table without one'}")
        where = layout(table, self._catalog, self._now)
        found = self._objects.listed(where)
        names = [key.name for key in table.keys]
        files = self._objects.fetched(names, found)
        scan = Scan(table, tuple(found), tuple(files))
        self.scans.append(scan)
        return scan.relation()


def _tables(tree: exp.Expression) -> list[exp.Table]:
    """Return the tables of a query that are not its own WITH queries."""
    found = [
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
    return found


def _name(table: exp.Table, database: str) -> Name:
    if table.catalog and table.catalog.lower() != CATALOG.lower():
        raise QueryFailed(
            "CATALOG_NOT_FOUND", f"{position(table)}: Catalog '{table.catalog}' does not exist"
        )
    return (table.db or database).lower(), table.name.lower()


def _move(tree: exp.Expression) -> None:
    """Point the tables of a bound query at the views that were made for them."""
    for table in tree.find_all(exp.Table):
        if table.db:
            table.set("db", exp.to_identifier(schema_name(table.db), quoted=True))
            table.set("catalog", None)
