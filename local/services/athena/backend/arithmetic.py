"""Trino's arithmetic in DuckDB: whole numbers stay whole, decimals stay exact."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, kind_of, literal
from local.services.athena.frontend import types
from local.services.athena.frontend.types import Decimal, DType


def division(node: exp.Div) -> exp.Expression:
    """Return a quotient: truncated for integers, rounded half up at its scale for decimals."""
    if kind_of(node) in types.INTEGERS:
        divisor = call("trino.nonzero", node.right)
        return exp.Paren(this=exp.IntDiv(this=node.left, expression=divisor))
    if kind_of(node) == DType.DECIMAL:
        return _decimal_quotient(node)
    return exp.Paren(
        this=exp.Div(
            this=cast(node.left, types.DOUBLE), expression=node.right, typed=True, safe=False
        )
    )


def _decimal_quotient(node: exp.Div) -> exp.Expression:
    one, other, size = (types.decimal_of(part.type) for part in (node.left, node.right, node))
    shift = size.scale - one.scale + other.scale
    quotient = call(
        "trino.quotient",
        cast(node.left, one.type),
        cast(node.right, other.type),
        literal(shift),
        literal(size.scale),
    )
    return cast(quotient, node.type)


def remainder(node: exp.Mod) -> exp.Expression:
    """Return a remainder, which fails for zero as a division does."""
    if kind_of(node) in types.FLOATS:
        return node
    divided = exp.Mod(this=node.left, expression=call("trino.nonzero", node.right))
    return cast(divided, node.type) if kind_of(node) == DType.DECIMAL else exp.Paren(this=divided)


def total(node: exp.Add | exp.Sub) -> exp.Expression:
    """Return a sum or difference; of decimals with Trino's precision and scale."""
    if kind_of(node) == DType.DECIMAL:
        return cast(_between(node, node.type), node.type)
    if kind_of(node) == DType.DATE:
        return call("trino.whole_day", type(node)(this=node.left, expression=node.right))
    if kind_of(node) == DType.INTERVAL and kind_of(node.left) in types.MOMENTS:
        return exp.Paren(this=_between(node, types.TIMESTAMP))
    return node


def _between(node: exp.Add | exp.Sub, kind: types.Type) -> exp.Expression:
    """Return the same sum or difference between two values of one type."""
    return type(node)(this=cast(node.left, kind), expression=cast(node.right, kind))


def product(node: exp.Mul) -> exp.Expression:
    """Return a product; of decimals with Trino's precision and scale."""
    if kind_of(node) != DType.DECIMAL:
        return node
    one, other = types.decimal_of(node.left.type), types.decimal_of(node.right.type)
    # DuckDB keeps a product of short decimals within 18 digits unless one of them is longer.
    longer = Decimal(max(19, one.precision), one.scale)
    wide = exp.Mul(this=cast(node.left, longer.type), expression=cast(node.right, other.type))
    return cast(wide, node.type)
