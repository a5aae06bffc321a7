"""Trino's casts in DuckDB: strict about strings, rounded half up, timestamps in milliseconds."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, literal
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type, display_name, dtype_of, type_of

_STRING_CHECKS = {
    **dict.fromkeys(types.INTEGER_TYPES, "trino.is_whole"),
    **dict.fromkeys(types.FLOAT_TYPES, "trino.is_float"),
    DType.DECIMAL: "trino.is_number",
    DType.BOOLEAN: "trino.is_boolean",
    DType.DATE: "trino.is_date",
    DType.TIMESTAMP: "trino.is_timestamp",
    DType.TIMESTAMPTZ: "trino.is_timestamptz",
}
"""A type → the macro that checks whether Trino casts a string to it."""
_LOCAL_TYPES = (DType.DATE, DType.TIMESTAMP)
"""The types whose value depends on the zone of the timestamp that is cast to them."""
_MILLISECOND_ROUNDING = {
    DType.TIMESTAMP: (types.TIMESTAMP, "trino.round_to_millis"),
    DType.TIMESTAMPTZ: (types.TIMESTAMPTZ, "trino.round_zoned_to_millis"),
}
"""A timestamp type → DuckDB's type for it and the macro that rounds one to milliseconds."""
_TO_VARCHAR = {
    DType.TIMESTAMP: "trino.timestamp_text",
    DType.TIMESTAMPTZ: "trino.timestamptz_text",
    DType.INTERVAL: "trino.interval_text",
    DType.DATE: "trino.date_text",
    DType.DECIMAL: "trino.decimal_varchar",
    **dict.fromkeys(types.FLOAT_TYPES, "trino.double_varchar"),
}
"""A type → the macro that casts it to varchar; other types use DuckDB's cast."""


def translate_cast(node: exp.Cast) -> exp.Expr:
    """Translate a CAST or TRY_CAST."""
    source, target = node.this, node.to
    if dtype_of(source) == DType.JSON and target.this != DType.JSON:
        return _from_json(node)
    if target.this == DType.JSON:
        return _to_json(source, type_of(source))
    if target.this in types.STRING_TYPES:
        return _to_varchar(node)
    if dtype_of(source) in types.STRING_TYPES and target.this in _STRING_CHECKS:
        return _from_varchar(node)
    if DType.ARRAY == dtype_of(source) == target.this:
        return _array_cast(node)
    return _round_to_millis(type(node)(this=_cast_source(source, target), to=target))


def _cast_source(source: exp.Expr, target: Type) -> exp.Expr:
    """Return what DuckDB casts in the place of a source: Trino rounds doubles in another way."""
    if target.this in _LOCAL_TYPES and _is_at_timezone(source):
        return _local_time(source)
    if dtype_of(source) not in types.FLOAT_TYPES:
        return source
    if target.this in types.INTEGER_TYPES:
        return call("round", source)
    if target.this == DType.FLOAT:
        return call("trino.to_real", source)
    # Trino rounds the shortest decimal digits of a double half up, not its binary value.
    return cast(source, types.VARCHAR) if target.this == DType.DECIMAL else source


def _array_cast(node: exp.Cast) -> exp.Expr:
    """Translate the cast of an array: that of each element; TRY_CAST is NULL if one fails."""
    element = exp.to_identifier("cdc_element")
    element.type = types.element_type(type_of(node.this))
    value = translate_cast(exp.Cast(this=element, to=types.element_type(node.to).copy()))
    body = exp.Lambda(this=value, expressions=[exp.to_identifier("cdc_element")])
    array = call("list_transform", node.this, body)
    return call("try", array) if isinstance(node, exp.TryCast) else array


def _is_at_timezone(node: exp.Expr) -> bool:
    node = node.unnest()
    return isinstance(node, exp.Anonymous) and node.name == "trino.at_timezone"


