"""information_schema, made of what the catalog says."""

from collections.abc import Callable, Iterable

from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.glue_catalog import Catalog, table_of

Names = tuple[str, ...]
Row = tuple[str | int, ...]


def relation(catalog: Catalog, name: str) -> str:
    """Return the SELECT of one of information_schema's tables."""
    if name not in _TABLES:
        raise QueryFailed(
            "TABLE_NOT_FOUND", f"Table 'awsdatacatalog.information_schema.{name}' does not exist"
        )
    columns, rows_of = _TABLES[name]
    rows = [f"({', '.join(map(_literal, row))})" for row in rows_of(catalog)]
    names = ", ".join(map(quote_identifier, columns))
    values = ", ".join(rows) or f"({', '.join(['NULL'] * len(columns))})"
    return f"SELECT * FROM (VALUES {values}) AS t({names})" + ("" if rows else " WHERE false")


def _literal(cell: str | int) -> str:
    return f"{cell}::BIGINT" if isinstance(cell, int) else quote_literal(cell)


def _schemata(catalog: Catalog) -> Iterable[Names]:
    for database in catalog.databases():
        yield "awsdatacatalog", database["Name"]


def _tables(catalog: Catalog) -> Iterable[Row]:
    for _, database in _schemata(catalog):
        for told in catalog.tables(database):
            kind = "VIEW" if told.get("TableType") == "VIRTUAL_VIEW" else "BASE TABLE"
            yield "awsdatacatalog", database, told["Name"], kind


def _columns(catalog: Catalog) -> Iterable[Row]:
    for _, database in _schemata(catalog):
        for told in catalog.tables(database):
            table = table_of(told, database)
            for place, column in enumerate((*table.columns, *table.keys), start=1):
                where = ("awsdatacatalog", database, table.name)
                kind = "varchar" if column.type == "string" else column.type
                yield *where, column.name, place, kind


_TABLES: dict[str, tuple[Names, Callable[[Catalog], Iterable[Row]]]] = {
    "schemata": (("catalog_name", "schema_name"), _schemata),
    "tables": (("table_catalog", "table_schema", "table_name", "table_type"), _tables),
    "columns": (
        (
            *("table_catalog", "table_schema", "table_name"),
            *("column_name", "ordinal_position", "data_type"),
        ),
        _columns,
    ),
}
