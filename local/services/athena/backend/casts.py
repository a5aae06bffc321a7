"""Trino's casts in DuckDB: strict about text, rounded half up, moments in milliseconds."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, kind_of, literal
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type

_CHECKS = {
    **dict.fromkeys(types.INTEGERS, "trino.is_whole"),
    **dict.fromkeys(types.FLOATS, "trino.is_float"),
    DType.DECIMAL: "trino.is_number",
    DType.BOOLEAN: "trino.is_boolean",
    DType.DATE: "trino.is_date",
    DType.TIMESTAMP: "trino.is_timestamp",
    DType.TIMESTAMPTZ: "trino.is_timestamptz",
}
"""A type → the macro that tells whether Trino reads a text as one."""
_MILLISECONDS = {
    DType.TIMESTAMP: (types.TIMESTAMP, "trino.milliseconds"),
    DType.TIMESTAMPTZ: (types.TIMESTAMPTZ, "trino.zoned_milliseconds"),
}
_WRITTEN = {
    DType.TIMESTAMP: "trino.timestamp_text",
    DType.TIMESTAMPTZ: "trino.timestamptz_text",
    DType.INTERVAL: "trino.interval_text",
    **dict.fromkeys(types.FLOATS, "trino.double_varchar"),
}


def casted(node: exp.Cast) -> exp.Expression:
    """Return a CAST or TRY_CAST of Trino."""
    source, target = node.this, node.to
    if kind_of(source) == DType.JSON:
        return _from_json(node)
    if target.this == DType.JSON:
        return call("to_json", source)
    if target.this in types.TEXTS:
        return _to_text(node)
    if kind_of(source) in types.TEXTS and target.this in _CHECKS:
        return _from_text(node)
    if target.this in types.INTEGERS and kind_of(source) in types.FLOATS:
        source = call("round", source)
    if target.this == DType.DECIMAL and kind_of(source) in types.FLOATS:
        source = cast(source, types.VARCHAR)  # Of its shortest digits the last is rounded half up.
    return _in_milliseconds(type(node)(this=source, to=target))


def _from_text(node: exp.Cast) -> exp.Expression:
    source, target = node.this, node.to
    if target.this in types.MOMENTS:
        source = call("trim", source)
    fits = call(_CHECKS[target.this], source.copy())
    if isinstance(node, exp.TryCast):
        checked = exp.Case(ifs=[exp.If(this=fits, true=source)])
    else:
        checked = call("trino.checked", source, fits, literal(types.display(target)))
    return _in_milliseconds(type(node)(this=checked, to=target))


def _from_json(node: exp.Cast) -> exp.Expression:
    if node.to.this in types.TEXTS:
        return call("trino.json_text", node.this)
    if node.to.find(exp.ColumnDef):  # DuckDB's cast refuses an object with more keys than the row.
        return call("json_transform", node.this, literal(_structure(node.to)))
    return type(node)(this=node.this, to=node.to)


def _structure(kind: Type) -> str:
    """Return a type as json_transform spells it."""
    inner = kind.expressions
    if kind.this == DType.ARRAY:
        return f"[{_structure(inner[0])}]"
    if kind.this == DType.STRUCT:
        members = (f'"{column.name}":{_structure(column.kind)}' for column in inner)
        return "{" + ",".join(members) + "}"
    return f'"{kind.sql("duckdb")}"'


def _in_milliseconds(node: exp.Expression) -> exp.Expression:
    found = _MILLISECONDS.get(node.args["to"].this)
    if found is None:
        return node
    node.set("to", found[0].copy())
    return call(found[1], node)


def _to_text(node: exp.Cast) -> exp.Expression:
    macro = _WRITTEN.get(kind_of(node.this))
    text = call(macro, node.this) if macro else cast(node.this, types.VARCHAR)
    length = node.to.expressions[0].name if node.to.expressions else ""
    return call("left", text, literal(int(length))) if length.isdigit() else text
