"""Translation of function calls: by name where DuckDB agrees, by a rule where it differs."""

from collections.abc import Callable, Sequence

from sqlglot import exp

from local.services.athena.backend.aggregate_functions import AGGREGATE_FUNCTIONS
from local.services.athena.backend.arithmetic import translate_mod
from local.services.athena.backend.ast_builders import (
    call,
    call_target,
    literal,
)
from local.services.athena.backend.casts import translate_cast
from local.services.athena.backend.date_functions import DATE_FUNCTIONS
from local.services.athena.backend.format_strings import translate_format
from local.services.athena.backend.joda_patterns import (
    translate_format_datetime,
    translate_parse_datetime,
)
from local.services.athena.backend.json_paths import translate_json_call
from local.services.athena.backend.regular_expressions import (
    translate_regexp,
    translate_regexp_like,
)
from local.services.athena.backend.sql_json import (
    translate_json_exists,
    translate_json_query,
    translate_json_value,
)
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import find_function, require_function
from local.services.athena.frontend.type_inference import argument_type
from local.services.athena.frontend.types import DType, display_name, dtype_of, type_of


def translate_call(node: exp.Anonymous) -> exp.Expr:
    """Translate a function call; a wrapper for it and its suffixes is put under WRAP_LATER."""
    function = find_function(node)
    if function is None:  # This call is itself the translation of a node.
        return node
    if function.name in _SPECIAL_CASES:
        return _SPECIAL_CASES[function.name](node)
    return call_target(node)


def _typeof(node: exp.Anonymous) -> exp.Expr:
    return literal(display_name(argument_type(node.expressions[0])))


def _concat(node: exp.Anonymous) -> exp.Expr:
    result, *others = node.expressions
    for other in others:
        result = translate_pipe(exp.DPipe(this=result, expression=other))
    return exp.Paren(this=result)


def translate_pipe(node: exp.DPipe) -> exp.Expr:
    """Translate `||`: an array takes a single element at either end."""
    operands = [node.left, node.right]
    if DType.ARRAY not in map(dtype_of, operands):
        return node
    arrays = [_as_array(operand) for operand in operands]
    return exp.Paren(this=exp.DPipe(this=arrays[0], expression=arrays[1]))


def _as_array(operand: exp.Expr) -> exp.Expr:
    return operand if dtype_of(operand) == DType.ARRAY else call("list_value", operand)


def _null_if_any_is(node: exp.Anonymous) -> exp.Expr:
    """Translate a call whose result is NULL if any argument is, where DuckDB ignores NULLs."""
    arguments = node.expressions
    has_null = exp.or_(*(exp.Is(this=arg.copy(), expression=exp.Null()) for arg in arguments))
    result = call(node.name.lower(), *arguments)
    return exp.Case(ifs=[exp.If(this=has_null, true=exp.Null())], default=result)


def _if(node: exp.Anonymous) -> exp.Expr:
    condition, result, *default = node.expressions
    branch = exp.If(this=condition, true=result)
    return exp.Case(ifs=[branch], default=default[0] if default else None)


def _mod(node: exp.Anonymous) -> exp.Expr:
    modulo = exp.Mod(this=node.expressions[0], expression=node.expressions[1])
    modulo.type = node.type
    return translate_mod(modulo)


_NOT_CAUGHT_BY_TRY = {
    "trino.from_iso8601_timestamp": ("trino.require_utc_text", 0),
    "trino.from_unixtime": ("trino.require_timestamp_range", 0),
    "trino.at_timezone": ("trino.require_utc", 1),
    "trino.local_time": ("trino.require_zone_name", 1),
}
"""Function → (check that must stay outside TRY, index of its argument)."""


def _try(node: exp.Anonymous) -> exp.Expr:
    """Translate a TRY; the errors that it must not catch are checked before it."""
    result: exp.Expr = call_target(node)
    for inner in node.find_all(exp.Anonymous):
        if inner.name in _NOT_CAUGHT_BY_TRY and not inner.find_ancestor(exp.Lambda):
            check, index = _NOT_CAUGHT_BY_TRY[inner.name]
            argument = call("try", inner.expressions[index].copy())
            result = exp.Case(ifs=[exp.If(this=call(check, argument), true=result)])
    return result


def element_or_null(collection: exp.Expr, key: exp.Expr) -> exp.Expr:
    """Return an element of an array or a value of a map, NULL if it is missing."""
    is_map = dtype_of(collection) == DType.MAP
    return call("map_extract_value" if is_map else "trino.array_element", collection, key)


def _element_at(node: exp.Anonymous) -> exp.Expr:
    collection, key = node.expressions
    return element_or_null(collection, key)


def _cardinality(node: exp.Anonymous) -> exp.Expr:
    is_map = dtype_of(node.expressions[0]) == DType.MAP
    return call("cardinality", *node.expressions) if is_map else call_target(node)


def _reverse(node: exp.Anonymous) -> exp.Expr:
    if dtype_of(node.expressions[0]) == DType.VARBINARY:
        raise not_modelled("the reverse of binary data")
    is_array = dtype_of(node.expressions[0]) == DType.ARRAY
    return call("list_reverse", *node.expressions) if is_array else call_target(node)


def _array_join(node: exp.Anonymous) -> exp.Expr:
    array, *others = node.expressions
    texts = translate_cast(exp.Cast(this=array, to=types.from_trino("array(varchar)")))
    return call(require_function(node).target, texts, *others)


def _reduce(node: exp.Anonymous) -> exp.Expr:
    array, start, step, finish = node.expressions
    accumulator = call("list_value", call("list_reduce", array, step, start))
    return call("list_extract", call("list_transform", accumulator, finish), literal(1))


