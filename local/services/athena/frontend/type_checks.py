"""Trino's type checks: a query with mismatched types fails, where DuckDB would cast silently."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from sqlglot import exp

from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import find_function, is_aggregate
from local.services.athena.frontend.type_inference import (
    DECIMAL_RESULTS,
    argument_type,
    case_results,
)
from local.services.athena.frontend.types import DType, Type, display_name, type_of

_NON_ARITHMETIC_TYPES = (*types.STRING_TYPES, DType.BOOLEAN, DType.JSON)


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
    check = _CALL_CHECKS.get(function.name)
    if check:
        check(node, arguments)


def _check_listagg(node: exp.Anonymous, _: Sequence[Type]) -> None:
    if not isinstance(node.parent, exp.WithinGroup | exp.Filter):
        raise QueryFailed("SYNTAX_ERROR", f"{position(node)}: listagg requires WITHIN GROUP")


def _check_truncate(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    if len(arguments) > 1 and not types.as_decimal(arguments[0]):
        raise _unexpected_parameters(node, "truncate", arguments)


def _check_condition_lambda(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    if arguments[-1].this != DType.BOOLEAN:
        raise _unexpected_parameters(node, node.name.lower(), arguments)


def _check_array_join(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    element = types.element_type(arguments[0])
    if element.this in (*_NESTED, DType.VARBINARY):
        raise _type_mismatch(node, f"Cannot cast {display_name(element)} to varchar")


def _check_comparator(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    has_two_parameters = len(node.expressions[-1].expressions) == 2
    if len(arguments) > 1 and not (has_two_parameters and arguments[1].this == DType.INT):
        raise _unexpected_parameters(node, "array_sort", arguments)


def _check_json_input(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    document = arguments[0]
    if document.this == DType.VARBINARY:
        raise not_modelled(f"{position(node)}: {node.name} of binary data")
    if not types.is_unknown(document) and document.this not in types.STRING_TYPES:
        message = f"Cannot read input of type {display_name(document)} as JSON"
        raise _type_mismatch(node, message)


def _check_json_value(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
    _check_json_input(node, arguments)
    _, _, returned, *defaults = arguments
    if returned.this in (*_NESTED, DType.JSON, DType.VARBINARY):
        message = f"Invalid return type of function JSON_VALUE: {display_name(returned)}"
        raise _type_mismatch(node, message)
    for default in defaults:
        is_text = {default.this, returned.this} <= {*types.STRING_TYPES}
        if not is_text and types.common_type(default, returned) != returned:
            raise _type_mismatch(
                node,
                f"Function JSON_VALUE default result must evaluate to a {display_name(returned)} "
                f"(actual: {display_name(default)})",
            )


def _same_type_check(first: int, description: str) -> Callable[[exp.Anonymous, Any], None]:
    """Return the check that the arguments from one on have a common type."""

    def check(node: exp.Anonymous, arguments: Sequence[Type]) -> None:
        _check_same_type(node, description, arguments[first:])

    return check


def _check_same_type(node: exp.Expr, description: str, arguments: Sequence[Type]) -> None:
    if not all(types.is_comparable(left, right) for left, right in combinations(arguments, 2)):
        raise _type_mismatch(
            node,
            f"All {description} must be the same type or coercible to a common type: "
            f"{_display_names(arguments)}",
        )


_UNORDERED = {DType.JSON, DType.MAP}


def _check_comparison(node: exp.Binary) -> None:
    is_ordered = not isinstance(node, exp.EQ | exp.NEQ)
    if is_ordered and {type_of(node.left).this, type_of(node.right).this} & _UNORDERED:
        raise _operator_mismatch(node)
    has_subquery = isinstance(node.right, exp.Any | exp.All | exp.Query)
    if not has_subquery and not types.is_comparable(type_of(node.left), type_of(node.right)):
        raise _operator_mismatch(node)


def _check_distinct_from(node: exp.NullSafeEQ | exp.NullSafeNEQ) -> None:
    if not types.is_comparable(type_of(node.left), type_of(node.right)):
        names = _display_names([type_of(node.left), type_of(node.right)])
        raise _type_mismatch(node, f"Cannot apply operator IS DISTINCT FROM to {names}")


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
    if not _is_valid_with_intervals(node, *operands):
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


def _is_valid_with_intervals(node: exp.Binary, left: Type, right: Type) -> bool:
    """Return whether intervals are added to those of their kind, and only scaled by numbers."""
    is_sum = isinstance(node, exp.Add | exp.Sub)
    if not is_sum or DType.INTERVAL not in (left.this, right.this):
        return True
    moves_datetime = any(operand.this in types.DATETIME_TYPES for operand in (left, right))
    return moves_datetime or types.is_comparable(left, right)


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


def _check_pipe(node: exp.DPipe) -> None:
    _check_concatenation(node, [type_of(node.left), type_of(node.right)])


def _check_concatenation(node: exp.Expr, operands: Sequence[Type]) -> None:
    """Check that all operands are strings or binary, or arrays and perhaps one more element."""
    known = [operand for operand in operands if not types.is_unknown(operand)]
    families = (types.STRING_TYPES, (DType.VARBINARY,))
    is_plain = any(all(operand.this in family for operand in known) for family in families)
    arrays = [operand for operand in known if operand.this == DType.ARRAY]
    is_array = len(arrays) >= len(known) - 1 and bool(arrays)
    if not is_plain and not is_array:
        raise _unexpected_parameters(node, "concat", operands)


_SCALARS = (*types.NUMERIC_TYPES, DType.BOOLEAN)
_NESTED = (DType.ARRAY, DType.MAP, DType.STRUCT)
_CASTS = {
    **dict.fromkeys(_SCALARS, (*_SCALARS, *types.STRING_TYPES, DType.JSON)),
    **dict.fromkeys(
        types.STRING_TYPES,
        (*_SCALARS, *types.STRING_TYPES, *types.DATETIME_TYPES, DType.TIME, DType.JSON, DType.UUID),
    ),
    DType.DATE: (*types.DATETIME_TYPES, *types.STRING_TYPES, DType.JSON),
    DType.TIMESTAMP: (*types.DATETIME_TYPES, DType.TIME, *types.STRING_TYPES, DType.JSON),
    DType.TIMESTAMPTZ: (*types.DATETIME_TYPES, DType.TIME, *types.STRING_TYPES),
    DType.INTERVAL: (DType.INTERVAL, *types.STRING_TYPES),
    DType.VARBINARY: (DType.VARBINARY,),
    DType.JSON: (*_SCALARS, *types.STRING_TYPES, *_NESTED, DType.JSON),
    DType.ARRAY: (DType.ARRAY, DType.JSON),
    DType.MAP: (DType.MAP, DType.JSON),
    DType.STRUCT: (DType.STRUCT, DType.JSON),
}
"""A type → the types that Trino casts it to; types that are not listed are not checked."""


def _check_cast(node: exp.Cast) -> None:
    source, target = type_of(node.this), node.to
    if not may_cast(source, target):
        message = f"Cannot cast {display_name(source)} to {display_name(target)}"
        raise _type_mismatch(node, message)


def may_cast(source: Type, target: Type) -> bool:
    """Return whether Trino casts a type to another."""
    if source.this == target.this == DType.ARRAY:
        return may_cast(types.element_type(source), types.element_type(target))
    return source.this not in _CASTS or target.this in _CASTS[source.this]


def _check_at_time_zone(node: exp.AtTimeZone) -> None:
    value = type_of(node.this)
    if not types.is_unknown(value) and value.this not in (DType.TIMESTAMP, DType.TIMESTAMPTZ):
        message = "Type of value must be a time or timestamp with or without time zone"
        raise _type_mismatch(node, f"{message} (actual {display_name(value)})")


def _check_window(node: exp.Window) -> None:
    """Check that only aggregates and values of a frame have a frame."""
    function = find_function(node.this) if isinstance(node.this, exp.Anonymous) else None
    has_frame = node.args.get("spec") is not None
    if function and function.kind == "window" and has_frame and "_value" not in function.name:
        raise QueryFailed(
            "INVALID_WINDOW_FRAME",
            f"{position(node)}: Cannot specify window frame for {function.name} function",
        )


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


_CALL_CHECKS: dict[str, Callable[[exp.Anonymous, Sequence[Type]], None]] = {
    "coalesce": _same_type_check(0, "COALESCE operands"),
    "nullif": _same_type_check(0, "NULLIF operands"),
    "greatest": _same_type_check(0, "arguments of greatest"),
    "least": _same_type_check(0, "arguments of least"),
    "if": _same_type_check(1, "IF results"),
    "array_join": _check_array_join,
    "array_sort": _check_comparator,
    "concat": _check_concatenation,
    "json_exists": _check_json_input,
    "json_query": _check_json_input,
    "json_value": _check_json_value,
    "listagg": _check_listagg,
    "truncate": _check_truncate,
    **dict.fromkeys(
        ("filter", "any_match", "all_match", "none_match", "map_filter"), _check_condition_lambda
    ),
}
"""A function → the check of its arguments' types that its parameters do not make."""
_CHECKS: tuple[tuple[Any, Callable[[Any], None]], ...] = (  # Any: each takes its own node.
    (exp.Anonymous, _check_call),
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _check_comparison),
    (tuple(DECIMAL_RESULTS), _check_arithmetic),
    (exp.Between, _check_between),
    (exp.In, _check_in),
    (exp.DPipe, _check_pipe),
    ((exp.NullSafeEQ, exp.NullSafeNEQ), _check_distinct_from),
    (exp.Cast, _check_cast),
    (exp.AtTimeZone, _check_at_time_zone),
    (exp.Window, _check_window),
    (exp.Case, _check_case),
    ((exp.Not, exp.And, exp.Or), _check_logical),
    (exp.SetOperation, _check_set_operation),
    (exp.Select, _check_distinct_order),
    ((exp.Where, exp.Having), _check_condition),
    (exp.Where, _check_no_aggregates),
)
