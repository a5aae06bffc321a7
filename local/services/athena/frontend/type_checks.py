"""What Trino refuses for its types: DuckDB would cast in silence."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from local.services.athena.errors import QueryFailed
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import AGGREGATES, function_of
from local.services.athena.frontend.type_inference import DECIMALS, argument_type
from local.services.athena.frontend.types import DType

_NO_NUMBERS = (*types.TEXTS, DType.BOOLEAN, DType.JSON)
_JOINED = (*types.TEXTS, DType.ARRAY, DType.VARBINARY)


def position(node: exp.Expression) -> str:
    """Return where a node starts, as Trino's messages begin; line 1:1 where it is not known."""
    starts = [
        (part.meta["line"], part.meta["col"] - part.meta["end"] + part.meta["start"])
        for part in node.walk()
        if "line" in part.meta
    ]
    line, column = min(starts, default=(1, 1))
    return f"line {line}:{column}"


def unknown_type(kind: exp.DataType) -> QueryFailed:
    """Return Trino's refusal of a type that only others have."""
    name = "string" if kind.this == DType.TEXT else kind.sql().lower()
    return QueryFailed("TYPE_NOT_FOUND", f"{position(kind.parent)}: Unknown type: {name}")


def check(tree: exp.Expression) -> None:
    """Raise QueryFailed for the first part of a typed query that Trino would not take."""
    for node in tree.walk():
        for kinds, refuse in _CHECKS:
            if isinstance(node, kinds):
                refuse(node)


def _mismatch(node: exp.Expression, text: str) -> QueryFailed:
    return QueryFailed("TYPE_MISMATCH", f"{position(node)}: {text}")


def _unexpected(node: exp.Expression, name: str, given: list[Any]) -> QueryFailed:
    kinds = ", ".join(types.display(kind) for kind in given)
    return QueryFailed(
        "FUNCTION_NOT_FOUND",
        f"{position(node)}: Unexpected parameters ({kinds}) for function {name}",
    )


def _call(node: exp.Anonymous) -> None:
    function = function_of(node)
    given = [argument_type(argument) for argument in node.expressions]
    starred = any(isinstance(argument, exp.Star) for argument in node.expressions)
    if function and not starred and not function.takes(given):
        raise _unexpected(node, function.name, given)
    mixed = _MIXED.get(function.name) if function else None
    if mixed and not all(types.comparable(given[mixed[0]], kind) for kind in given[mixed[0] :]):
        raise _mismatch(
            node,
            f"All {mixed[1]} must be the same type or coercible to a common type: "
            f"{', '.join(map(types.display, given[mixed[0] :]))}",
        )


def _operator(node: exp.Binary) -> None:
    left, right = node.left.type, node.right.type
    several = isinstance(node.right, exp.Any | exp.All | exp.Query)
    if not several and not types.comparable(left, right):
        raise _inapplicable(node)


def _inapplicable(node: exp.Binary) -> QueryFailed:
    left, right = types.display(node.left.type), types.display(node.right.type)
    return _mismatch(node, f"Cannot apply operator: {left} {_SIGNS[type(node)]} {right}")


def _arithmetic(node: exp.Binary) -> None:
    for side in (node.left.type, node.right.type):
        if side is not None and side.this in _NO_NUMBERS:
            raise _inapplicable(node)
    if not _on_moments(node):
        raise _inapplicable(node)


def _on_moments(node: exp.Binary) -> bool:
    """Tell whether a moment is moved by an interval only, and taken from a moment only."""
    sides = (node.left.type, node.right.type)
    others = [kind for kind in sides if kind is None or kind.this not in types.MOMENTS]
    if len(others) == 2:
        return True
    if not others:
        return isinstance(node, exp.Sub)
    moved = isinstance(node, exp.Add) or (isinstance(node, exp.Sub) and others[0] is sides[1])
    return moved and (types.is_unknown(others[0]) or others[0].this == DType.INTERVAL)


def _between(node: exp.Between) -> None:
    low, high = node.args["low"].type, node.args["high"].type
    kind = node.this.type
    if not types.comparable(kind, low) or not types.comparable(kind, high):
        raise _mismatch(
            node,
            f"Cannot check if {types.display(kind)} is BETWEEN {types.display(low)} and "
            f"{types.display(high)}",
        )


