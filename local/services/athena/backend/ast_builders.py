"""Builders of DuckDB's SQL as sqlglot nodes."""

from sqlglot import exp

from local.services.athena.frontend.types import Type


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call of a DuckDB function or of a macro of macros.sql."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(node: exp.Expr, target: Type) -> exp.Cast:
    """Return DuckDB's own cast of a node."""
    return exp.Cast(this=node, to=target.copy())


def literal(value: str | int) -> exp.Expr:
    """Return a string or integer literal."""
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def string_constant(node: exp.Expr) -> str | None:
    """Return the value of a string literal, or None for any other node."""
    return node.name if isinstance(node, exp.Literal) and node.is_string else None
