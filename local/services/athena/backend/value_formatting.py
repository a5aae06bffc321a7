"""Value formatting: SQL that turns a value into the text that Athena writes into a result."""

from sqlglot import exp

from local.services.athena.frontend.types import DType, Type, field_type, from_duckdb

_TEMPLATES = {
    DType.DATE: "trino.date_text({})",
    DType.DECIMAL: "trino.decimal_varchar({})",
    DType.TIMESTAMP: "trino.timestamp_text({})",
    DType.TIME: "trino.time_text({})",
    DType.TIMESTAMPTZ: "trino.timestamptz_text({})",
    DType.INTERVAL: "trino.interval_text({})",
    DType.DOUBLE: "trino.double_result_text({})",
    DType.FLOAT: "trino.double_result_text({})",
    DType.VARBINARY: "trino.binary_text({})",
}
"""A scalar type → the SQL of its text; other types are cast."""


def format_value_sql(duckdb_type: str, value: str) -> str:
    """Return the SQL of a value's text; `value` is an SQL expression of that DuckDB type."""
    return _format(from_duckdb(duckdb_type), value, depth=0)


def _format(data_type: Type, value: str, depth: int) -> str:
    if data_type.this in (DType.ARRAY, DType.LIST):
        return _format_array(data_type, value, depth)
    if data_type.this == DType.MAP:
        return _format_map(data_type, value, depth)
    if data_type.this == DType.STRUCT:
        return _format_row(data_type, value, depth)
    return _TEMPLATES.get(data_type.this, "CAST({} AS VARCHAR)").format(value)


def _format_or_null(data_type: Type, value: str, depth: int) -> str:
    return f"coalesce({_format(data_type, value, depth)}, 'null')"


def _format_array(data_type: Type, value: str, depth: int) -> str:
    element = f"part{depth}"
    text = _format_or_null(data_type.expressions[0], element, depth + 1)
    return f"'[' || {_join(value, element, text)} || ']'"


def _format_map(data_type: Type, value: str, depth: int) -> str:
    entry = f"part{depth}"
    key_type, value_type = data_type.expressions
    key_text = _format(key_type, f"{entry}.key", depth + 1)
    value_text = _format_or_null(value_type, f"{entry}.value", depth + 1)
    text = f"{key_text} || '=' || {value_text}"
    entries = f"map_entries({value})"
    return f"'{{' || {_join(entries, entry, text)} || '}}'"


def _join(array: str, element: str, text: str) -> str:
    return f"array_to_string(list_transform({array}, lambda {element}: {text}), ', ')"


def _format_row(data_type: Type, value: str, depth: int) -> str:
    fields = [
        _format_field(field, index, value, depth)
        for index, field in enumerate(data_type.expressions)
    ]
    return f"CASE WHEN {value} IS NOT NULL THEN '{{' || {' || '.join(fields)} || '}}' END"


def _format_field(field: exp.Expr, index: int, row: str, depth: int) -> str:
    """Return the SQL of `name=value`."""
    separator = ", " if index else ""
    label = exp.Literal.string(f"{separator}{field.name}=").sql()
    value = f"struct_extract_at({row}, {index + 1})"
    return f"{label} || {_format_or_null(field_type(field), value, depth)}"
