"""Tables of information_schema, built from the Glue catalog."""

from collections.abc import Callable, Iterable

from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.glue_catalog import Catalog, table_from_glue

Names = tuple[str, ...]
Row = tuple[str | int, ...]


def relation_sql(catalog: Catalog, name: str) -> str:
    """Return the SELECT of one of information_schema's tables."""
    if name not in _TABLES:
        raise QueryFailed(
            "TABLE_NOT_FOUND", f"Table 'awsdatacatalog.information_schema.{name}' does not exist"
        )
    columns, list_rows = _TABLES[name]
    rows = [f"({', '.join(map(_literal, row))})" for row in list_rows(catalog)]
    names = ", ".join(map(quote_identifier, columns))
    if not rows:
        nulls = ", ".join(["NULL"] * len(columns))
        return f"SELECT * FROM (VALUES ({nulls})) AS t({names}) WHERE false"
    return f"SELECT * FROM (VALUES {', '.join(rows)}) AS t({names})"


def _literal(cell: str | int) -> str:
    return f"{cell}::BIGINT" if isinstance(cell, int) else quote_literal(cell)


def _schemata(catalog: Catalog) -> Iterable[Names]:
    for database in catalog.list_databases():
        yield "awsdatacatalog", database["Name"]


def _tables(catalog: Catalog) -> Iterable[Row]:
    for _, database in _schemata(catalog):
        for table in catalog.list_tables(database):
            is_view = table.get("TableType") == "VIRTUAL_VIEW"
            kind = "VIEW" if is_view else "BASE TABLE"
            yield "awsdatacatalog", database, table["Name"], kind


def _columns(catalog: Catalog) -> Iterable[Row]:
    for _, database in _schemata(catalog):
        for glue_table in catalog.list_tables(database):
            table = table_from_glue(glue_table, database)
            full_name = ("awsdatacatalog", database, table.name)
            for number, column in enumerate((*table.columns, *table.keys), start=1):
                data_type = "varchar" if column.type == "string" else column.type
                yield *full_name, column.name, number, data_type


_TABLES: dict[str, tuple[Names, Callable[[Catalog], Iterable[Row]]]] = {
    "schemata": (("catalog_name", "schema_name"), _schemata),
    "tables": (("table_catalog", "table_schema", "table_name", "table_type"), _tables),
    "columns": (
        (
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "data_type",
        ),
        _columns,
    ),
}
