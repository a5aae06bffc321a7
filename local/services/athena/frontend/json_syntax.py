"""Parser of JSON_VALUE, JSON_QUERY and JSON_EXISTS: their clauses become arguments of a call.

`json_value(document, path, type, on_empty, on_error)`, `json_query(document, path, type, wrapper,
on_empty, on_error)` and `json_exists(document, path, on_error)`: the type is that of a NULL, and
what a clause that says ERROR stands for is a variable of that name.
"""

from typing import Any

from sqlglot import TokenType, exp

from local.core.errors import not_modelled_message
from local.core.request import AwsError

ERROR = "ERROR"
KEEP = "KEEP"
OMIT_QUOTES = "OMIT QUOTES"
CONDITIONAL = "CONDITIONAL"
UNCONDITIONAL = "UNCONDITIONAL"
_WRAPPERS = {
    "WITHOUT ARRAY WRAPPER": KEEP,
    "WITHOUT WRAPPER": KEEP,
    "WITH CONDITIONAL ARRAY WRAPPER": CONDITIONAL,
    "WITH CONDITIONAL WRAPPER": CONDITIONAL,
    "WITH UNCONDITIONAL ARRAY WRAPPER": UNCONDITIONAL,
    "WITH UNCONDITIONAL WRAPPER": UNCONDITIONAL,
    "WITH ARRAY WRAPPER": UNCONDITIONAL,
    "WITH WRAPPER": UNCONDITIONAL,
}
"""A clause of JSON_QUERY → what is made of the items that it finds."""
_QUOTES = {"KEEP QUOTES": KEEP, "OMIT QUOTES": OMIT_QUOTES}
_RESULTS = {
    "json_value": {"NULL": exp.null(), ERROR: exp.var(ERROR)},
    "json_query": {
        "NULL": exp.null(),
        ERROR: exp.var(ERROR),
        "EMPTY ARRAY": exp.Literal.string("[]"),
        "EMPTY OBJECT": exp.Literal.string("{}"),
    },
    "json_exists": {
        "TRUE": exp.true(),
        "FALSE": exp.false(),
        "UNKNOWN": exp.null(),
        ERROR: exp.var(ERROR),
    },
}
"""What a function may result in, if its path finds nothing or fails."""


def parse_json_value(parser: Any) -> exp.Expr:
    """Return the call that JSON_VALUE stands for."""
    arguments = [*_parse_path(parser), _parse_type(parser)]
    return _call("json_value", [*arguments, *_parse_results(parser, "json_value", exp.null())])


def parse_json_query(parser: Any) -> exp.Expr:
    """Return the call that JSON_QUERY stands for."""
    arguments = [*_parse_path(parser), _parse_type(parser)]
    wrapper = _match_words(parser, _WRAPPERS) or KEEP
    quotes = _match_words(parser, _QUOTES) or KEEP
    if quotes == OMIT_QUOTES and wrapper != KEEP:
        parser.raise_error("OMIT QUOTES behavior specified with WITH ARRAY WRAPPER behavior")
    parser._match_text_seq("ON", "SCALAR", "STRING")
    arguments.append(exp.Literal.string(wrapper if quotes == KEEP else quotes))
    return _call("json_query", [*arguments, *_parse_results(parser, "json_query", exp.null())])


def parse_json_exists(parser: Any) -> exp.Expr:
    """Return the call that JSON_EXISTS stands for."""
    arguments = _parse_path(parser)
    _, on_error = _parse_results(parser, "json_exists", exp.false())
    return _call("json_exists", [*arguments, on_error])


def _call(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=arguments)


def _parse_path(parser: Any) -> list[exp.Expr]:
    """Return the document and the literal of the path."""
    document = parser._parse_bitwise()
    parser._match_text_seq("FORMAT", "JSON")
    _refuse(parser, "ENCODING")
    if not parser._match(TokenType.COMMA):
        parser.raise_error("Expecting ,")
    path = parser._parse_string()
    if path is None:
        parser.raise_error("Expecting: <string>")
    _refuse(parser, "AS")
    _refuse(parser, "PASSING")
    return [document, path]


def _refuse(parser: Any, word: str) -> None:
    if parser._match_text_seq(word):
        message = not_modelled_message(f"{word} in a function of JSON")
        raise AwsError("InvalidRequestException", message)


def _parse_type(parser: Any) -> exp.Expr:
    """Return a NULL of the type that RETURNING names."""
    has_type = parser._match_text_seq("RETURNING")
    target = parser._parse_types() if has_type else exp.DataType.build("varchar")
    parser._match_text_seq("FORMAT", "JSON")
    return exp.Cast(this=exp.null(), to=target)


def _parse_results(parser: Any, name: str, default: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Return what the function results in if its path finds nothing, and if it fails."""
    on_empty, on_error = default, default.copy()
    result = _parse_result(parser, name)
    if result is not None and parser._match_text_seq("ON", "EMPTY"):
        on_empty = result
        result = _parse_result(parser, name)
    if result is not None:
        if not parser._match_text_seq("ON", ERROR):
            parser.raise_error("Expecting ON ERROR")
        on_error = result
    return on_empty, on_error


def _parse_result(parser: Any, name: str) -> exp.Expr | None:
    if name == "json_value" and parser._match_text_seq("DEFAULT"):
        value: exp.Expr = parser._parse_bitwise()
        return value
    result = _match_words(parser, _RESULTS[name])
    return result.copy() if result is not None else None


def _match_words(parser: Any, meanings: dict[str, Any]) -> Any:
    """Return what the next words mean, None if they are none of these."""
    for words, meaning in meanings.items():
        if parser._match_text_seq(*words.split()):
            return meaning
    return None
