"""Translation of functions of regular expressions: Java's patterns for DuckDB's RE2."""

import re

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, literal, string_constant
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.functions import require_function

_DOLLAR = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\$", re.DOTALL)
"""A `$`, or an escape or a character class, in which a `$` would be literal."""


_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\((?!\?)|\(\?P?<(?![=!]))", re.DOTALL)
"""A group that captures, or an escape or a character class, in which a `(` would be literal."""
_REPLACEMENT_PART = re.compile(r"\\.|\$(\d*)", re.DOTALL)


def translate_regexp_like(node: exp.Anonymous) -> exp.Expr:
    r"""Translate a match: `$` is also true before a final \n, as in Java's regular expressions."""
    text, pattern = node.expressions
    if string_constant(pattern) is not None and "(?m" not in pattern.name:
        java_pattern = _DOLLAR.sub(lambda match: match[1] or r"(?:\n?\z)", pattern.name)
        pattern = literal(java_pattern)
    return call("regexp_matches", text, _re2_pattern(pattern))


def translate_regexp(node: exp.Anonymous) -> exp.Expr:
    """Translate a function of a regular expression: the groups that it names must exist."""
    text, pattern, *others = node.expressions
    if string_constant(pattern) is not None:
        groups = sum(bool(match[1]) for match in _GROUP.finditer(pattern.name))
        for other in others:
            _check_groups(other, groups)
        _refuse_empty_matches(node.name.lower(), pattern.name, others)
    return call(require_function(node).target, text, _re2_pattern(pattern), *others)


def _re2_pattern(pattern: exp.Expr) -> exp.Expr:
    """Return a pattern in which DuckDB's RE2 knows Java's named groups."""
    is_literal = string_constant(pattern) is not None
    return literal(re.sub(r"\(\?<(?![=!])", "(?P<", pattern.name)) if is_literal else pattern


def _check_groups(argument: exp.Expr, groups: int) -> None:
    """Check the number of a group, or each number in a replacement."""
    numbers = [argument.name]
    if string_constant(argument) is not None:
        numbers = [match[1] for match in _REPLACEMENT_PART.finditer(argument.name)]
        if "" in numbers:
            message = "Illegal replacement sequence: a $ needs the number of a group"
            raise QueryFailed("INVALID_FUNCTION_ARGUMENT", message)
    for number in numbers:
        if number is not None and number.isdigit() and int(number) > groups:
            message = f"Pattern has {groups} groups. Cannot access group {number}"
            raise QueryFailed("INVALID_FUNCTION_ARGUMENT", message)


def _refuse_empty_matches(name: str, pattern: str, others: list[exp.Expr]) -> None:
    """Refuse what Java does after a match with another, empty match at its end."""
    inserts_text = name == "regexp_replace" and bool(others) and others[0].name != ""
    if not inserts_text and name != "regexp_split":
        return
    try:
        matches_empty = re.match(pattern, "") is not None
    except re.error:
        return
    if matches_empty and not pattern.startswith("^"):
        raise not_modelled(f"{name} with a pattern that matches the empty text ({pattern})")
