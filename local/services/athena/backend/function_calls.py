"""Trino's functions as DuckDB's: by name where that is enough, by hand where it is not."""

import re
from collections.abc import Callable

from sqlglot import exp

from local.services.athena.backend.arithmetic import remainder
from local.services.athena.backend.ast_builders import call, cast, constant, kind_of, literal
from local.services.athena.backend.casts import casted
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import Function, function_of
from local.services.athena.frontend.type_inference import argument_type
from local.services.athena.frontend.types import DType, Type

FINISH = "finish"  # The key of a node's meta that holds what is still to be wrapped around it.
WRAPPERS = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
Finish = Callable[[exp.Expression], exp.Expression]


def called(node: exp.Anonymous) -> exp.Expression:
    """Return a function's call in DuckDB.

    What belongs around the call and its FILTER and OVER is left in its meta, under FINISH.
    """
    function = function_of(node)
    if function is None:  # A call that the translation itself put there.
        return node
    if function.name in _BY_HAND:
        return _BY_HAND[function.name](node)
    return _by_name(node, function)


def _by_name(node: exp.Anonymous, function: Function) -> exp.Expression:
    new = call(function.target, *node.expressions)
    if function.cast and not types.is_unknown(node.type):
        new.meta[FINISH] = _casting(node.type)
    return new


def _casting(kind: Type) -> Finish:
    return lambda node: cast(node, kind)


def _average(node: exp.Anonymous) -> exp.Expression:
    """Return Trino's exact mean of decimals: DuckDB's own goes through a double."""
    new, kind = call("avg", *node.expressions), argument_type(node.expressions[0])
    if kind.this == DType.DECIMAL:
        new.meta[FINISH] = _exact_mean(kind)
    return new


def _exact_mean(kind: Type) -> Finish:
    scale = literal(types.decimal_of(kind).scale)

    def finish(whole: exp.Expression) -> exp.Expression:
        parts = (_renamed(whole, "sum"), _renamed(whole, "count"))
        return cast(call("trino.mean", *parts, scale.copy()), kind)

    return finish


def _renamed(whole: exp.Expression, name: str) -> exp.Expression:
    """Return a copy of an aggregate, with its FILTER and OVER, that computes another one."""
    copy = whole.copy()
    inner = copy
    while isinstance(inner, WRAPPERS):
        inner = inner.this
    inner.set("this", name)
    return copy


def _concat(node: exp.Anonymous) -> exp.Expression:
    first, *others = node.expressions
    for other in others:
        first = exp.DPipe(this=first, expression=other)
    return exp.Paren(this=first)


def _null_aware(node: exp.Anonymous) -> exp.Expression:
    """Return Trino's greatest or least: NULL as soon as one argument is."""
    parts = node.expressions
    missing = exp.or_(*(exp.Is(this=part.copy(), expression=exp.Null()) for part in parts))
    found = call(node.name.lower(), *parts)
    return exp.Case(ifs=[exp.If(this=missing, true=exp.Null())], default=found)


def _if(node: exp.Anonymous) -> exp.Expression:
    condition, then, *other = node.expressions
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=other[0] if other else None)


def _mod(node: exp.Anonymous) -> exp.Expression:
    new = exp.Mod(this=node.expressions[0], expression=node.expressions[1])
    new.type = node.type
    return remainder(new)


def _date(node: exp.Anonymous) -> exp.Expression:
    return casted(exp.Cast(this=node.expressions[0], to=types.DATE.copy()))


def _typeof(node: exp.Anonymous) -> exp.Expression:
    return literal(types.display(argument_type(node.expressions[0])))


def _count(node: exp.Anonymous) -> exp.Expression:
    return call("count", *(node.expressions or [exp.Star()]))


def _sequence(node: exp.Anonymous) -> exp.Expression:
    """Return the list of numbers, or of moments: a day apart unless a step is given."""
    new = _by_name(node, function_of(node))
    if kind_of(node.expressions[0]) in types.MOMENTS:
        new.set("this", "trino.days")
    return new


def _approx_distinct(node: exp.Anonymous) -> exp.Expression:
    return call("count", exp.Distinct(expressions=[node.expressions[0]]))


def item(value: exp.Expression, key: exp.Expression) -> exp.Expression:
    """Return an element of an array or a map; NULL where there is none."""
    target = "map_extract_value" if kind_of(value) == DType.MAP else "trino.element"
    return call(target, value, key)


