"""Translation of JSON_VALUE, JSON_QUERY and JSON_EXISTS: a path finds a list of items.

A lax path takes an array for its elements where it names a member, and what is no array for an
array of one element. Of strict paths, only those of names and indexes are modelled.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, literal
from local.services.athena.backend.casts import translate_cast
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.type_checks import may_cast
from local.services.athena.frontend.types import Type, display_name, type_of

_PATH = re.compile(r"\s*(lax|strict)\s+\$(.*)", re.DOTALL)
_STEP = re.compile(
    r"\s*(?:\.\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?!\w|\s*\()|\.\s*\"(?P<quoted>[^\"\\]+)\""
    r"|\[\s*(?P<index>\d+)\s*\]|(?P<elements>\[\s*\*\s*\])|(?P<members>\.\s*\*))\s*"
)
_ITEMS = exp.to_identifier("cdc_items")
_ITEM = call("list_extract", _ITEMS, literal(1))
_SCALAR_TYPES = {
    "VARCHAR": types.VARCHAR,
    "BOOLEAN": types.BOOLEAN,
    "DOUBLE": types.DOUBLE,
    "BIGINT": types.BIGINT,
    "UBIGINT": types.BIGINT,
}
"""DuckDB's type of a scalar in JSON → Trino's."""
_FAILURES = {
    "json_value": "JSON_VALUE_RESULT_ERROR: cannot extract SQL scalar from JSON",
    "json_query": "JSON_OUTPUT_CONVERSION_ERROR: conversion from JSON failed",
    "json_exists": "PATH_EVALUATION_ERROR: path evaluation failed",
}


def translate_json_value(node: exp.Anonymous) -> exp.Expr:
    """Translate JSON_VALUE: the one item that a path finds, cast to a type."""
    kind = call("json_type", _ITEM.copy())
    casts = [
        exp.If(this=exp.EQ(this=kind.copy(), expression=literal(name)), true=value)
        for name, value in _scalar_casts(type_of(node))
    ]
    is_single = exp.EQ(this=call("len", _ITEMS.copy()), expression=literal(1))
    value = exp.Case(ifs=[exp.If(this=is_single, true=exp.Case(ifs=casts))])
    is_null = exp.EQ(this=kind, expression=literal("NULL"))
    return _result_of_items(node, value, exp.and_(is_single.copy(), is_null))


def _scalar_casts(target: Type) -> Iterator[tuple[str, exp.Expr]]:
    """Yield each of DuckDB's types of a scalar, and the cast of such an item."""
    for name, source in _SCALAR_TYPES.items():
        if may_cast(source, target):
            scalar = cast(call("json_extract_string", _ITEM.copy(), literal("$")), source)
            scalar.type = source
            yield name, call("try", translate_cast(exp.Cast(this=scalar, to=target.copy())))


def translate_json_query(node: exp.Anonymous) -> exp.Expr:
    """Translate JSON_QUERY: the items that a path finds as text, perhaps in an array."""
    if type_of(node).this not in types.STRING_TYPES:
        raise not_modelled(f"JSON_QUERY that returns {display_name(type_of(node))}")
    text = call("trino.json_query_text", _ITEMS.copy(), node.expressions[3])
    text.type = types.VARCHAR
    value = translate_cast(exp.Cast(this=text, to=type_of(node).copy()))
    return _result_of_items(node, value, exp.false())


def translate_json_exists(node: exp.Anonymous) -> exp.Expr:
    """Translate JSON_EXISTS: whether a path finds an item."""
    document, path, on_error = node.expressions
    exists = call("len", _items(document, path))
    return call("trino.json_exists", document.copy(), exists, _fallback(node, on_error))


def _result_of_items(node: exp.Anonymous, value: exp.Expr, is_null: exp.Expr) -> exp.Expr:
    """Return a value of the found items, or what the clauses say if there is no item."""
    document, path, *_, on_empty, on_error = node.expressions
    count = call("len", _ITEMS.copy())
    branches = [
        (exp.Is(this=document.copy(), expression=exp.Null()), exp.null()),
        (exp.EQ(this=count, expression=literal(0)), _fallback(node, on_empty)),
        (is_null, exp.null()),
        (exp.Is(this=value.copy(), expression=exp.Null()), _fallback(node, on_error)),
    ]
    ifs = [exp.If(this=condition, true=result) for condition, result in branches]
    body = exp.Lambda(this=exp.Case(ifs=ifs, default=value), expressions=[_ITEMS.copy()])
    results = call("list_transform", call("list_value", _items(document, path)), body)
    return call("list_extract", results, literal(1))


def _fallback(node: exp.Anonymous, result: exp.Expr) -> exp.Expr:
    if not isinstance(result, exp.Var):
        return result
    return call("trino.fail", literal(_FAILURES[node.name.lower()]), node.expressions[0].copy())


def _items(document: exp.Expr, path: exp.Expr) -> exp.Expr:
    """Return the list of items that a path finds in a document, NULL if it fails."""
    match = _PATH.fullmatch(path.name)
    if match is None:
        raise QueryFailed("SYNTAX_ERROR", f"mismatched input '{path.name}' expecting lax or strict")
    steps = list(_STEP.finditer(match[2]))
    if _STEP.sub("", match[2]).strip():
        raise not_modelled(f"the JSON path {path.name}")
    items: exp.Expr = call("trino.json_items", document)
    if match[1] == "lax":
        for step in steps:
            items = _lax_step(items, step)
        return items
    if any(step["elements"] or step["members"] for step in steps):
        raise not_modelled(f"the JSON path {path.name}")
    return call("trino.json_strict", items, literal("$" + "".join(map(_duckdb_step, steps))))


def _lax_step(items: exp.Expr, step: re.Match[str]) -> exp.Expr:
    if step["elements"]:
        return call("trino.json_elements", items)
    if step["members"]:
        return call("trino.json_members", items)
    if step["index"]:
        return call("trino.json_element", items, literal(int(step["index"])))
    return call("trino.json_member", items, literal("$" + _duckdb_step(step)))


def _duckdb_step(step: re.Match[str]) -> str:
    if step["index"]:
        return f"[{step['index']}]"
    return f'."{step["name"] or step["quoted"]}"'
