"""SQL quoting: names and values as DuckDB's SQL spells them."""


def quote_identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """Quote a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def schema_name(database: str) -> str:
    """Return the DuckDB schema of a Glue database, distinct from every schema of DuckDB's own."""
    return f"glue {database}"


def qualified_name(database: str, table: str) -> str:
    """Return the name of the DuckDB view that stands for a table or view of Glue."""
    return f"{quote_identifier(schema_name(database))}.{quote_identifier(table)}"