def _any_match(node: exp.Anonymous) -> exp.Expr:
    return call("trino.any_true", call("list_transform", *node.expressions))


def _none_match(node: exp.Anonymous) -> exp.Expr:
    return exp.Paren(this=exp.Not(this=_any_match(node)))


def _all_match(node: exp.Anonymous) -> exp.Expr:
    condition = node.expressions[1]
    condition.set("this", exp.Not(this=exp.Paren(this=condition.this.copy())))
    return _none_match(node)


def _lambda_of_entry(node: exp.Lambda, fields: Sequence[str | int]) -> exp.Lambda:
    """Return a lambda of one struct, for a lambda of several parameters, which are its fields."""
    entry = exp.to_identifier("cdc_" + "_".join(part.name for part in node.expressions))
    by_name = dict(zip((part.name for part in node.expressions), fields, strict=True))
    body = exp.Paren(this=node.this.copy())
    for name in list(body.find_all(exp.Identifier)):
        is_field = isinstance(name.parent, exp.Dot) and name.arg_key == "expression"
        if name.name in by_name and not is_field:
            name.replace(call("struct_extract", entry.copy(), literal(by_name[name.name])))
    return exp.Lambda(this=body, expressions=[entry])


def _array_sort(node: exp.Anonymous) -> exp.Expr:
    """Translate a sort, perhaps by a lambda that compares two elements."""
    array, *comparators = node.expressions
    if not comparators:
        return call_target(node)
    comparison = comparators[0].this
    left, right = comparators[0].expressions
    indexes = [exp.to_identifier("cdc_left"), exp.to_identifier("cdc_right")]
    precedes = call("trino.precedes", comparison, *indexes)
    is_before = exp.Lambda(this=precedes, expressions=[left, indexes[0].copy()])
    rank = call("len", call("list_filter", array.copy(), is_before))
    rank_of = exp.Lambda(this=rank, expressions=[right, indexes[1].copy()])
    return call("trino.sort_by_rank", array, call("list_transform", array.copy(), rank_of))


def _array_max(node: exp.Anonymous) -> exp.Expr:
    array = node.expressions[0]
    is_float = types.element_type(type_of(array)).this in types.FLOAT_TYPES
    return call("trino.double_array_max", array) if is_float else call_target(node)


_BITS = {DType.TINYINT: 8, DType.SMALLINT: 16, DType.INT: 32}


def _bitwise_shift(node: exp.Anonymous) -> exp.Expr:
    shift = call_target(node)
    shift.append("expressions", literal(_BITS.get(dtype_of(node.expressions[0]), 64)))
    return shift


def _zip_with(node: exp.Anonymous) -> exp.Expr:
    left, right, combine = node.expressions
    pairs = call("trino.zip", left, right)
    return call("list_transform", pairs, _lambda_of_entry(combine, (1, 2)))


def _map_filter(node: exp.Anonymous) -> exp.Expr:
    entries, condition = _entries_and_lambda(node)
    return call("map_from_entries", call("list_filter", entries, condition))


def _transform_values(node: exp.Anonymous) -> exp.Expr:
    entries, value = _entries_and_lambda(node)
    keys = call("map_keys", node.expressions[0].copy())
    return call("map", keys, call("list_transform", entries, value))


def _transform_keys(node: exp.Anonymous) -> exp.Expr:
    entries, key = _entries_and_lambda(node)
    values = call("map_values", node.expressions[0].copy())
    return call("trino.map", call("list_transform", entries, key), values)


def _entries_and_lambda(node: exp.Anonymous) -> tuple[exp.Expr, exp.Lambda]:
    collection, function = node.expressions
    return call("map_entries", collection), _lambda_of_entry(function, ("key", "value"))


def _integral(node: exp.Anonymous) -> exp.Expr:
    """Translate ceil, floor or truncate: DuckDB's own make a double of a whole number."""
    is_whole = dtype_of(node.expressions[0]) in types.INTEGER_TYPES
    return node.expressions[0] if is_whole else call_target(node)


_SPECIAL_CASES: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    **AGGREGATE_FUNCTIONS,
    **DATE_FUNCTIONS,
    "all_match": _all_match,
    "any_match": _any_match,
    "array_join": _array_join,
    "array_max": _array_max,
    "array_sort": _array_sort,
    "bitwise_left_shift": _bitwise_shift,
    "bitwise_right_shift": _bitwise_shift,
    "bitwise_right_shift_arithmetic": _bitwise_shift,
    "cardinality": _cardinality,
    "concat": _concat,
    "element_at": _element_at,
    "greatest": _null_if_any_is,
    "if": _if,
    "json_extract": translate_json_call,
    "json_extract_scalar": translate_json_call,
    "json_size": translate_json_call,
    "json_exists": translate_json_exists,
    "json_query": translate_json_query,
    "json_value": translate_json_value,
    "least": _null_if_any_is,
    "mod": _mod,
    "none_match": _none_match,
    "ceil": _integral,
    "ceiling": _integral,
    "floor": _integral,
    "format": translate_format,
    "format_datetime": translate_format_datetime,
    "parse_datetime": translate_parse_datetime,
    "map_concat": _null_if_any_is,
    "map_filter": _map_filter,
    "reduce": _reduce,
    "regexp_count": translate_regexp,
    "regexp_extract": translate_regexp,
    "regexp_extract_all": translate_regexp,
    "regexp_replace": translate_regexp,
    "regexp_split": translate_regexp,
    "transform_keys": _transform_keys,
    "transform_values": _transform_values,
    "zip_with": _zip_with,
    "regexp_like": translate_regexp_like,
    "reverse": _reverse,
    "try": _try,
    "typeof": _typeof,
}
