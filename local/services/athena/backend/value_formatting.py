"""Values as Athena writes them into a result, by DuckDB's type of them."""

from sqlglot import exp

from local.services.athena.frontend.types import DType, Type, from_duckdb

_WRITTEN = {
    DType.TIMESTAMP: "trino.timestamp_text({})",
    DType.TIMESTAMPTZ: "trino.timestamptz_text({})",
    DType.INTERVAL: "trino.interval_text({})",
    DType.DOUBLE: "trino.double_text({})",
    DType.FLOAT: "trino.double_text({})",
    DType.VARBINARY: "trino.binary_text({})",
}
"""A type → its value as text; all others are cast."""


def written(duckdb_type: str, value: str) -> str:
    """Return the SQL of the text of a value, which is an expression of a type of DuckDB."""
    return _written(from_duckdb(duckdb_type), value, 0)


def _written(kind: Type, value: str, depth: int) -> str:
    if kind.this in (DType.ARRAY, DType.LIST):
        return f"'[' || {_listed(kind.expressions[0], value, depth)} || ']'"
    if kind.this == DType.MAP:
        return f"'{{' || {_mapped(kind, value, depth)} || '}}'"
    if kind.this == DType.STRUCT:
        return _members(kind, value, depth)
    return _WRITTEN.get(kind.this, "CAST({} AS VARCHAR)").format(value)


def _or_null(kind: Type, value: str, depth: int) -> str:
    return f"coalesce({_written(kind, value, depth)}, 'null')"


def _joined(values: str, part: str, text: str) -> str:
    return f"array_to_string(list_transform({values}, lambda {part}: {text}), ', ')"


def _listed(kind: Type, value: str, depth: int) -> str:
    part = f"part{depth}"
    return _joined(value, part, _or_null(kind, part, depth + 1))


def _mapped(kind: Type, value: str, depth: int) -> str:
    part, (key, held) = f"part{depth}", kind.expressions
    pair = (
        f"{_written(key, f'{part}.key', depth + 1)} || '=' || "
        f"{_or_null(held, f'{part}.value', depth + 1)}"
    )
    return _joined(f"map_entries({value})", part, pair)


def _members(kind: Type, value: str, depth: int) -> str:
    """Return the text of a row, whose members may have no names."""
    texts = []
    for place, member in enumerate(kind.expressions):
        named = isinstance(member, exp.ColumnDef)
        name = member.name if named else f"field{place}"
        held = member.kind if named else from_duckdb(member.name)
        inner = f"struct_extract({value}, {exp.Literal.string(name) if named else place + 1})"
        shown = exp.Literal.string(f"{', ' if place else ''}{name}=").sql()
        texts.append(f"{shown} || {_or_null(held, inner, depth)}")
    return f"CASE WHEN {value} IS NOT NULL THEN '{{' || {' || '.join(texts)} || '}}' END"
