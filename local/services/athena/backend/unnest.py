"""UNNEST as a lateral SELECT: DuckDB's own takes one array, and no maps or rows."""

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, kind_of, literal
from local.services.athena.frontend.types import DType


def unnested(node: exp.Unnest) -> exp.Expression:
    """Return Trino's UNNEST of arrays and maps: shorter ones are filled up with NULL."""
    alias, offset = node.args.get("alias"), node.args.get("offset")
    names = [column.copy() for column in alias.columns] if alias else []
    items = [column for array in node.expressions for column in _columns(array)]
    if offset:
        items.append(_ordinality(node.expressions))
        names += [offset.copy()] if isinstance(offset, exp.Identifier) else []
    name = alias.this.copy() if alias and alias.this else None
    return exp.Lateral(
        this=exp.Subquery(this=exp.select(*items)),
        alias=exp.TableAlias(this=name, columns=names),
    )


def _columns(array: exp.Expression) -> list[exp.Expression]:
    if kind_of(array) == DType.MAP:
        return [call("unnest", call(f"map_{part}", array.copy())) for part in ("keys", "values")]
    inner = array.type.expressions[0] if array.type is not None and array.type.expressions else None
    if inner is not None and inner.this == DType.STRUCT:
        return [_field(array, column.name) for column in inner.expressions]
    return [call("unnest", array.copy())]


def _field(array: exp.Expression, name: str) -> exp.Expression:
    return call("struct_extract", call("unnest", array.copy()), literal(name))


def _ordinality(arrays: list[exp.Expression]) -> exp.Expression:
    lengths = [call("len", _list_of(array)) for array in arrays]
    return call("unnest", call("generate_series", literal(1), call("greatest", *lengths)))


def _list_of(array: exp.Expression) -> exp.Expression:
    return call("map_keys", array.copy()) if kind_of(array) == DType.MAP else array.copy()
