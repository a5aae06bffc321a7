"""Translation of function calls: by name where DuckDB agrees, by a rule where it differs."""

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from local.services.athena.backend.arithmetic import translate_mod
from local.services.athena.backend.ast_builders import call, cast, literal, string_constant
from local.services.athena.backend.casts import translate_cast
from local.services.athena.backend.json_paths import translate_json_call
from local.services.athena.backend.regular_expressions import (
    translate_regexp,
    translate_regexp_like,
)
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import Function, find_function, require_function
from local.services.athena.frontend.type_inference import argument_type
from local.services.athena.frontend.types import DType, Type, display_name, dtype_of, type_of

WRAP_LATER = "wrap_later"
"""The meta key of a node that its wrapper is stored under, to be applied once all is translated.

A cast of an aggregate's result belongs around the aggregate with its FILTER and OVER, and those
are parents of the call: they are not translated yet when the call is.
"""
CALL_SUFFIXES = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
Wrapper = Callable[[exp.Expr], exp.Expr]


def translate_call(node: exp.Anonymous) -> exp.Expr:
    """Translate a function call; a wrapper for it and its suffixes is put under WRAP_LATER."""
    function = find_function(node)
    if function is None:  # This call is itself the translation of a node.
        return node
    if function.name in _SPECIAL_CASES:
        return _SPECIAL_CASES[function.name](node)
    return _call_target(node, function)


def _call_target(node: exp.Anonymous, function: Function | None = None) -> exp.Anonymous:
    """Return the call of the DuckDB function that functions.txt names."""
    function = function or require_function(node)
    target_call = call(function.target, *node.expressions)
    if function.casts_result and not types.is_unknown(type_of(node)):
        target_call.meta[WRAP_LATER] = _cast_wrapper(type_of(node))
    return target_call


def _cast_wrapper(target: Type) -> Wrapper:
    def wrap(node: exp.Expr) -> exp.Expr:
        return cast(node, target)

    return wrap


def _avg(node: exp.Anonymous) -> exp.Expr:
    """Translate avg: DuckDB's own computes the mean of decimals as a double."""
    average = call("avg", *node.expressions)
    argument = argument_type(node.expressions[0])
    if argument.this == DType.DECIMAL:
        average.meta[WRAP_LATER] = _exact_mean_wrapper(argument)
    if argument.this == DType.FLOAT:
        average.meta[WRAP_LATER] = _cast_wrapper(argument)
    return average


def _exact_mean_wrapper(decimal: Type) -> Wrapper:
    scale = types.require_decimal(decimal).scale

    def wrap(average: exp.Expr) -> exp.Expr:
        total = _with_aggregate(average, "sum")
        count = _with_aggregate(average, "count")
        return cast(call("trino.decimal_mean", total, count, literal(scale)), decimal)

    return wrap


def _with_aggregate(node: exp.Expr, name: str) -> exp.Expr:
    """Return a copy of an aggregate and its FILTER and OVER, with another function in it."""
    copy = node.copy()
    aggregate = copy
    while isinstance(aggregate, CALL_SUFFIXES):
        aggregate = aggregate.this
    aggregate.set("this", name)
    return copy


def _sum(node: exp.Anonymous) -> exp.Expr:
    if argument_type(node.expressions[0]).this == DType.INTERVAL:
        raise not_modelled("the sum of intervals")
    return _call_target(node)


def _count(node: exp.Anonymous) -> exp.Expr:
    return call("count", *(node.expressions or [exp.Star()]))


def _approx_distinct(node: exp.Anonymous) -> exp.Expr:
    return call("count", exp.Distinct(expressions=[node.expressions[0]]))


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


def _date(node: exp.Anonymous) -> exp.Expr:
    return translate_cast(exp.Cast(this=node.expressions[0], to=types.DATE.copy()))


_ZONE_INSENSITIVE = (exp.Predicate, exp.AtTimeZone)
"""Parents for which the zone of a timestamp does not matter, only its instant."""
_PASSING_ON = (exp.Paren, exp.Case, exp.If)
"""Parents whose value is that of one of their operands."""


