"""Transpiler from Trino's SQL to DuckDB's: the same rows, with the same digits.

A query passes through six stages:

1. Parse (frontend/parser.py): Trino's grammar only. Syntax of other dialects is rejected.
2. Check (frontend/analyzer.py): columns are resolved against the catalog, unknown functions and
   unmodelled syntax are rejected.
3. Type (frontend/type_inference.py, type_checks.py): each expression gets Trino's type. A query
   that Trino rejects for its types is rejected here, since DuckDB would cast silently.
4. Translate (this module): each node becomes DuckDB's equivalent, the innermost nodes first, so
   that a rule sees operands that are translated already but keep Trino's types.
5. Plan (planner.py, scans.py): each table becomes a DuckDB view over its cached objects, and
   DuckDB's plan shows which partitions are read, and so how many bytes the query scans.
6. Run (engine.py): DuckDB writes the rows as text in Athena's format.

Five things are hard:

- TRY catches some of Trino's errors but not all. DuckDB's error() cannot be caught by its TRY,
  so the macros of macros.sql fail by a cast that can be. Errors that Trino's TRY does not catch
  are checked outside it.
- Decimals: Trino's precision and scale differ from DuckDB's for every operator. Operands are cast
  to sizes that keep all digits, and quotients are computed from the unscaled integers, since
  DuckDB divides decimals as doubles.
- Time zones: DuckDB's timestamps with time zone are instants and keep no zone. A zone other than
  UTC is therefore rejected, except where only the instant matters, as in a comparison.
- NULL: greatest, contains and the array functions treat NULL differently in the two engines, so
  the translation adds explicit checks.
- Order of evaluation: DuckDB folds constants at plan time, even in a branch that never runs. An
  error message therefore includes the value, which keeps the failing expression from being folded
  unless the value is itself a constant.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlglot import exp

from local.services.athena.backend.arithmetic import (
    translate_add,
    translate_div,
    translate_mod,
    translate_mul,
)
from local.services.athena.backend.ast_builders import (
    CALL_SUFFIXES,
    WRAP_LATER,
    call,
    cast,
    literal,
)
from local.services.athena.backend.casts import translate_cast
from local.services.athena.backend.function_calls import (
    element_or_null,
    translate_call,
    translate_pipe,
)
from local.services.athena.backend.unnest import translate_unnest
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend import types
from local.services.athena.frontend.type_checks import position
from local.services.athena.frontend.types import DType, dtype_of


def transpile(tree: exp.Expr, now: datetime) -> str:
    """Return DuckDB's SQL for an analyzed query; `now` is the value of CURRENT_TIMESTAMP.

    The given tree is modified.
    """
    root = exp.Subquery(this=tree)
    for node in reversed(list(root.walk())):
        if node is not root:
            _translate(node, now)
    for node in reversed(list(root.walk())):
        wrap = node.meta.pop(WRAP_LATER, None)
        if wrap is not None:
            node.replace(wrap(node.copy()))
    return str(root.this.sql(dialect="duckdb", copy=False))


def _translate(node: exp.Expr, now: datetime) -> None:
    """Replace a node, whose operands are translated already, by its translation."""
    if isinstance(node, CALL_SUFFIXES) and isinstance(node.this, exp.Expr):
        wrap = node.this.meta.pop(WRAP_LATER, None)
        if wrap is not None:
            node.meta[WRAP_LATER] = wrap
    translation = _current_time(node, now) or _TRANSLATIONS.get(type(node), _unchanged)(node)
    if translation is not node:
        translation.type = node.type or types.UNKNOWN
        node.replace(translation)


def _unchanged(node: exp.Expr) -> exp.Expr:
    return node


def uses_current_time(tree: exp.Expr) -> bool:
    """Return whether a query reads the clock, so that its translation cannot be cached."""
    return any(_current_time(node, ANY_TIME) is not None for node in tree.walk())


def _current_time(node: exp.Expr, now: datetime) -> exp.Expr | None:
    """Return the literal for a node that reads the clock: the same in the whole query."""
    if isinstance(node, exp.CurrentDate):
        return cast(literal(f"{now:%Y-%m-%d}"), types.DATE)
    if isinstance(node, exp.Localtimestamp):
        return cast(literal(_milliseconds(now)), types.TIMESTAMP)
    is_now_call = isinstance(node, exp.Anonymous) and node.name.lower() == "now"
    if isinstance(node, exp.CurrentTimestamp) or is_now_call:
        return cast(literal(_milliseconds(now) + "+00"), types.TIMESTAMPTZ)
    return None


def _milliseconds(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03}"


ANY_TIME = datetime.min  # noqa: DTZ901 - stands for the time of a query that does not read it.
_EXTRACT_FUNCTIONS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "day": "day",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
    "timezone_hour": "timezone_hour",
    "timezone_minute": "timezone_minute",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "dayofyear",
    "doy": "dayofyear",
    "day_of_month": "day",
    "year_of_week": "isoyear",
    "yow": "isoyear",
}
"""A field of EXTRACT → DuckDB's function."""


