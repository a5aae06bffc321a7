"""What Trino's analyser does: every column found, every type known, every mismatch refused."""

import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.functions import function_of
from local.services.athena.frontend.parser import Athena
from local.services.athena.frontend.type_checks import check, position, unknown_type
from local.services.athena.frontend.type_inference import RULES
from local.services.athena.frontend.types import Decimal, DType, Type
from local.services.athena.frontend.unsupported_syntax import TYPES

Columns = Mapping[str, Type]
Schema = Mapping[tuple[str, str], Columns]
"""(database, table) → its columns."""

KNOWN = (
    *(exp.Select, exp.Subquery, exp.Union, exp.Intersect, exp.Except, exp.With, exp.CTE),
    *(exp.From, exp.Table, exp.TableAlias, exp.Join, exp.Where, exp.Group, exp.Having),
    *(exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Fetch, exp.Distinct, exp.Values),
    *(exp.Tuple, exp.Unnest, exp.Lateral, exp.Cube, exp.Rollup, exp.GroupingSets),
    *(exp.Window, exp.WindowSpec, exp.IgnoreNulls, exp.RespectNulls, exp.Filter),
    *(exp.WithinGroup, exp.Alias, exp.Column, exp.Identifier, exp.Dot, exp.Star, exp.Literal),
    *(exp.Null, exp.Boolean, exp.Anonymous, exp.Lambda, exp.Case, exp.If, exp.Cast, exp.TryCast),
    *(exp.Extract, exp.Trim, exp.StrPosition, exp.Array, exp.Bracket, exp.Paren, exp.Exists),
    *(exp.Any, exp.All, exp.Interval, exp.IntervalSpan, exp.Add, exp.Sub, exp.Mul, exp.Div),
    *(exp.Mod, exp.Neg, exp.DPipe, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE),
    *(exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In, exp.Is, exp.Like),
    *(exp.Escape, exp.AtTimeZone, exp.CurrentDate, exp.CurrentTimestamp, exp.Localtimestamp),
    *(exp.DataType, exp.DataTypeParam, exp.ColumnDef, exp.Var),
)
"""The parts of a query that the laptop understands; all else is refused."""


def analysed(tree: exp.Expression, schema: Schema, database: str) -> exp.Expression:
    """Return the query with stars expanded, columns bound to their tables, and types everywhere."""
    _refuse_unknown(tree)
    _size_types(tree)
    _name_outputs(tree)
    tables = _mapping(schema)
    bound = _bound(tree, tables, database)
    _refuse_ambiguous(bound)
    typed = annotate_types(bound, schema=tables, dialect=Athena, expression_metadata=RULES)
    check(typed)
    return typed


def _bound(tree: exp.Expression, tables: MappingSchema, database: str) -> exp.Expression:
    try:
        return qualify(tree, schema=tables, db=database, dialect=Athena, expand_alias_refs=False)
    except OptimizeError as error:
        raise _unresolved(error, tree, tables) from None
    except SqlglotError as error:
        raise QueryFailed("SYNTAX_ERROR", str(error)) from None


def _refuse_ambiguous(tree: exp.Expression) -> None:
    """Refuse a column of a subquery that has two of its name: DuckDB would take the first."""
    for scope in traverse_scope(tree):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, Scope) and _names(source, None).count(column.name) > 1:
                raise _ambiguous(column)


def _ambiguous(column: exp.Expression) -> QueryFailed:
    text = f"{position(column)}: Column '{column.name.lower()}' is ambiguous"
    return QueryFailed("AMBIGUOUS_NAME", text)


def _mapping(schema: Schema) -> MappingSchema:
    nested: dict[str, dict[str, dict[str, Any]]] = {}
    for (database, table), columns in schema.items():
        nested.setdefault(database, {})[table] = dict(columns)
    return MappingSchema(nested, dialect=Athena, normalize=False)


def _refuse_unknown(tree: exp.Expression) -> None:
    for node in tree.walk():
        if isinstance(node, exp.Anonymous) and function_of(node) is None:
            raise QueryFailed(
                "FUNCTION_NOT_FOUND",
                f"{position(node)}: Function '{node.name.lower()}' not registered",
            )
        if isinstance(node, exp.DataType) and node.this not in TYPES:
            raise unknown_type(node)
        if type(node) not in KNOWN:
            raise not_modelled(f"{position(node)}: {type(node).__name__} in a query")


def _size_types(tree: exp.Expression) -> None:
    """Give decimals without a size Trino's, for DuckDB has another, and moments milliseconds."""
    for kind in list(tree.find_all(exp.DataType)):
        if kind.is_type("decimal") and not kind.expressions:
            kind.replace(Decimal(38, 0).type)
        if kind.this == DType.CHAR:
            raise not_modelled(f"{position(kind.parent)}: a text of fixed length")
        if kind.this in (DType.TIMESTAMP, DType.TIMESTAMPTZ):
            if any(int(size.name) > 3 for size in kind.expressions):
                raise not_modelled(f"{position(kind.parent)}: a time finer than milliseconds")
            kind.set("expressions", [])


def _name_outputs(tree: exp.Expression) -> None:
    """Name the unnamed columns of each SELECT as Trino does: by their place."""
    for select in tree.find_all(exp.Select):
        for place, item in enumerate(select.expressions):
            if not isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Dot):
                item.replace(exp.alias_(item.copy(), f"_col{place}", quoted=True))


def _unresolved(error: OptimizeError, tree: exp.Expression, tables: MappingSchema) -> QueryFailed:
    """Return Trino's refusal of a column that no table of the query has, or more than one."""
    found = re.search(r"(?:[Cc]olumn '|Unknown column: )([^'\s]+)", str(error))
    name = found[1].replace('"', "").split(".")[-1].lower() if found else str(error)
    where = next((c for c in tree.find_all(exp.Column) if c.name.lower() == name), tree)
    if _owners(tree, where, tables) > 1:
        return _ambiguous(where)
    return QueryFailed(
        "COLUMN_NOT_FOUND",
        f"{position(where)}: Column '{name}' cannot be resolved or requester is not authorized to "
        "access requested resources",
    )


def _owners(tree: exp.Expression, column: exp.Expression, tables: MappingSchema) -> int:
    """Return how many tables of a column's SELECT have a column of its name."""
    scopes = [scope for scope in traverse_scope(tree) if any(c is column for c in scope.columns)]
    return sum(
        column.name.lower() in _names(source, tables)
        for scope in scopes[:1]
        for source in scope.sources.values()
    )


def _names(source: Scope | exp.Table, tables: MappingSchema | None) -> list[str]:
    if isinstance(source, Scope):
        return [name.lower() for name in getattr(source.expression, "named_selects", [])]
    return list(tables.column_names(source))
