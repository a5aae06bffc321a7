"""What sqlglot reads, for other dialects have it, and Trino does not."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

SIGNS = frozenset(("||", "<>", "!=", "<=", ">=", "->", "=>"))
"""The signs of more than one character that Trino has."""
TYPES = frozenset(
    {
        *(exp.DType.BOOLEAN, exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT),
        *(exp.DType.BIGINT, exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL),
        *(exp.DType.VARCHAR, exp.DType.CHAR, exp.DType.VARBINARY, exp.DType.JSON, exp.DType.UUID),
        *(exp.DType.DATE, exp.DType.TIME, exp.DType.TIMETZ, exp.DType.TIMESTAMP),
        *(exp.DType.TIMESTAMPTZ, exp.DType.INTERVAL),
        *(exp.DType.ARRAY, exp.DType.MAP, exp.DType.STRUCT),
    }
)
"""The types that a query may name."""


def foreign(tree: exp.Expression) -> str | None:
    """Return the first part of a statement that Trino's grammar lacks, or None."""
    return next((found for node in tree.walk() if (found := _foreign(node))), None)


def _foreign(node: exp.Expression) -> str | None:
    find = _FORMS.get(type(node))
    return find(node) if find else None


def _star(node: exp.Star) -> str | None:
    changes = ("except_", "replace", "rename")
    return next((f"* {n.strip('_').upper()}" for n in changes if node.args.get(n)), None)


def _distinct(node: exp.Distinct) -> str | None:
    return "DISTINCT ON" if node.args.get("on") else None


def _group(node: exp.Group) -> str | None:
    return "GROUP BY ALL" if node.args.get("all") else None


def _join(node: exp.Join) -> str | None:
    word = next((w for w in (node.method, node.kind) if w not in _JOINS), None)
    return f"{word} JOIN" if word else None


def _is(node: exp.Is) -> str | None:
    truth = node.expression
    return f"IS {truth.sql()}" if not isinstance(truth, exp.Null) else None


_JOINS = ("", "INNER", "OUTER", "CROSS")
_FORMS: dict[Any, Callable[[Any], str | None]] = {
    exp.Star: _star,
    exp.Distinct: _distinct,
    exp.Group: _group,
    exp.Join: _join,
    exp.Is: _is,
}
