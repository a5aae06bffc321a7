"""Pieces of DuckDB's SQL, as sqlglot's nodes."""

from typing import Any

from sqlglot import exp

from local.services.athena.frontend.types import DType, Type


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """Return a call of DuckDB's function or macro of that name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(node: exp.Expression, kind: Type) -> exp.Expression:
    """Return DuckDB's own cast of a node."""
    return exp.Cast(this=node, to=kind.copy())


def literal(value: str | int) -> exp.Expression:
    """Return a text or a number."""
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def kind_of(node: exp.Expression) -> Any:
    """Return what kind of type a node has."""
    return node.type.this if node.type is not None else DType.UNKNOWN


def constant(node: exp.Expression) -> str | None:
    """Return the text of a literal text, or None for anything else."""
    return node.name if isinstance(node, exp.Literal) and node.is_string else None