def _in(node: exp.In) -> None:
    query = node.args.get("query")
    for member in [*node.expressions, *(query.unnest().selects if query else [])]:
        if not types.comparable(node.this.type, member.type):
            raise _mismatch(
                node,
                "IN value and list items must be the same type or coercible to a common type: "
                f"{types.display(node.this.type)} and {types.display(member.type)}",
            )


def _joined(node: exp.DPipe) -> None:
    sides = [node.left.type, node.right.type]
    if any(not types.is_unknown(kind) and kind.this not in _JOINED for kind in sides):
        raise _unexpected(node, "concat", sides)


def _boolean(node: exp.Expression, clause: str) -> None:
    if not types.is_unknown(node.type) and node.type.this != DType.BOOLEAN:
        raise _mismatch(
            node, f"{clause} must evaluate to a boolean: actual type {types.display(node.type)}"
        )


def _logical(node: exp.Not | exp.And | exp.Or) -> None:
    for side in node.iter_expressions():
        _boolean(side, f"Value of logical {type(node).__name__.upper()} expression")


def _set_operation(node: exp.SetOperation) -> None:
    sides = zip(node.left.selects, node.right.selects, strict=False)
    for place, (one, other) in enumerate(sides, start=1):
        if not types.comparable(one.type, other.type):
            raise _mismatch(
                node,
                f"column {place} in {type(node).__name__.upper()} query has incompatible types: "
                f"{types.display(one.type)}, {types.display(other.type)}",
            )


def _ordered_distinct(node: exp.Select) -> None:
    if not node.args.get("distinct") or not node.args.get("order"):
        return
    shown = {item.alias_or_name for item in node.selects} | {i.unalias() for i in node.selects}
    for term in (ordered.this for ordered in node.args["order"].expressions):
        if not isinstance(term, exp.Literal) and not shown & {term, _bare_name(term)}:
            raise QueryFailed(
                "EXPRESSION_NOT_IN_DISTINCT",
                f"{position(term)}: For SELECT DISTINCT, ORDER BY expressions must appear in "
                "select list",
            )


def _bare_name(term: exp.Expression) -> str | None:
    return term.name if isinstance(term, exp.Column) and not term.table else None


def _branches(node: exp.Case) -> None:
    for branch in node.args["ifs"]:
        if not node.this:
            _boolean(branch.this, "CASE WHEN clause")
    results = [branch.args["true"] for branch in node.args["ifs"]]
    results += filter(None, [node.args.get("default")])
    for result in results[1:]:
        if not types.comparable(results[0].type, result.type):
            raise _mismatch(
                node,
                "All CASE results must be the same type or coercible to a common type: "
                f"{types.display(results[0].type)} and {types.display(result.type)}",
            )


def _condition(node: exp.Where | exp.Having) -> None:
    _boolean(node.this, f"{type(node).__name__.upper()} clause")


def _row_by_row(node: exp.Where) -> None:
    select = node.find_ancestor(exp.Select)
    for call in node.find_all(exp.Anonymous):
        if call.name.lower() in AGGREGATES and call.find_ancestor(exp.Select) is select:
            raise QueryFailed(
                "EXPRESSION_NOT_SCALAR",
                f"{position(call)}: WHERE clause cannot contain aggregations, window functions or "
                "grouping operations",
            )


_MIXED = {
    **{"coalesce": (0, "COALESCE operands"), "nullif": (0, "NULLIF operands")},
    **{"greatest": (0, "arguments of greatest"), "least": (0, "arguments of least")},
    "if": (1, "IF results"),
}
"""A function → the first of its arguments that must have one type, and Trino's name of them."""
_SIGNS = {
    **{exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="},
    **{exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"},
}
_CHECKS: tuple[tuple[Any, Callable[[Any], None]], ...] = (
    (exp.Anonymous, _call),
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _operator),
    (tuple(DECIMALS), _arithmetic),
    (exp.Between, _between),
    (exp.In, _in),
    (exp.DPipe, _joined),
    (exp.Case, _branches),
    ((exp.Not, exp.And, exp.Or), _logical),
    (exp.SetOperation, _set_operation),
    (exp.Select, _ordered_distinct),
    ((exp.Where, exp.Having), _condition),
    (exp.Where, _row_by_row),
)
