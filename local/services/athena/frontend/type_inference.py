"""Type inference: the type that Trino gives to each expression of a query."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator
from sqlglot.optimizer.scope import Scope
from sqlglot.schema import Schema

from local.services.athena.frontend import types
from local.services.athena.frontend.functions import find_function, lambda_parameters
from local.services.athena.frontend.parser import Athena
from local.services.athena.frontend.types import DecimalType, DType, Type, type_of


def argument_type(node: exp.Expr) -> Type:
    """Return the type of a function's argument, without its DISTINCT or ORDER BY."""
    if isinstance(node, exp.Distinct) and node.expressions:
        return argument_type(node.expressions[0])
    if isinstance(node, exp.Order) and node.this:
        return argument_type(node.this)
    if isinstance(node, exp.Lambda):
        return type_of(node.this)
    return type_of(node)


def _literal_type(node: exp.Literal) -> Type:
    if node.is_string:
        return types.VARCHAR
    digits = node.name
    if "e" in digits.lower():
        return types.DOUBLE
    if "." in digits:
        whole, _, fraction = digits.partition(".")
        return DecimalType(len(whole.lstrip("0")) + len(fraction), len(fraction)).data_type
    return types.INTEGER if int(digits) < 2**31 else types.BIGINT


def _call_type(node: exp.Anonymous) -> Type:
    function = find_function(node)
    if function is None:
        return types.UNKNOWN
    return function.result_type([argument_type(argument) for argument in node.expressions])


def _arithmetic_type(node: exp.Binary) -> Type:
    left, right = type_of(node.left), type_of(node.right)
    datetimes = [operand for operand in (left, right) if operand.this in types.DATETIME_TYPES]
    if len(datetimes) == 2:
        return types.DAY_TIME
    if datetimes:
        return datetimes[0]
    for operand in (left, right):
        if operand.this == DType.INTERVAL:
            return operand
    left_decimal, right_decimal = types.as_decimal(left), types.as_decimal(right)
    if left_decimal and right_decimal and DType.DECIMAL in (left.this, right.this):
        return DECIMAL_RESULTS[type(node)](left_decimal, right_decimal).data_type
    if types.is_unknown(left) or types.is_unknown(right):
        return types.UNKNOWN
    return types.common_type(left, right)


def _add_decimals(left: DecimalType, right: DecimalType) -> DecimalType:
    scale = max(left.scale, right.scale)
    integer_digits = max(left.precision - left.scale, right.precision - right.scale)
    return DecimalType(integer_digits + scale + 1, scale)


def _multiply_decimals(left: DecimalType, right: DecimalType) -> DecimalType:
    return DecimalType(left.precision + right.precision, left.scale + right.scale)


def _divide_decimals(left: DecimalType, right: DecimalType) -> DecimalType:
    added_scale = max(0, right.scale - left.scale)
    return DecimalType(left.precision + right.scale + added_scale, max(left.scale, right.scale))


def _modulo_decimals(left: DecimalType, right: DecimalType) -> DecimalType:
    scale = max(left.scale, right.scale)
    integer_digits = min(left.precision - left.scale, right.precision - right.scale)
    return DecimalType(integer_digits + scale, scale)


DECIMAL_RESULTS: dict[type[exp.Expr], Callable[[DecimalType, DecimalType], DecimalType]] = {
    exp.Add: _add_decimals,
    exp.Sub: _add_decimals,
    exp.Mul: _multiply_decimals,
    exp.Div: _divide_decimals,
    exp.Mod: _modulo_decimals,
}
"""An arithmetic operator → the type of its result for two decimals."""


def _interval_type(node: exp.Interval) -> Type:
    unit = node.args["unit"].name.upper() if node.args.get("unit") else ""
    return types.YEAR_MONTH if unit in {"YEAR", "MONTH"} else types.DAY_TIME


def _negation_type(node: exp.Neg) -> Type:
    return type_of(node.this)


def _case_type(node: exp.Case) -> Type:
    result = types.NULL
    for value in case_results(node):
        result = types.common_type(result, type_of(value))
    return result


def case_results(node: exp.Case) -> list[exp.Expr]:
    """Return the values that a CASE may result in, its ELSE last."""
    results = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    return [*results, default] if default else results


def _subscript_type(node: exp.Bracket) -> Type:
    collection, index = type_of(node.this), node.expressions[0]
    if collection.this == DType.STRUCT and index.name.isdigit():
        fields = collection.expressions
        return types.field_type(*fields[int(index.name) - 1 : int(index.name)])
    return types.element_type(collection)


