"""Translation of functions of JSON and a path: only paths of names and indexes are modelled."""

import re

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, literal, string_constant
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.functions import require_function
from local.services.athena.frontend.types import dtype_of

_JSON_PATH_STEP = re.compile(
    r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\[(?:"([^"\\]+)"|'([^'\\]+)')\]"""
)


def translate_json_call(node: exp.Anonymous) -> exp.Expr:
    """Translate a function of JSON and a path."""
    value, path = node.expressions
    if isinstance(path, exp.Null):
        return path
    trino_path = string_constant(path)
    if trino_path is None:
        raise not_modelled("a JSON path that is not a literal")
    if node.name.lower() == "json_extract_scalar" and dtype_of(value) in types.STRING_TYPES:
        value = call("trino.quote_json_numbers", value)
    return call(require_function(node).target, value, literal(_duckdb_json_path(trino_path)))


def _duckdb_json_path(path: str) -> str:
    """Translate a JSON path; only paths of names and indexes are modelled."""
    steps = path.removeprefix("$")
    if not path.startswith("$") or _JSON_PATH_STEP.sub("", steps):
        raise not_modelled(f"the JSON path {path}")
    return "$" + _JSON_PATH_STEP.sub(_duckdb_json_step, steps)


def _duckdb_json_step(match: re.Match[str]) -> str:
    if match[2]:
        return f"[{match[2]}]"
    return f'."{match[1] or match[3] or match[4]}"'