def _from_iso8601_timestamp(node: exp.Anonymous) -> exp.Expr:
    """Translate the parsing of a timestamp: its zone must be UTC where the zone matters."""
    parent = node.parent
    while isinstance(parent, _PASSING_ON) or (parent is not None and _is_passing_on(parent)):
        parent = parent.parent
    if isinstance(parent, _ZONE_INSENSITIVE):
        return call("trino.iso_instant", *node.expressions)
    return _call_target(node)


def _is_passing_on(node: exp.Expr) -> bool:
    is_call = isinstance(node, exp.Anonymous)
    return is_call and node.name.lower() in {"try", "coalesce", "if", "nullif"}


_NOT_CAUGHT_BY_TRY = {
    "trino.from_iso8601_timestamp": ("trino.require_utc_text", 0),
    "trino.from_unixtime": ("trino.require_timestamp_range", 0),
    "trino.at_timezone": ("trino.require_utc", 1),
}
"""Function → (check that must stay outside TRY, index of its argument)."""


def _try(node: exp.Anonymous) -> exp.Expr:
    """Translate a TRY; the errors that it must not catch are checked before it."""
    result: exp.Expr = _call_target(node)
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
    return call("cardinality", *node.expressions) if is_map else _call_target(node)


def _reverse(node: exp.Anonymous) -> exp.Expr:
    if dtype_of(node.expressions[0]) == DType.VARBINARY:
        raise not_modelled("the reverse of binary data")
    is_array = dtype_of(node.expressions[0]) == DType.ARRAY
    return call("list_reverse", *node.expressions) if is_array else _call_target(node)


_ELEMENTS_TO_VARCHAR = {
    **dict.fromkeys(types.FLOAT_TYPES, "trino.doubles_to_varchar"),
    DType.TIMESTAMP: "trino.timestamps_to_varchar",
}
"""The type of an array's elements → the macro that casts them as Trino does."""


def _array_join(node: exp.Anonymous) -> exp.Expr:
    array, *others = node.expressions
    macro = _ELEMENTS_TO_VARCHAR.get(types.element_type(type_of(array)).this)
    texts = call(macro, array) if macro else array
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


def _map_aggregate(node: exp.Anonymous) -> exp.Expr:
    """Translate an aggregate of entries: they are gathered in a list, then made into a map."""
    name = node.name.lower()
    row = call("struct_pack", *map(_named_argument, ("key", "value"), node.expressions))
    entries = call("list", node.expressions[0] if name == "map_union" else row)
    entries.meta[WRAP_LATER] = _call_wrapper(f"trino.{name}")
    return entries


def _named_argument(name: str, value: exp.Expr) -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=value)


def _call_wrapper(name: str) -> Wrapper:
    def wrap(node: exp.Expr) -> exp.Expr:
        return call(name, node)

    return wrap


def _geometric_mean(node: exp.Anonymous) -> exp.Expr:
    """Translate a geometric mean: DuckDB's own is a macro, which takes no FILTER."""
    mean = call("avg", call("trino.ln", cast(node.expressions[0], types.DOUBLE)))
    result = type_of(node)
    mean.meta[WRAP_LATER] = lambda mean: cast(call("exp", mean), result)
    return mean


def _skewness(node: exp.Anonymous) -> exp.Expr:
    """Translate a skewness: that of the population, where DuckDB's is that of a sample."""
    skewness = call("skewness", *node.expressions)
    skewness.meta[WRAP_LATER] = _population_skewness
    return skewness


def _population_skewness(skewness: exp.Expr) -> exp.Expr:
    return call("trino.skewness", skewness, _with_aggregate(skewness, "count"))


def _integral(node: exp.Anonymous) -> exp.Expr:
    """Translate ceil, floor or truncate: DuckDB's own make a double of a whole number."""
    is_whole = dtype_of(node.expressions[0]) in types.INTEGER_TYPES
    return node.expressions[0] if is_whole else _call_target(node)


