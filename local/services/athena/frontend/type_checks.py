"""Trino's type checks: a query with mismatched types fails, where DuckDB would cast silently."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from local.services.athena.errors import QueryFailed
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import find_function, is_aggregate
from local.services.athena.frontend.type_inference import (
    DECIMAL_RESULTS,
    argument_type,
    case_results,
)
from local.services.athena.frontend.types import DType, Type, display_name, type_of

_NON_ARITHMETIC_TYPES = (*types.STRING_TYPES, DType.BOOLEAN, DType.JSON)
_CONCATENABLE_TYPES = (*types.STRING_TYPES, DType.ARRAY, DType.VARBINARY)


def position(node: exp.Expr | None) -> str:
    """Return where a node starts in Trino's words, line 1:1 if its position is unknown."""
    starts = [
        (part.meta["line"], part.meta["col"] - part.meta["end"] + part.meta["start"])
        for part in (node.walk() if node else ())
        if "line" in part.meta
    ]
    line, column = min(starts, default=(1, 1))
    return f"line {line}:{column}"


def unknown_type_error(data_type: Type) -> QueryFailed:
    """Return Trino's error for a type that only other dialects have."""
    name = "string" if data_type.this == DType.TEXT else data_type.sql().lower()
    return QueryFailed("TYPE_NOT_FOUND", f"{position(data_type.parent)}: Unknown type: {name}")


def check_types(tree: exp.Expr) -> None:
    """Raise QueryFailed for the first node of a typed query that Trino would reject."""
    for node in tree.walk():
        for node_types, check in _CHECKS:
            if isinstance(node, node_types):
                check(node)


def _type_mismatch(node: exp.Expr, message: str) -> QueryFailed:
    return QueryFailed("TYPE_MISMATCH", f"{position(node)}: {message}")


def _unexpected_parameters(node: exp.Expr, name: str, arguments: Sequence[Type]) -> QueryFailed:
    return QueryFailed(
        "FUNCTION_NOT_FOUND",
        f"{position(node)}: Unexpected parameters ({_display_names(arguments)}) for function "
        f"{name}",
    )


def _display_names(data_types: Sequence[Type]) -> str:
    return ", ".join(map(display_name, data_types))


def _check_call(node: exp.Anonymous) -> None:
    function = find_function(node)
    if function is None:
        return
    arguments = [argument_type(argument) for argument in node.expressions]
    has_star = any(isinstance(argument, exp.Star) for argument in node.expressions)
    if not has_star and not function.accepts(arguments):
        raise _unexpected_parameters(node, function.name, arguments)
    if function.name in _SAME_TYPE_ARGUMENTS:
        first, description = _SAME_TYPE_ARGUMENTS[function.name]
        _check_same_type(node, description, arguments[first:])


_SAME_TYPE_ARGUMENTS = {
    "coalesce": (0, "COALESCE operands"),
    "nullif": (0, "NULLIF operands"),
    "greatest": (0, "arguments of greatest"),
    "least": (0, "arguments of least"),
    "if": (1, "IF results"),
}
"""A function → from which argument on the types must agree, and Trino's word for those."""


def _check_same_type(node: exp.Expr, description: str, arguments: Sequence[Type]) -> None:
    if not all(types.is_comparable(arguments[0], argument) for argument in arguments):
        raise _type_mismatch(
            node,
            f"All {description} must be the same type or coercible to a common type: "
            f"{_display_names(arguments)}",
        )


def _check_comparison(node: exp.Binary) -> None:
    has_subquery = isinstance(node.right, exp.Any | exp.All | exp.Query)
    if not has_subquery and not types.is_comparable(type_of(node.left), type_of(node.right)):
        raise _operator_mismatch(node)


def _operator_mismatch(node: exp.Binary) -> QueryFailed:
    left, right = display_name(type_of(node.left)), display_name(type_of(node.right))
    return _type_mismatch(node, f"Cannot apply operator: {left} {_OPERATORS[type(node)]} {right}")


_OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}


def _check_arithmetic(node: exp.Binary) -> None:
    operands = (type_of(node.left), type_of(node.right))
    if any(operand.this in _NON_ARITHMETIC_TYPES for operand in operands):
        raise _operator_mismatch(node)
    if not _is_valid_with_datetimes(node, *operands):
        raise _operator_mismatch(node)


def _is_valid_with_datetimes(node: exp.Binary, left: Type, right: Type) -> bool:
    """Return whether datetimes are only subtracted from each other and only moved by intervals."""
    left_is_datetime = left.this in types.DATETIME_TYPES
    right_is_datetime = right.this in types.DATETIME_TYPES
    if left_is_datetime and right_is_datetime:
        return isinstance(node, exp.Sub)
    if left_is_datetime:
        return isinstance(node, exp.Add | exp.Sub) and _may_be_interval(right)
    if right_is_datetime:
        return isinstance(node, exp.Add) and _may_be_interval(left)
    return True


