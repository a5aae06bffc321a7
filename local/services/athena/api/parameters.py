"""Execution parameters: literals in the places of a query's question marks."""

from collections.abc import Sequence

from sqlglot import exp

from local.core.request import AwsError
from local.services.athena.frontend.parser import parse

_PLAIN = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Cast, exp.DataType, exp.DataTypeParam)


def with_parameters(tree: exp.Expression, parameters: Sequence[str]) -> exp.Expression:
    """Return a query with its parameters in their places, as values and never as text."""
    marks = [node for node in tree.dfs() if isinstance(node, exp.Placeholder)]
    if len(marks) != len(parameters):
        raise AwsError(
            "InvalidRequestException",
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}",
        )
    for mark, text in zip(marks, parameters, strict=True):
        mark.replace(_value(text))
    return tree


def _value(text: str) -> exp.Expression:
    """Return the one literal that a parameter is."""
    select = parse(f"SELECT {text}")
    parts = {name for name, value in select.args.items() if value}
    if parts == {"expressions"} and len(select.expressions) == 1:
        value = select.expressions[0]
        if all(isinstance(node, _PLAIN) for node in value.walk()):
            return value
    raise AwsError("InvalidRequestException", f"The execution parameter {text} is not a literal")
