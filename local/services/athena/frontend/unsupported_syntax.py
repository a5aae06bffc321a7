"""Syntax that sqlglot accepts from other dialects but Trino rejects."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

MULTI_CHARACTER_OPERATORS = frozenset(("||", "<>", "!=", "<=", ">=", "->", "=>"))
"""Trino's operators of more than one character."""
_RESERVED_WORDS = (
    "ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG "
    "CURRENT_DATE CURRENT_PATH CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP "
    "CURRENT_USER DEALLOCATE DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE EXCEPT EXISTS "
    "EXTRACT FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN "
    "LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE NOT NULL ON OR ORDER OUTER "
    "PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP TABLE THEN TRIM TRUE UESCAPE UNION UNNEST "
    "USING VALUES WHEN WHERE WITH "
)
RESERVED_WORDS = frozenset(_RESERVED_WORDS.split())
"""Words that are no names unless they are quoted."""
SUPPORTED_TYPES = frozenset(
    {
        exp.DType.BOOLEAN,
        exp.DType.TINYINT,
        exp.DType.SMALLINT,
        exp.DType.INT,
        exp.DType.BIGINT,
        exp.DType.FLOAT,
        exp.DType.DOUBLE,
        exp.DType.DECIMAL,
        exp.DType.VARCHAR,
        exp.DType.CHAR,
        exp.DType.VARBINARY,
        exp.DType.JSON,
        exp.DType.UUID,
        exp.DType.DATE,
        exp.DType.TIME,
        exp.DType.TIMETZ,
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPTZ,
        exp.DType.INTERVAL,
        exp.DType.ARRAY,
        exp.DType.MAP,
        exp.DType.STRUCT,
    }
)
"""The types that a query may name."""


def find_unsupported_syntax(tree: exp.Expr) -> str | None:
    """Return the first construct of a statement that Trino's grammar lacks, or None."""
    for node in tree.walk():
        find = _FINDERS.get(type(node))
        construct = find(node) if find else None
        if construct:
            return construct
    return None


def _in_star(node: exp.Star) -> str | None:
    for name in ("except_", "replace", "rename"):
        if node.args.get(name):
            return f"* {name.strip('_').upper()}"
    return None


def _in_distinct(node: exp.Distinct) -> str | None:
    return "DISTINCT ON" if node.args.get("on") else None


def _in_group(node: exp.Group) -> str | None:
    return "GROUP BY ALL" if node.args.get("all") else None


def _in_join(node: exp.Join) -> str | None:
    for word in (node.method, node.kind):
        if word not in _JOIN_WORDS:
            return f"{word} JOIN"
    return None


def _in_is(node: exp.Is) -> str | None:
    operand = node.expression
    return None if isinstance(operand, exp.Null) else f"IS {operand.sql()}"


def _in_identifier(node: exp.Identifier) -> str | None:
    is_reserved = not node.quoted and node.name.upper() in RESERVED_WORDS
    return node.name if is_reserved else None


_JOIN_WORDS = ("", "INNER", "OUTER", "CROSS")
_FINDERS: dict[type[exp.Expr], Callable[[Any], str | None]] = {  # Any: each takes its own node.
    exp.Star: _in_star,
    exp.Distinct: _in_distinct,
    exp.Group: _in_group,
    exp.Join: _in_join,
    exp.Is: _in_is,
    exp.Identifier: _in_identifier,
}
