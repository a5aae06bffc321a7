"""Translation of functions of dates: units, patterns, and the zone of a timestamp."""

import re
from collections.abc import Callable

from sqlglot import exp

from local.services.athena.backend.ast_builders import (
    call,
    call_target,
    cast,
    literal,
    string_constant,
)
from local.services.athena.backend.casts import translate_cast
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import require_function
from local.services.athena.frontend.types import DType, dtype_of, type_of


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
    return call_target(node)


def _is_passing_on(node: exp.Expr) -> bool:
    is_call = isinstance(node, exp.Anonymous)
    return is_call and node.name.lower() in {"try", "coalesce", "if", "nullif"}


def _sequence(node: exp.Anonymous) -> exp.Expr:
    """Translate a sequence of numbers or datetimes; the latter's default step is one day."""
    sequence = call_target(node)
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
    return call_target(node)


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


DATE_FUNCTIONS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "date": _date,
    "date_add": _date_add,
    "date_diff": _with_unit,
    "date_format": _date_format_or_parse,
    "date_parse": _date_format_or_parse,
    "date_trunc": _with_unit,
    "from_iso8601_timestamp": _from_iso8601_timestamp,
    "sequence": _sequence,
}