_OF_LISTS = {
    ("cardinality", DType.MAP): "cardinality",
    ("reverse", DType.ARRAY): "list_reverse",
}
"""A function and the kind of its argument → DuckDB's, where it is another one for that kind."""


def _of_list(node: exp.Anonymous) -> exp.Expression:
    new = _by_name(node, function_of(node))
    found = _OF_LISTS.get((node.name.lower(), kind_of(node.expressions[0])))
    if found:
        new.set("this", found)
    return new


_LIST_TEXTS = {
    **dict.fromkeys(types.FLOATS, "trino.double_texts"),
    DType.TIMESTAMP: "trino.timestamp_texts",
}


def _array_join(node: exp.Anonymous) -> exp.Expression:
    """Return the joined texts of a list's elements, each as a cast would write it."""
    values, *others = node.expressions
    inner = values.type.expressions if values.type else []
    texts = _LIST_TEXTS.get(inner[0].this) if inner else None
    return call(function_of(node).target, call(texts, values) if texts else values, *others)


def _element_at(node: exp.Anonymous) -> exp.Expression:
    return item(*node.expressions)


def _reduce(node: exp.Anonymous) -> exp.Expression:
    values, start, step, result = node.expressions
    reduced = call("list_reduce", values, step, start)
    return call(
        "list_extract", call("list_transform", call("list_value", reduced), result), literal(1)
    )


def _matching(node: exp.Anonymous) -> exp.Expression:
    """Return how many elements a condition holds for, compared as any, all or none wants."""
    values, condition = node.expressions
    found = call("len", call("list_filter", values, condition))
    wanted = call("len", values.copy()) if node.name.lower() == "all_match" else literal(0)
    compared = exp.GT if node.name.lower() == "any_match" else exp.EQ
    return exp.Paren(this=compared(this=found, expression=wanted))


_INDIFFERENT = (exp.Predicate, exp.AtTimeZone)
"""What asks a moment for nothing but its instant."""


def _iso_timestamp(node: exp.Anonymous) -> exp.Expression:
    """Return the moment of a text; where its zone would show, it has to be UTC."""
    user = node.parent
    while isinstance(user, exp.Paren) or (isinstance(user, exp.Anonymous) and _tries(user)):
        user = user.parent
    if isinstance(user, _INDIFFERENT):
        return call("trino.iso_instant", *node.expressions)
    return _by_name(node, function_of(node))


def _tries(node: exp.Anonymous) -> bool:
    return node.name.lower() == "try"


_UNTRIED = {
    "trino.from_iso8601_timestamp": ("trino.has_utc", 0),
    "trino.from_unixtime": ("trino.fits_moment", 0),
    "trino.at_timezone": ("trino.is_utc", 1),
}
"""What fails for a reason that TRY does not catch → what fails for it alone, of which argument."""


def _try(node: exp.Anonymous) -> exp.Expression:
    """Return a TRY, behind what fails in spite of it."""
    new = _by_name(node, function_of(node))
    for part in node.find_all(exp.Anonymous):
        if part.name in _UNTRIED and not part.find_ancestor(exp.Lambda):
            check, place = _UNTRIED[part.name]
            given = call("try", part.expressions[place].copy())
            new = exp.Case(ifs=[exp.If(this=call(check, given), true=new)])
    return new


