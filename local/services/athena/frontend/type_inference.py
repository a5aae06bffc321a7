"""The type that Trino gives to each part of a query."""

from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import TypeAnnotator

from local.services.athena.frontend import types
from local.services.athena.frontend.functions import function_of
from local.services.athena.frontend.parser import Athena
from local.services.athena.frontend.types import Decimal, DType, Type


def argument_type(node: exp.Expression) -> Type:
    """Return the type of an argument, past DISTINCT and ORDER BY."""
    if isinstance(node, exp.Distinct) and node.expressions:
        return argument_type(node.expressions[0])
    if isinstance(node, exp.Order) and node.this:
        return argument_type(node.this)
    if isinstance(node, exp.Lambda):
        return node.this.type or types.UNKNOWN
    return node.type or types.UNKNOWN


def _literal_type(node: exp.Literal) -> Type:
    text = node.name
    if node.is_string:
        return types.VARCHAR
    if "e" in text.lower():
        return types.DOUBLE
    if "." in text:
        whole, _, fraction = text.partition(".")
        return Decimal(len(whole.lstrip("0")) + len(fraction), len(fraction)).type
    return types.INTEGER if int(text) < 2**31 else types.BIGINT


def _call_type(node: exp.Anonymous) -> Type:
    function = function_of(node)
    arguments = [argument_type(argument) for argument in node.expressions]
    return function.returns(arguments) if function else types.UNKNOWN


def _arithmetic_type(node: exp.Binary) -> Type:
    left, right = node.left.type or types.UNKNOWN, node.right.type or types.UNKNOWN
    moments = [kind for kind in (left, right) if kind.this in types.MOMENTS]
    if moments:
        return moments[0] if len(moments) == 1 else types.INTERVAL
    if DType.INTERVAL in (left.this, right.this):
        return types.INTERVAL
    one, other = types.decimal_of(left), types.decimal_of(right)
    if one and other and DType.DECIMAL in (left.this, right.this):
        return DECIMALS[type(node)](one, other).type
    if types.is_unknown(left) or types.is_unknown(right):
        return types.UNKNOWN
    return types.wider(left, right)


def _sum_of(one: Decimal, other: Decimal) -> Decimal:
    scale = max(one.scale, other.scale)
    return Decimal(max(one.precision - one.scale, other.precision - other.scale) + scale + 1, scale)


def _product_of(one: Decimal, other: Decimal) -> Decimal:
    return Decimal(one.precision + other.precision, one.scale + other.scale)


def _quotient_of(one: Decimal, other: Decimal) -> Decimal:
    grown = max(0, other.scale - one.scale)
    return Decimal(one.precision + other.scale + grown, max(one.scale, other.scale))


def _remainder_of(one: Decimal, other: Decimal) -> Decimal:
    scale = max(one.scale, other.scale)
    return Decimal(min(one.precision - one.scale, other.precision - other.scale) + scale, scale)


DECIMALS = {
    exp.Add: _sum_of,
    exp.Sub: _sum_of,
    exp.Mul: _product_of,
    exp.Div: _quotient_of,
    exp.Mod: _remainder_of,
}
"""An operator → the decimal that it makes of two."""


def _case_type(node: exp.Case) -> Type:
    results = [branch.args["true"] for branch in node.args["ifs"]]
    kind = types.NULL
    for result in [*results, *filter(None, [node.args.get("default")])]:
        kind = types.wider(kind, result.type or types.UNKNOWN)
    return kind


def _subscript_type(node: exp.Bracket) -> Type:
    inner = node.this.type.expressions if node.this.type else []
    return inner[-1] if inner and isinstance(inner[-1], Type) else types.UNKNOWN


def _unnest_type(node: exp.Unnest) -> Type:
    """Return a row of the columns that an UNNEST gives, by their names."""
    kinds = [kind for array in node.expressions for kind in _unnested(array.type or types.UNKNOWN)]
    columns = [
        exp.ColumnDef(this=exp.to_identifier(name), kind=kind.copy())
        for name, kind in zip(node.alias_column_names, kinds, strict=False)
    ]
    return Type(this=DType.STRUCT, expressions=columns, nested=True)


def _unnested(kind: Type) -> list[Type]:
    inner = kind.expressions
    if kind.this == DType.MAP:
        return list(inner)
    if inner and inner[0].this == DType.STRUCT:
        return [column.kind for column in inner[0].expressions]
    return [inner[0] if inner else types.UNKNOWN]


def _joined_type(node: exp.DPipe) -> Type:
    return node.left.type or types.UNKNOWN


def _by(infer: Any) -> dict[str, Any]:
    return {"annotator": lambda annotator, node: _annotate(annotator, node, infer(node))}


def _annotate(annotator: TypeAnnotator, node: exp.Expression, kind: Type) -> exp.Expression:
    return annotator._set_type(node, kind.copy())


def _fixed(kind: Type) -> dict[str, Any]:
    return _by(lambda _: kind)


RULES: dict[Any, Any] = {
    **Athena.EXPRESSION_METADATA,
    exp.Literal: _by(_literal_type),
    exp.Anonymous: _by(_call_type),
    **{kind: _by(_arithmetic_type) for kind in DECIMALS},
    exp.Case: _by(_case_type),
    exp.Bracket: _by(_subscript_type),
    exp.DPipe: _by(_joined_type),
    exp.Unnest: _by(_unnest_type),
    exp.Extract: _fixed(types.BIGINT),
    exp.CurrentTimestamp: _fixed(types.TIMESTAMPTZ),
    exp.Localtimestamp: _fixed(types.TIMESTAMP),
    exp.AtTimeZone: _fixed(types.TIMESTAMPTZ),
    exp.Star: _fixed(types.UNKNOWN),
}
"""What sqlglot's annotator asks for each kind of node."""
