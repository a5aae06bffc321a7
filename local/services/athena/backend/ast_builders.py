"""Builders of DuckDB's SQL as sqlglot nodes."""

from collections.abc import Callable

from sqlglot import exp

from local.services.athena.frontend import types
from local.services.athena.frontend.functions import require_function
from local.services.athena.frontend.types import Type, type_of

WRAP_LATER = "wrap_later"
"""The meta key of a node that its wrapper is stored under, to be applied once all is translated.

A cast of an aggregate's result belongs around the aggregate with its FILTER and OVER, and those
are parents of the call: they are not translated yet when the call is.
"""
CALL_SUFFIXES = (exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
Wrapper = Callable[[exp.Expr], exp.Expr]


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


def call_target(node: exp.Anonymous) -> exp.Anonymous:
    """Return the call of the DuckDB function that functions.txt names."""
    function = require_function(node)
    target_call = call(function.target, *node.expressions)
    if function.casts_result and not types.is_unknown(type_of(node)):
        target_call.meta[WRAP_LATER] = cast_wrapper(type_of(node))
    return target_call


def cast_wrapper(target: Type) -> Wrapper:
    """Return the wrapper that casts a call's result."""

    def wrap(node: exp.Expr) -> exp.Expr:
        return cast(node, target)

    return wrap