_UNITS = {
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
"""A unit of time → DuckDB's interval of that unit, and how many make one."""


_OF_DAYS = ("day", "week", "month", "quarter", "year")


def _unit(node: exp.Anonymous) -> str:
    """Return the unit that a function is given first, for moments or only for dates."""
    unit, *others = node.expressions
    name = (constant(unit) or "").lower()
    moments = [kind_of(other) for other in others if kind_of(other) in types.MOMENTS]
    of_dates = bool(moments) and all(kind == DType.DATE for kind in moments)
    if name not in (_OF_DAYS if of_dates else _UNITS):
        raise QueryFailed(
            "INVALID_FUNCTION_ARGUMENT",
            f"'{name or unit.sql()}' is not a valid {'DATE' if of_dates else 'Timestamp'} field",
        )
    return name


def _date_add(node: exp.Anonymous) -> exp.Expression:
    name, times = _UNITS[_unit(node)]
    count = exp.Mul(this=exp.Paren(this=node.expressions[1]), expression=literal(times))
    interval = call(name, cast(count, types.INTEGER if name in _SHORT else types.BIGINT))
    new = exp.Paren(this=exp.Add(this=node.expressions[2], expression=interval))
    return cast(new, node.expressions[2].type) if kind_of(node) == DType.DATE else new


_SHORT = ("to_days", "to_months")  # Those that take an INTEGER only.


def _by_unit(node: exp.Anonymous) -> exp.Expression:
    _unit(node)
    return _by_name(node, function_of(node))


_MYSQL = {
    **{"Y": "%Y", "y": "%y", "m": "%m", "c": "%-m", "d": "%d", "e": "%-d", "j": "%j"},
    **{"H": "%H", "k": "%-H", "h": "%I", "I": "%I", "l": "%-I", "i": "%M", "s": "%S", "S": "%S"},
    **{"f": "%f", "p": "%p", "a": "%a", "W": "%A", "b": "%b", "M": "%B", "%": "%%"},
    **{"T": "%H:%M:%S", "r": "%I:%M:%S %p", "v": "%V", "x": "%G"},
}
"""MySQL's date specifiers, which Trino uses → DuckDB's."""


def _formatted(node: exp.Anonymous) -> exp.Expression:
    pattern = constant(node.expressions[1])
    if pattern is None:
        raise not_modelled("a date format that is not a literal")
    if node.name.lower() == "date_parse" and not re.search(r"%[Yx]", pattern):
        raise not_modelled(f"a date without %Y, as in {pattern}")  # Whose year would be Joda's.
    own = re.sub(r"%(.)", _specifier, pattern, flags=re.DOTALL)
    return call(function_of(node).target, node.expressions[0], literal(own))


def _specifier(found: re.Match[str]) -> str:
    if found[1] not in _MYSQL:
        raise QueryFailed("INVALID_FUNCTION_ARGUMENT", f"%{found[1]} not supported in date format")
    return _MYSQL[found[1]]


_END = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\$", re.DOTALL)


def _regexp_like(node: exp.Anonymous) -> exp.Expression:
    """Return the match of a pattern, whose $ is also the place before a last line's end."""
    text, pattern = node.expressions
    if constant(pattern) is not None and "(?m" not in pattern.name:
        pattern = literal(_END.sub(lambda found: found[1] or r"(?:\n?\z)", pattern.name))
    return call("regexp_matches", text, pattern)


_STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[(?:"([^"\\]+)"|'([^'\\]+)')\]""")


def _at_path(node: exp.Anonymous) -> exp.Expression:
    value, path = node.expressions
    steps = constant(path)
    if steps is None:
        raise not_modelled("a JSON path that is not a literal")
    if node.name.lower() == "json_extract_scalar" and kind_of(value) in types.TEXTS:
        value = call("trino.json_digits", value)
    return call(function_of(node).target, value, literal(_json_path(steps)))


def _json_path(path: str) -> str:
    """Return a JSON path as DuckDB writes it; raise for one that is not plain steps."""
    steps = path.removeprefix("$")
    if not path.startswith("$") or _STEP.sub("", steps):
        raise not_modelled(f"the JSON path {path}")
    return "$" + _STEP.sub(
        lambda step: f"[{step[2]}]" if step[2] else f'."{step[1] or step[3] or step[4]}"', steps
    )


_BY_HAND: dict[str, Callable[[exp.Anonymous], exp.Expression]] = {
    **{"avg": _average, "count": _count, "approx_distinct": _approx_distinct, "typeof": _typeof},
    **{"concat": _concat, "greatest": _null_aware, "least": _null_aware, "if": _if, "mod": _mod},
    **{"from_iso8601_timestamp": _iso_timestamp, "try": _try},
    **{
        "date": _date,
        "regexp_like": _regexp_like,
        "date_format": _formatted,
        "date_parse": _formatted,
    },
    **{"date_add": _date_add, "date_trunc": _by_unit, "date_diff": _by_unit},
    **dict.fromkeys(("cardinality", "reverse"), _of_list),
    **{
        "array_join": _array_join,
        "element_at": _element_at,
        "reduce": _reduce,
        "sequence": _sequence,
    },
    **dict.fromkeys(("any_match", "all_match", "none_match"), _matching),
    **dict.fromkeys(("json_extract", "json_extract_scalar", "json_size"), _at_path),
}