def _format(node: exp.Anonymous) -> exp.Expr:
    """Translate a format: `%s`, `%d` and `%.2f`, with a width perhaps, for what they are made."""
    pattern, *arguments = node.expressions
    text = string_constant(pattern)
    specifiers = re.findall(r"%(?:%|[^%a-zA-Z]*[a-zA-Z]?)", text or "")
    converting = [specifier for specifier in specifiers if specifier != "%%"]
    if text is None or len(converting) > len(arguments):
        raise not_modelled("a format that is not a literal with an argument for each specifier")
    pairs = zip(converting, arguments, strict=False)
    return call("printf", pattern, *(_format_argument(*pair) for pair in pairs))


def _format_argument(specifier: str, value: exp.Expr) -> exp.Expr:
    dtype = dtype_of(value)
    if specifier == "%s" and dtype in _PLAIN_TYPES:
        return call("coalesce", cast(value, types.VARCHAR), literal("null"))
    if specifier == "%s" and dtype in (DType.DOUBLE, DType.DECIMAL):
        macro = "double_result_text" if dtype == DType.DOUBLE else "decimal_varchar"
        return call("coalesce", call(f"trino.{macro}", value), literal("null"))
    if re.fullmatch(r"%0?\d*d", specifier) and dtype in types.INTEGER_TYPES:
        return cast(value, types.BIGINT)
    if re.fullmatch(r"%0?\d*\.\d+f", specifier) and dtype in (DType.DOUBLE, DType.DECIMAL):
        return cast(value, types.DOUBLE)
    raise not_modelled(f"the format {specifier} for {display_name(type_of(value))}")


_PLAIN_TYPES = (DType.NULL, *types.STRING_TYPES, *types.INTEGER_TYPES, DType.BOOLEAN, DType.DATE)
"""The types that `%s` writes as a cast does."""


def _count_if(node: exp.Anonymous) -> exp.Expr:
    """Translate count_if: 0 where DuckDB's is NULL, since no row has a condition."""
    count = _call_target(node)
    count.meta[WRAP_LATER] = _zero_if_null
    return count


def _zero_if_null(count: exp.Expr) -> exp.Expr:
    return cast(call("coalesce", count, literal(0)), types.BIGINT)


def _sequence(node: exp.Anonymous) -> exp.Expr:
    """Translate a sequence of numbers or datetimes; the latter's default step is one day."""
    sequence = _call_target(node)
    if dtype_of(node.expressions[0]) in types.DATETIME_TYPES:
        sequence.set("this", "trino.datetime_sequence")
    return sequence


_INTERVALS = {
    "millisecond": ("to_milliseconds", 1),
    "second": ("to_seconds", 1),
    "minute": ("to_minutes", 1),
    "hour": ("to_hours", 1),
    "day": ("to_days", 1),
    "week": ("to_days", 7),
    "month": ("to_months", 1),
    "quarter": ("to_months", 3),
    "year": ("to_months", 12),
}
"""Trino's unit → DuckDB's interval function, and how many of its units make one of Trino's."""
_INTEGER_FUNCTIONS = ("to_days", "to_months")
"""The interval functions with a parameter of INTEGER; the others take BIGINT."""
_DATE_UNITS = ("day", "week", "month", "quarter", "year")


def _date_add(node: exp.Anonymous) -> exp.Expr:
    function, factor = _INTERVALS[_validated_unit(node)]
    _, count, datetime = node.expressions
    unit_count = exp.Mul(this=exp.Paren(this=count), expression=literal(factor))
    count_type = types.INTEGER if function in _INTEGER_FUNCTIONS else types.BIGINT
    interval = call(function, cast(unit_count, count_type))
    result = exp.Paren(this=exp.Add(this=datetime, expression=interval))
    return cast(result, type_of(datetime)) if dtype_of(node) == DType.DATE else result


def _with_unit(node: exp.Anonymous) -> exp.Expr:
    _validated_unit(node)
    return _call_target(node)


