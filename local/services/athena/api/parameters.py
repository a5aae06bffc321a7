"""Execution parameters: literals in place of a query's question marks."""

from collections.abc import Sequence

from sqlglot import exp

from local.core.request import AwsError
from local.services.athena.frontend.parser import Athena, parse
from local.services.athena.frontend.query import Query

_LITERAL_NODES = (
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Neg,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
)


def with_parameters(query: Query, parameters: Sequence[str]) -> Query:
    """Replace each question mark by its parameter, parsed as a single literal."""
    tree = query.tree.copy()
    marks = [node for node in tree.dfs() if isinstance(node, exp.Placeholder)]
    if len(marks) != len(parameters):
        raise AwsError(
            "InvalidRequestException",
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}",
        )
    for mark, text in zip(marks, parameters, strict=True):
        mark.replace(_value(text))
    return Query(query.text, tuple(parameters), tree)


def _value(text: str) -> exp.Expr:
    """Parse a parameter, which must be one literal."""
    select = parse(f"SELECT {text}")
    parts = {name for name, value in select.args.items() if value}
    if parts == {"expressions"} and len(select.expressions) == 1:
        value: exp.Expr = select.expressions[0]
        if all(isinstance(node, _LITERAL_NODES) for node in value.walk()):
            return value
    raise AwsError("InvalidRequestException", f"The execution parameter {text} is not a literal")


def parse_values(text: str) -> list[str]:
    """Return the values of EXECUTE … USING, each as the text of one expression."""
    return [node.sql(dialect=Athena) for node in parse(f"SELECT {text}").expressions]
