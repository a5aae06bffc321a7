"""Trino's query as DuckDB's: the same rows to the digit, by what the analysis knows of types."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlglot import exp

from local.services.athena.backend.arithmetic import division, product, remainder, total
from local.services.athena.backend.ast_builders import call, cast, kind_of, literal
from local.services.athena.backend.casts import casted
from local.services.athena.backend.function_calls import FINISH, WRAPPERS, called, item
from local.services.athena.backend.unnest import unnested
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend import types
from local.services.athena.frontend.type_checks import position
from local.services.athena.frontend.types import DType


def translated(tree: exp.Expression, now: datetime) -> str:
    """Return DuckDB's SQL for an analysed query; `now` is what CURRENT_TIMESTAMP means in it."""
    root = exp.Subquery(this=tree.copy())
    for node in reversed(list(root.walk())):
        if node is not root:
            _translate(node, now)
    for node in reversed(list(root.walk())):
        finish = node.meta.pop(FINISH, None)
        if finish is not None:
            node.replace(finish(node.copy()))
    return root.this.sql(dialect="duckdb")


def _translate(node: exp.Expression, now: datetime) -> None:
    """Replace a node, whose parts are translated already, by DuckDB's."""
    if isinstance(node, WRAPPERS) and isinstance(node.this, exp.Expression):
        finish = node.this.meta.pop(FINISH, None)
        if finish is not None:
            node.meta[FINISH] = finish
    new = _moment(node, now) or _TRANSLATIONS.get(type(node), _itself)(node)
    if new is not node:
        new.type = node.type or types.UNKNOWN
        node.replace(new)


def _itself(node: exp.Expression) -> exp.Expression:
    return node


def tells_now(tree: exp.Expression) -> bool:
    """Return whether a query asks for the present, so that its translation does not last."""
    return any(_moment(node, datetime.min) is not None for node in tree.walk())


def _moment(node: exp.Expression, now: datetime) -> exp.Expression | None:
    """Return the present, where a node asks for it: the same in the whole query."""
    text = now.strftime("%Y-%m-%d %H:%M:%S.") + f"{now.microsecond // 1000:03}"
    if isinstance(node, exp.CurrentDate):
        return cast(literal(text[:10]), types.DATE)
    if isinstance(node, exp.Localtimestamp):
        return cast(literal(text), types.TIMESTAMP)
    now_called = isinstance(node, exp.Anonymous) and node.name.lower() == "now"
    if isinstance(node, exp.CurrentTimestamp) or now_called:
        return cast(literal(text + "+00"), types.TIMESTAMPTZ)
    return None


_FIELDS = {
    **{field: field for field in ("year", "quarter", "month", "week", "day")},
    **{field: field for field in ("hour", "minute", "second", "timezone_hour", "timezone_minute")},
    **{"day_of_week": "isodow", "dow": "isodow", "day_of_year": "dayofyear", "doy": "dayofyear"},
    **{"day_of_month": "day", "year_of_week": "isoyear", "yow": "isoyear"},
}
"""A field of EXTRACT → DuckDB's function."""


def _extract(node: exp.Extract) -> exp.Expression:
    field = node.name.lower()
    if field not in _FIELDS:
        raise QueryFailed("SYNTAX_ERROR", f"{position(node)}: Invalid EXTRACT field: {field}")
    return call(_FIELDS[field], node.expression)


def _zoned(node: exp.AtTimeZone) -> exp.Expression:
    return call("trino.at_timezone", node.this, node.args["zone"])


def _subscript(node: exp.Bracket) -> exp.Expression:
    value, key = node.this, node.expressions[0]
    if kind_of(value) == DType.MAP:
        return call("trino.held", value, key)
    return call("trino.item", value, key) if kind_of(value) == DType.ARRAY else item(value, key)


def _trim(node: exp.Trim) -> exp.Expression:
    side = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")), "trim")
    return call(side, node.this, *([node.expression] if node.expression else []))


def _ignoring_nulls(node: exp.IgnoreNulls) -> exp.Expression:
    """Return the call with IGNORE NULLS where DuckDB wants it: within the brackets."""
    *others, last = node.this.expressions or [exp.Null()]
    return call(node.this.name, *others, exp.Var(this=f"{last.sql('duckdb')} IGNORE NULLS"))


def _planned_anew(node: exp.CTE) -> exp.Expression:
    if not node.parent.args.get("recursive"):
        node.set("materialized", False)  # As in Trino, each use of it prunes partitions by itself.
    return node


_TRANSLATIONS: dict[Any, Callable[[Any], exp.Expression]] = {
    exp.Anonymous: called,
    exp.Div: division,
    exp.Mod: remainder,
    exp.Add: total,
    exp.Sub: total,
    exp.Mul: product,
    exp.Cast: casted,
    exp.TryCast: casted,
    exp.Extract: _extract,
    exp.AtTimeZone: _zoned,
    exp.Bracket: _subscript,
    exp.Trim: _trim,
    exp.CTE: _planned_anew,
    exp.Unnest: unnested,
    exp.IgnoreNulls: _ignoring_nulls,
    exp.RespectNulls: lambda node: node.this,
}
