"""Translation of aggregates: what is around one, with its FILTER and OVER, is applied later."""

from collections.abc import Callable

from sqlglot import exp

from local.services.athena.backend.ast_builders import (
    CALL_SUFFIXES,
    WRAP_LATER,
    Wrapper,
    call,
    call_target,
    cast,
    cast_wrapper,
    literal,
)
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import require_function
from local.services.athena.frontend.type_inference import argument_type
from local.services.athena.frontend.types import DType, Type, dtype_of, type_of


def _avg(node: exp.Anonymous) -> exp.Expr:
    """Translate avg: DuckDB's own computes the mean of decimals as a double."""
    average = call("avg", *node.expressions)
    argument = argument_type(node.expressions[0])
    if argument.this == DType.DECIMAL:
        average.meta[WRAP_LATER] = _exact_mean_wrapper(argument)
    if argument.this == DType.FLOAT:
        average.meta[WRAP_LATER] = cast_wrapper(argument)
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
    return call_target(node)


def _count(node: exp.Anonymous) -> exp.Expr:
    return call("count", *(node.expressions or [exp.Star()]))


def _approx_distinct(node: exp.Anonymous) -> exp.Expr:
    return call("count", exp.Distinct(expressions=[node.expressions[0]]))


def _extreme(node: exp.Anonymous) -> exp.Expr:
    """Translate max or min, perhaps of several values: NaN is the greatest in DuckDB only."""
    value, *counts = node.expressions
    value = value.expressions[0] if isinstance(value, exp.Distinct) else value
    counts = [call("trino.require_count", count) for count in counts]
    if node.name.lower() == "max" and dtype_of(value) in types.FLOAT_TYPES:
        return call("arg_max", value, call("trino.nan_as_least", value.copy()), *counts)
    return call(require_function(node).target, value, *counts)


def _extreme_by(node: exp.Anonymous) -> exp.Expr:
    """Translate max_by or min_by; of several values, NULL is one too."""
    value, key, *counts = node.expressions
    target = require_function(node).target
    if target == "arg_max" and dtype_of(key) in types.FLOAT_TYPES:
        key = call("trino.nan_as_least", key)
    if not counts:
        return call(f"{target}_null", value, key)
    count = call("trino.require_count", counts[0])
    entries = call(target, call("struct_pack", _named_argument("value", value)), key, count)
    entries.meta[WRAP_LATER] = _call_wrapper("trino.values_of")
    return entries


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


def _count_if(node: exp.Anonymous) -> exp.Expr:
    """Translate count_if: 0 where DuckDB's is NULL, since no row has a condition."""
    count = call_target(node)
    count.meta[WRAP_LATER] = _zero_if_null
    return count


def _zero_if_null(count: exp.Expr) -> exp.Expr:
    return cast(call("coalesce", count, literal(0)), types.BIGINT)


AGGREGATE_FUNCTIONS: dict[str, Callable[[exp.Anonymous], exp.Expr]] = {
    "approx_distinct": _approx_distinct,
    "avg": _avg,
    "count": _count,
    "count_if": _count_if,
    "geometric_mean": _geometric_mean,
    "map_agg": _map_aggregate,
    "max": _extreme,
    "max_by": _extreme_by,
    "min": _extreme,
    "min_by": _extreme_by,
    "map_union": _map_aggregate,
    "multimap_agg": _map_aggregate,
    "skewness": _skewness,
    "sum": _sum,
}
