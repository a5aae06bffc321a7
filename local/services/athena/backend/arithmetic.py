"""Trino's arithmetic in DuckDB: integer division truncates and decimals stay exact."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, literal
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.types import (
    DecimalType,
    DType,
    Type,
    dtype_of,
    require_decimal,
    type_of,
)

_LONG_DECIMAL_PRECISION = 19
"""DuckDB keeps a product within 18 digits unless an operand has at least this precision."""


def translate_div(node: exp.Div) -> exp.Expr:
    """Translate a division: integers truncate, decimals round half up at the result's scale."""
    if dtype_of(node) in types.INTEGER_TYPES:
        divisor = call("trino.require_nonzero", node.right)
        return exp.Paren(this=exp.IntDiv(this=node.left, expression=divisor))
    if dtype_of(node) == DType.DECIMAL:
        return _decimal_quotient(node)
    if dtype_of(node) == DType.INTERVAL:
        raise not_modelled("the division of an interval")
    result = types.REAL if dtype_of(node) == DType.FLOAT else types.DOUBLE
    operands = {"this": cast(node.left, result), "expression": cast(node.right, result)}
    return exp.Paren(this=exp.Div(**operands, typed=True, safe=False))


def _decimal_quotient(node: exp.Div) -> exp.Expr:
    dividend, divisor = require_decimal(type_of(node.left)), require_decimal(type_of(node.right))
    scale = require_decimal(type_of(node)).scale
    quotient = call(
        "trino.quotient",
        cast(node.left, dividend.data_type),
        cast(node.right, divisor.data_type),
        literal(scale - dividend.scale + divisor.scale),
        literal(scale),
    )
    return cast(quotient, type_of(node))


def translate_mod(node: exp.Mod) -> exp.Expr:
    """Translate a remainder: modulo zero fails as a division by zero does."""
    if dtype_of(node) in types.FLOAT_TYPES:
        return node
    remainder = exp.Mod(this=node.left, expression=call("trino.require_nonzero", node.right))
    if dtype_of(node) == DType.DECIMAL:
        return cast(remainder, type_of(node))
    return exp.Paren(this=remainder)


def translate_add(node: exp.Add | exp.Sub) -> exp.Expr:
    """Translate a sum or difference, of decimals with Trino's precision and scale."""
    if dtype_of(node) == DType.DECIMAL:
        return cast(_with_operands_cast(node, type_of(node)), type_of(node))
    if dtype_of(node) == DType.DATE:
        return call("trino.require_whole_day", type(node)(this=node.left, expression=node.right))
    if dtype_of(node) == DType.INTERVAL and dtype_of(node.left) in types.DATETIME_TYPES:
        return exp.Paren(this=_with_operands_cast(node, types.TIMESTAMP))
    return node


def _with_operands_cast(node: exp.Add | exp.Sub, target: Type) -> exp.Expr:
    return type(node)(this=cast(node.left, target), expression=cast(node.right, target))


def translate_mul(node: exp.Mul) -> exp.Expr:
    """Translate a product, of decimals with Trino's precision and scale."""
    if dtype_of(node) != DType.DECIMAL:
        return node
    left, right = require_decimal(type_of(node.left)), require_decimal(type_of(node.right))
    long_left = DecimalType(max(_LONG_DECIMAL_PRECISION, left.precision), left.scale)
    product = exp.Mul(
        this=cast(node.left, long_left.data_type), expression=cast(node.right, right.data_type)
    )
    return cast(product, type_of(node))
