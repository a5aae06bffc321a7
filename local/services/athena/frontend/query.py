"""Parsed queries, which are the key of what is remembered about them."""

from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from local.services.athena.frontend.parser import parse

_MAX_REMEMBERED_CHARACTERS = 32_000  # A tree takes about a hundred times the memory of its text.


@dataclass(frozen=True, slots=True)
class Query:
    """A query, with its parameters in place; `tree` belongs to all that parsed the same text."""

    text: str
    parameters: tuple[str, ...]
    tree: exp.Expr = field(compare=False, repr=False)


def as_query(tree: exp.Expr) -> exp.Expr:
    """Return VALUES as the SELECT of its rows, and any other query as it is."""
    if not isinstance(tree, exp.Values) or not tree.expressions:
        return tree
    width = len(tree.expressions[0].expressions)
    names = [exp.to_identifier(f"_col{number}") for number in range(width)]
    alias = exp.TableAlias(this=exp.to_identifier("values"), columns=names)
    return exp.select("*").from_(exp.Values(expressions=tree.expressions, alias=alias))


def parse_query(text: str) -> Query:
    """Parse a query without parameters; raise Athena's InvalidRequestException otherwise."""
    if len(text) > _MAX_REMEMBERED_CHARACTERS:
        return Query(text, (), as_query(parse(text)))
    return _remembered_query(text)


@lru_cache(maxsize=64)
def _remembered_query(text: str) -> Query:
    return Query(text, (), as_query(parse(text)))