def _unnest_type(node: exp.Unnest) -> Type:
    """Return a row type of the columns that an UNNEST yields, under their names."""
    column_types = [
        column_type
        for collection in node.expressions
        for column_type in _unnested_types(type_of(collection))
    ]
    columns = [
        exp.ColumnDef(this=exp.to_identifier(name), kind=column_type.copy())
        for name, column_type in zip(node.alias_column_names, column_types, strict=False)
    ]
    return Type(this=DType.STRUCT, expressions=columns, nested=True)


def _unnested_types(collection: Type) -> list[Type]:
    inner = collection.expressions
    if collection.this == DType.MAP:
        return list(inner)
    if inner and inner[0].this == DType.STRUCT:
        return [types.field_type(field) for field in inner[0].expressions]
    return [inner[0] if inner else types.UNKNOWN]


def _concatenation_type(node: exp.DPipe) -> Type:
    return types.concatenation([type_of(node.left), type_of(node.right)])


def _rule(infer: Callable[[Any], Type]) -> dict[str, Any]:  # Any: each takes its own node.
    """Return sqlglot's form of a rule that infers the type of one kind of node."""

    def annotate(annotator: TypeAnnotator, node: exp.Expr) -> exp.Expr:
        return annotator._set_type(node, infer(node).copy())

    return {"annotator": annotate}


def _constant_rule(data_type: Type) -> dict[str, Any]:
    return _rule(lambda _: data_type)


RULES: dict[Any, Any] = {
    **Athena.EXPRESSION_METADATA,
    exp.Literal: _rule(_literal_type),
    exp.Anonymous: _rule(_call_type),
    **{operator: _rule(_arithmetic_type) for operator in DECIMAL_RESULTS},
    exp.Case: _rule(_case_type),
    exp.Bracket: _rule(_subscript_type),
    exp.Interval: _rule(_interval_type),
    exp.Neg: _rule(_negation_type),
    exp.ParseJSON: _constant_rule(types.JSON),
    exp.HexString: _constant_rule(types.VARBINARY),
    exp.DPipe: _rule(_concatenation_type),
    exp.Unnest: _rule(_unnest_type),
    exp.Extract: _constant_rule(types.BIGINT),
    exp.CurrentTimestamp: _constant_rule(types.TIMESTAMPTZ),
    exp.Localtimestamp: _constant_rule(types.TIMESTAMP),
    exp.AtTimeZone: _constant_rule(types.TIMESTAMPTZ),
    exp.Star: _constant_rule(types.UNKNOWN),
}
"""The rules for sqlglot's type annotator, by class of node."""


class TypeInference(TypeAnnotator):
    """sqlglot's annotator with Trino's coercions, and with types for the names of lambdas."""

    def __init__(self, schema: Schema, *, has_lambdas: bool) -> None:
        super().__init__(schema, RULES)
        self._has_lambdas = has_lambdas

    def _maybe_coerce(self, type1: Any, type2: Any) -> Any:
        """Return the type of a column of VALUES or of a set operation by two of its cells."""
        return types.common_type(Type.build(type1), Type.build(type2))

    def annotate_expression(self, expression: exp.Expr, scope: Scope | None = None) -> None:
        """Annotate an expression, but first each lambda in it, from the outside to the inside."""
        for node in expression.find_all(exp.Lambda) if self._has_lambdas else ():
            call = node.parent
            if id(node) not in self._visited and isinstance(call, exp.Anonymous):
                self._annotate_lambda(node, call, scope)
        super().annotate_expression(expression, scope)

    def _annotate_lambda(self, node: exp.Lambda, call: exp.Anonymous, scope: Scope | None) -> None:
        others = [argument for argument in call.expressions if not isinstance(argument, exp.Lambda)]
        for argument in others:
            self.annotate_expression(argument, scope)
        names = [parameter.name for parameter in node.expressions]
        parameter_types = lambda_parameters(call.name.lower(), [type_of(other) for other in others])
        by_name = dict(zip(names, parameter_types, strict=False))
        for name in node.this.find_all(exp.Identifier):
            is_field = isinstance(name.parent, exp.Dot) and name.arg_key == "expression"
            if name.name in by_name and not is_field:
                self._set_type(name, by_name[name.name].copy())
        self.annotate_expression(node.this, scope)


def infer_types(query: exp.Query, schema: Schema) -> exp.Query:
    """Infer the type of each expression of a query."""
    has_lambdas = query.find(exp.Lambda) is not None
    return TypeInference(schema, has_lambdas=has_lambdas).annotate(query)
