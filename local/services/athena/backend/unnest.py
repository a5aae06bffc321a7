"""Trino's UNNEST in DuckDB: a lateral SELECT, since DuckDB's own takes only one array."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, literal
from local.services.athena.frontend.types import DType, dtype_of, type_of


def translate_unnest(node: exp.Unnest) -> exp.Expr:
    """Translate an UNNEST of arrays and maps; shorter ones are filled up with NULL."""
    alias = node.args.get("alias")
    offset = node.args.get("offset")
    names = [column.copy() for column in alias.columns] if alias else []
    columns = [column for collection in node.expressions for column in _columns(collection)]
    if offset:
        columns.append(_ordinality(node.expressions))
    if isinstance(offset, exp.Identifier):
        names.append(offset.copy())
    table_name = alias.this.copy() if alias and alias.this else None
    return exp.Lateral(
        this=exp.Subquery(this=exp.select(*columns)),
        alias=exp.TableAlias(this=table_name, columns=names),
    )


def _columns(collection: exp.Expr) -> list[exp.Expr]:
    """Return the columns of one array or map: an array of rows has one for each field."""
    if dtype_of(collection) == DType.MAP:
        keys = call("map_keys", collection.copy())
        values = call("map_values", collection.copy())
        return [call("unnest", keys), call("unnest", values)]
    inner = type_of(collection).expressions
    if inner and inner[0].this == DType.STRUCT:
        fields = enumerate(inner[0].expressions, start=1)
        return [_field(collection, field, index) for index, field in fields]
    return [call("unnest", collection.copy())]


def _field(array: exp.Expr, field: exp.Expr, index: int) -> exp.Expr:
    selector = field.name if isinstance(field, exp.ColumnDef) else index
    return call("struct_extract", call("unnest", array.copy()), literal(selector))


def _ordinality(collections: list[exp.Expr]) -> exp.Expr:
    lengths = [call("len", _as_array(collection)) for collection in collections]
    return call("unnest", call("generate_series", literal(1), call("greatest", *lengths)))


def _as_array(collection: exp.Expr) -> exp.Expr:
    is_map = dtype_of(collection) == DType.MAP
    return call("map_keys", collection.copy()) if is_map else collection.copy()