def _local_time(node: exp.Expr) -> exp.Expr:
    """Return the wall-clock time in a zone: the one use of zones other than UTC."""
    return call("trino.local_time", *node.unnest().expressions)


def _from_varchar(node: exp.Cast) -> exp.Expr:
    source, target = node.this, node.to
    if target.this in types.DATETIME_TYPES:
        source = call("trim", source)
    if target.this == DType.TIMESTAMP:
        source = call("trino.without_zone", source)
    is_valid = call(_STRING_CHECKS[target.this], source.copy())
    if isinstance(node, exp.TryCast):
        valid_source: exp.Expr = exp.Case(ifs=[exp.If(this=is_valid, true=source)])
    else:
        type_name = literal(display_name(target))
        valid_source = call("trino.require_castable", source, is_valid, type_name)
    return _round_to_millis(type(node)(this=valid_source, to=target))


def _from_json(node: exp.Cast) -> exp.Expr:
    if node.to.this in types.STRING_TYPES:
        return call("trino.json_text", node.this)
    if node.to.find(exp.ColumnDef):
        # DuckDB's cast rejects an object with more keys than the row; json_transform ignores them.
        return call("json_transform", node.this, literal(_json_structure(node.to)))
    return type(node)(this=node.this, to=node.to)


_JSON_TEXTS = {
    DType.DECIMAL: "trino.decimal_varchar",
    **dict.fromkeys(types.FLOAT_TYPES, "trino.double_json_text"),
}
"""A type of numbers → the macro that writes one with the digits that it has in Trino's JSON."""


def _to_json(value: exp.Expr, data_type: Type) -> exp.Expr:
    """Return a value as JSON; DuckDB would write every number that is not whole as a double."""
    if data_type.this == DType.JSON:
        return value
    if data_type.this in _JSON_TEXTS:
        return cast(call(_JSON_TEXTS[data_type.this], value), types.JSON)
    if data_type.this == DType.ARRAY and _has_fractions(data_type):
        element = exp.to_identifier("cdc_element")
        text = cast(_to_json(element, types.element_type(data_type)), types.VARCHAR)
        body = exp.Lambda(this=text, expressions=[element.copy()])
        return cast(call("trino.json_array_text", call("list_transform", value, body)), types.JSON)
    if data_type.this == DType.STRUCT and not _has_named_fields(data_type):
        raise not_modelled("a row without names as JSON")
    return call("to_json", value)


def _has_fractions(data_type: Type) -> bool:
    return any(part.this in _JSON_TEXTS for part in data_type.find_all(exp.DataType))


def _has_named_fields(data_type: Type) -> bool:
    return all(isinstance(field, exp.ColumnDef) for field in data_type.expressions)


def _json_structure(data_type: Type) -> str:
    """Return a type in the JSON spelling of json_transform."""
    inner = data_type.expressions
    if data_type.this == DType.ARRAY:
        return f"[{_json_structure(inner[0])}]"
    if data_type.this == DType.STRUCT:
        fields = (f'"{column.name}":{_json_structure(column.kind)}' for column in inner)
        return "{" + ",".join(fields) + "}"
    return f'"{data_type.sql("duckdb")}"'


def _round_to_millis(node: exp.Cast) -> exp.Expr:
    if node.to.this not in _MILLISECOND_ROUNDING:
        return node
    target, macro = _MILLISECOND_ROUNDING[node.to.this]
    node.set("to", target.copy())
    return call(macro, node)


def _to_varchar(node: exp.Cast) -> exp.Expr:
    macro = _TO_VARCHAR.get(dtype_of(node.this))
    text = call(macro, node.this) if macro else cast(node.this, types.VARCHAR)
    length = node.to.expressions[0].name if node.to.expressions else ""
    if not length.isdigit():
        return text
    if dtype_of(node.this) in (*types.STRING_TYPES, DType.UNKNOWN):
        return call("left", text, literal(int(length)))
    return call("trino.require_length", text, literal(int(length)))