def _extract(node: exp.Extract) -> exp.Expr:
    field = node.name.lower()
    if field not in _EXTRACT_FUNCTIONS:
        raise QueryFailed("SYNTAX_ERROR", f"{position(node)}: Invalid EXTRACT field: {field}")
    return call(_EXTRACT_FUNCTIONS[field], node.expression)


def _at_time_zone(node: exp.AtTimeZone) -> exp.Expr:
    return call("trino.at_timezone", node.this, node.args["zone"])


def _hex_string(node: exp.HexString) -> exp.Expr:
    return call("unhex", literal(str(node.this)))


def _json_literal(node: exp.ParseJSON) -> exp.Expr:
    return call("trino.json_parse", node.this)


def _compare(node: exp.Binary) -> exp.Expr:
    """Translate a comparison: NaN is neither less nor greater than anything."""
    operands = [node.left, node.right]
    if not any(dtype_of(operand) in types.FLOAT_TYPES for operand in operands):
        return node
    operands = [cast(operand.copy(), types.DOUBLE) for operand in operands]
    return exp.Case(
        ifs=[exp.If(this=call("trino.has_nan", *operands), true=exp.false())], default=node.copy()
    )


def _subscript(node: exp.Bracket) -> exp.Expr:
    collection, key = node.this, node.expressions[0]
    if dtype_of(collection) == DType.MAP:
        return call("trino.map_subscript", collection, key)
    if dtype_of(collection) == DType.ARRAY:
        return call("trino.array_subscript", collection, key)
    if dtype_of(collection) == DType.STRUCT:
        return call("struct_extract", collection, key)
    return element_or_null(collection, key)


def _any(node: exp.Any) -> exp.Expr:
    """Translate ANY or SOME: sqlglot writes no parentheses around its VALUES."""
    return exp.Any(this=exp.Paren(this=node.this)) if isinstance(node.this, exp.Values) else node


def _trim(node: exp.Trim) -> exp.Expr:
    side = str(node.args.get("position"))
    function = {"LEADING": "trino.ltrim", "TRAILING": "trino.rtrim"}.get(side, "trino.trim")
    characters = [node.expression] if node.expression else []
    return call(function, node.this, *characters)


def _ignore_nulls(node: exp.IgnoreNulls) -> exp.Expr:
    """Move IGNORE NULLS to where DuckDB expects it: inside the parentheses of the call."""
    *others, last = node.this.expressions or [exp.Null()]
    return call(node.this.name, *others, exp.Var(this=f"{last.sql('duckdb')} IGNORE NULLS"))


def _inline_cte(node: exp.CTE) -> exp.Expr:
    """Inline a WITH query, as Trino does, so that each use of it prunes partitions by itself."""
    if node.parent is not None and not node.parent.args.get("recursive"):
        node.set("materialized", False)
    return node


_TRANSLATIONS: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {  # Any: each takes its own node.
    exp.Anonymous: translate_call,
    exp.Div: translate_div,
    exp.Mod: translate_mod,
    exp.DPipe: translate_pipe,
    exp.Add: translate_add,
    exp.Sub: translate_add,
    exp.Mul: translate_mul,
    exp.Cast: translate_cast,
    exp.TryCast: translate_cast,
    exp.Extract: _extract,
    exp.AtTimeZone: _at_time_zone,
    exp.Bracket: _subscript,
    exp.HexString: _hex_string,
    exp.ParseJSON: _json_literal,
    **dict.fromkeys((exp.LT, exp.LTE, exp.GT, exp.GTE), _compare),
    exp.Any: _any,
    exp.Trim: _trim,
    exp.CTE: _inline_cte,
    exp.Unnest: translate_unnest,
    exp.IgnoreNulls: _ignore_nulls,
    exp.RespectNulls: lambda node: node.this,
}
