"""Analyzer of queries: resolves every column, infers every type and rejects what Trino rejects."""

import re
from collections import Counter
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.functions import UNMODELLED_FUNCTIONS, find_function
from local.services.athena.frontend.modelled_nodes import MODELLED_NODES
from local.services.athena.frontend.parser import Athena
from local.services.athena.frontend.type_checks import check_types, position, unknown_type_error
from local.services.athena.frontend.type_inference import infer_types
from local.services.athena.frontend.types import DecimalType, DType, Type
from local.services.athena.frontend.unsupported_syntax import SUPPORTED_TYPES
from local.services.athena.storage.glue_catalog import PATH

Columns = Mapping[str, Type]
Schema = Mapping[tuple[str, str], Columns]
"""(database, table) → its columns."""


def analyze(tree: exp.Query, schema: Schema, database: str) -> exp.Query:
    """Return the query with stars expanded, columns qualified and every type inferred.

    Unqualified table names belong to `database`. The given tree is modified.
    """
    _reject_unmodelled(tree)
    _set_type_sizes(tree)
    _name_output_columns(tree)
    tables = _mapping_schema(schema)
    query = _qualify(tree, tables, database)
    _reject_ambiguous_columns(query)
    query = infer_types(query, tables)
    check_types(query)
    return query


def _reject_unmodelled(tree: exp.Query) -> None:
    for node in tree.walk():
        if isinstance(node, exp.Anonymous) and find_function(node) is None:
            raise _unknown_function(node)
        if isinstance(node, exp.DataType) and node.this not in SUPPORTED_TYPES:
            raise unknown_type_error(node)
        if type(node) not in MODELLED_NODES:
            raise not_modelled(f"{position(node)}: {type(node).__name__} in a query")


def _unknown_function(node: exp.Anonymous) -> QueryFailed:
    name = node.name.lower()
    if name in UNMODELLED_FUNCTIONS:
        return not_modelled(f"{position(node)}: the function {name}")
    return QueryFailed("FUNCTION_NOT_FOUND", f"{position(node)}: Function '{name}' not registered")


def _set_type_sizes(tree: exp.Query) -> None:
    """Give a bare DECIMAL Trino's default size, not DuckDB's, and timestamps milliseconds."""
    for data_type in list(tree.find_all(exp.DataType)):
        if data_type.is_type("decimal") and not data_type.expressions:
            data_type.replace(DecimalType(38, 0).data_type)
        if data_type.this == DType.CHAR:
            raise not_modelled(f"{position(data_type.parent)}: the type char")
        if data_type.this in (DType.TIMESTAMP, DType.TIMESTAMPTZ):
            if any(int(size.name) > 3 for size in data_type.expressions):
                raise not_modelled(
                    f"{position(data_type.parent)}: timestamp precision above milliseconds"
                )
            data_type.set("expressions", [])


def _name_output_columns(tree: exp.Query) -> None:
    """Name the unnamed columns of each SELECT as Trino does: _col0, _col1 by their index."""
    for select in tree.find_all(exp.Select):
        for index, item in enumerate(select.expressions):
            if not isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Dot):
                item.replace(exp.alias_(item.copy(), f"_col{index}", quoted=True))


def _mapping_schema(schema: Schema) -> MappingSchema:
    databases: dict[str, dict[str, object]] = {}
    visible: dict[str, dict[str, object]] = {}
    for (database, table), columns in schema.items():
        databases.setdefault(database, {})[table] = dict(columns)
        visible.setdefault(database, {})[table] = [name for name in columns if name != PATH]
    return MappingSchema(dict(databases), dict(visible), dialect=Athena, normalize=False)


def _qualify(tree: exp.Query, tables: MappingSchema, database: str) -> exp.Query:
    try:
        return qualify(tree, schema=tables, db=database, dialect=Athena, expand_alias_refs=False)
    except OptimizeError as error:
        raise _column_error(error, tree, tables) from None
    except SqlglotError as error:
        raise QueryFailed("SYNTAX_ERROR", str(error)) from None


def _column_error(error: OptimizeError, tree: exp.Query, tables: MappingSchema) -> QueryFailed:
    """Return Trino's error for a column that no table of the query has, or more than one."""
    match = re.search(r"(?:[Cc]olumn '|Unknown column: )([^'\s]+)", str(error))
    name = match[1].replace('"', "").split(".")[-1].lower() if match else str(error)
    columns = (column for column in tree.find_all(exp.Column) if column.name.lower() == name)
    column = next(columns, None)
    if column is not None and _count_owners(tree, column, tables) > 1:
        return _ambiguous_column(column)
    return QueryFailed(
        "COLUMN_NOT_FOUND",
        f"{position(column or tree)}: Column '{name}' cannot be resolved or requester is not "
        "authorized to access requested resources",
    )


def _count_owners(tree: exp.Query, column: exp.Column, tables: MappingSchema) -> int:
    """Return how many tables of a column's SELECT have a column of its name."""
    for scope in traverse_scope(tree):
        if any(candidate is column for candidate in scope.columns):
            sources = scope.sources.values()
            return sum(column.name.lower() in _column_names(source, tables) for source in sources)
    return 0


def _column_names(source: Scope | exp.Table, tables: MappingSchema) -> list[str]:
    if isinstance(source, Scope):
        return _subquery_columns(source)
    return list(tables.column_names(source))


def _subquery_columns(scope: Scope) -> list[str]:
    return [name.lower() for name in getattr(scope.expression, "named_selects", [])]


def _reject_ambiguous_columns(tree: exp.Query) -> None:
    """Reject a column that a subquery has twice, of which DuckDB would take the first."""
    for scope in traverse_scope(tree):
        repeated = {
            (table, name)
            for table, source in scope.sources.items()
            if isinstance(source, Scope)
            for name, number in Counter(_subquery_columns(source)).items()
            if number > 1
        }
        for column in scope.columns:
            if (column.table, column.name) in repeated:
                raise _ambiguous_column(column)


def _ambiguous_column(column: exp.Column) -> QueryFailed:
    message = f"{position(column)}: Column '{column.name.lower()}' is ambiguous"
    return QueryFailed("AMBIGUOUS_NAME", message)