def _may_be_interval(operand: Type) -> bool:
    return types.is_unknown(operand) or operand.this == DType.INTERVAL


def _check_between(node: exp.Between) -> None:
    value = type_of(node.this)
    low = type_of(node.args["low"])
    high = type_of(node.args["high"])
    if not types.is_comparable(value, low) or not types.is_comparable(value, high):
        raise _type_mismatch(
            node,
            f"Cannot check if {display_name(value)} is BETWEEN {display_name(low)} and "
            f"{display_name(high)}",
        )


def _check_in(node: exp.In) -> None:
    query = node.args.get("query")
    members = [*node.expressions, *(query.unnest().selects if query else [])]
    value = type_of(node.this)
    for member in map(type_of, members):
        if not types.is_comparable(value, member):
            raise _type_mismatch(
                node,
                "IN value and list items must be the same type or coercible to a common type: "
                f"{display_name(value)} and {display_name(member)}",
            )


def _check_concatenation(node: exp.DPipe) -> None:
    operands = [type_of(node.left), type_of(node.right)]
    for operand in operands:
        if not types.is_unknown(operand) and operand.this not in _CONCATENABLE_TYPES:
            raise _unexpected_parameters(node, "concat", operands)


def _check_boolean(node: exp.Expr, description: str) -> None:
    actual = type_of(node)
    if not types.is_unknown(actual) and actual.this != DType.BOOLEAN:
        raise _type_mismatch(
            node,
            f"{description} must evaluate to a boolean: actual type {display_name(actual)}",
        )


def _check_logical(node: exp.Not | exp.And | exp.Or) -> None:
    for operand in node.iter_expressions():
        _check_boolean(operand, f"Value of logical {type(node).__name__.upper()} expression")


def _check_set_operation(node: exp.SetOperation) -> None:
    column_pairs = zip(node.left.selects, node.right.selects, strict=False)
    for number, (left, right) in enumerate(column_pairs, start=1):
        if not types.is_comparable(type_of(left), type_of(right)):
            raise _type_mismatch(
                node,
                f"column {number} in {type(node).__name__.upper()} query has incompatible types: "
                f"{display_name(type_of(left))}, {display_name(type_of(right))}",
            )


def _check_distinct_order(node: exp.Select) -> None:
    if not node.args.get("distinct") or not node.args.get("order"):
        return
    names = {item.alias_or_name for item in node.selects}
    expressions = {item.unalias() for item in node.selects}
    for ordered in node.args["order"].expressions:
        term = ordered.this
        is_selected = term in expressions or _unqualified_name(term) in names
        if not isinstance(term, exp.Literal) and not is_selected:
            raise QueryFailed(
                "EXPRESSION_NOT_IN_DISTINCT",
                f"{position(term)}: For SELECT DISTINCT, ORDER BY expressions must appear in "
                "select list",
            )


def _unqualified_name(term: exp.Expr) -> str | None:
    return term.name if isinstance(term, exp.Column) and not term.table else None


def _check_case(node: exp.Case) -> None:
    if not node.this:
        for branch in node.args["ifs"]:
            _check_boolean(branch.this, "CASE WHEN clause")
    results = [type_of(result) for result in case_results(node)]
    for result in results[1:]:
        if not types.is_comparable(results[0], result):
            raise _type_mismatch(
                node,
                "All CASE results must be the same type or coercible to a common type: "
                f"{display_name(results[0])} and {display_name(result)}",
            )


def _check_condition(node: exp.Where | exp.Having) -> None:
    _check_boolean(node.this, f"{type(node).__name__.upper()} clause")


def _check_no_aggregates(node: exp.Where) -> None:
    select = node.find_ancestor(exp.Select)
    for call in node.find_all(exp.Anonymous):
        if is_aggregate(call) and call.find_ancestor(exp.Select) is select:
            raise QueryFailed(
                "EXPRESSION_NOT_SCALAR",
                f"{position(call)}: WHERE clause cannot contain aggregations, window functions or "
                "grouping operations",
            )


_CHECKS: tuple[tuple[Any, Callable[[Any], None]], ...] = (  # Any: each takes its own node.
    (exp.Anonymous, _check_call),
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _check_comparison),
    (tuple(DECIMAL_RESULTS), _check_arithmetic),
    (exp.Between, _check_between),
    (exp.In, _check_in),
    (exp.DPipe, _check_concatenation),
    (exp.Case, _check_case),
    ((exp.Not, exp.And, exp.Or), _check_logical),
    (exp.SetOperation, _check_set_operation),
    (exp.Select, _check_distinct_order),
    ((exp.Where, exp.Having), _check_condition),
    (exp.Where, _check_no_aggregates),
)