def _validated_unit(node: exp.Anonymous) -> str:
    """Return the unit of a date function; dates have fewer units than timestamps."""
    unit, *others = node.expressions
    name = (string_constant(unit) or "").lower()
    datetimes = [dtype_of(other) for other in others if dtype_of(other) in types.DATETIME_TYPES]
    only_dates = bool(datetimes) and all(dtype == DType.DATE for dtype in datetimes)
    if name not in (_DATE_UNITS if only_dates else _INTERVALS):
        kind = "DATE" if only_dates else "Timestamp"
        raise QueryFailed(
            "INVALID_FUNCTION_ARGUMENT", f"'{name or unit.sql()}' is not a valid {kind} field"
        )
    return name


_DATE_SPECIFIERS = {
    "Y": "%Y",
    "y": "%y",
    "m": "%m",
    "c": "%-m",
    "d": "%d",
    "e": "%-d",
    "j": "%j",
    "H": "%H",
    "k": "%-H",
    "h": "%I",
    "I": "%I",
    "l": "%-I",
    "i": "%M",
    "s": "%S",
    "S": "%S",
    "f": "%f",
    "p": "%p",
    "a": "%a",
    "W": "%A",
    "b": "%b",
    "M": "%B",
    "%": "%%",
    "T": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "v": "%V",
    "x": "%G",
}
"""MySQL's date specifier, which Trino uses → DuckDB's."""


def _date_format_or_parse(node: exp.Anonymous) -> exp.Expr:
    value, pattern = node.expressions
    trino_pattern = string_constant(pattern)
    if trino_pattern is None:
        raise not_modelled("a date format that is not a literal")
    if node.name.lower() == "date_parse" and not re.search(r"%[Yx]", trino_pattern):
        # Joda's default year is 1970, DuckDB's 1900.
        raise not_modelled(f"a date format without a year ({trino_pattern})")
    duckdb_pattern = re.sub(r"%(.)", _duckdb_specifier, trino_pattern, flags=re.DOTALL)
    return call(require_function(node).target, value, literal(duckdb_pattern))


def _duckdb_specifier(match: re.Match[str]) -> str:
    if match[1] not in _DATE_SPECIFIERS:
        raise QueryFailed("INVALID_FUNCTION_ARGUMENT", f"%{match[1]} not supported in date format")
    return _DATE_SPECIFIERS[match[1]]


_SPECIAL_CASES: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "all_match": _all_match,
    "any_match": _any_match,
    "approx_distinct": _approx_distinct,
    "array_join": _array_join,
    "avg": _avg,
    "cardinality": _cardinality,
    "concat": _concat,
    "count": _count,
    "count_if": _count_if,
    "date": _date,
    "date_add": _date_add,
    "date_diff": _with_unit,
    "date_format": _date_format_or_parse,
    "date_parse": _date_format_or_parse,
    "date_trunc": _with_unit,
    "element_at": _element_at,
    "from_iso8601_timestamp": _from_iso8601_timestamp,
    "greatest": _null_if_any_is,
    "if": _if,
    "json_extract": translate_json_call,
    "json_extract_scalar": translate_json_call,
    "json_size": translate_json_call,
    "least": _null_if_any_is,
    "mod": _mod,
    "none_match": _none_match,
    "ceil": _integral,
    "ceiling": _integral,
    "floor": _integral,
    "format": _format,
    "geometric_mean": _geometric_mean,
    "map_agg": _map_aggregate,
    "map_concat": _null_if_any_is,
    "map_filter": _map_filter,
    "map_union": _map_aggregate,
    "multimap_agg": _map_aggregate,
    "reduce": _reduce,
    "regexp_count": translate_regexp,
    "regexp_extract": translate_regexp,
    "regexp_extract_all": translate_regexp,
    "regexp_replace": translate_regexp,
    "regexp_split": translate_regexp,
    "skewness": _skewness,
    "transform_keys": _transform_keys,
    "transform_values": _transform_values,
    "zip_with": _zip_with,
    "regexp_like": translate_regexp_like,
    "reverse": _reverse,
    "sequence": _sequence,
    "sum": _sum,
    "try": _try,
    "typeof": _typeof,
}
