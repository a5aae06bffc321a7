"""Parser of Athena's SQL: Trino's grammar, as far as the laptop cloud runs it."""

import re
from itertools import pairwise
from typing import Any, ClassVar

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, SqlglotError

from local.core.request import AwsError
from local.services.athena.frontend.json_syntax import (
    parse_json_exists,
    parse_json_query,
    parse_json_value,
)
from local.services.athena.frontend.unsupported_syntax import (
    MULTI_CHARACTER_OPERATORS,
    find_unsupported_syntax,
)

_DECIMAL_LITERAL = re.compile(r"(?P<sign>[+-]?)(?P<digits>[0-9]+\.?[0-9]*|\.[0-9]+)")
_FUNCTIONS_WITH_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "TRIM")
"""Functions with keywords between their arguments."""


def _parse_decimal_literal(parser: Any, text: exp.Expr, _: exp.DataType) -> exp.Expr:
    """Return the number of DECIMAL '1.50'; its digits determine its precision and scale."""
    literal = _DECIMAL_LITERAL.fullmatch(text.name)
    if literal is None:
        message = f"Invalid decimal literal: {text.name}"
        parser.raise_error(message)
        raise ParseError(message)
    digits = literal["digits"]
    number = exp.Literal.number(digits if "." in digits else digits + ".")
    return exp.Neg(this=number) if literal["sign"] == "-" else number


def _parse_substring(parser: Any) -> exp.Expr:
    """Return the call that SUBSTRING(x FROM 2 FOR 3) stands for."""
    node = parser._parse_substring()
    arguments = [node.this, node.args.get("start"), node.args.get("length")]
    return exp.Anonymous(this="substring", expressions=[part for part in arguments if part])


class Athena(Trino):
    """Trino's dialect, with every function kept under the name that the query calls it by."""

    INDEX_OFFSET = 0  # sqlglot must not renumber array subscripts.

    class Tokenizer(Trino.Tokenizer):
        """Trino's keywords, and only Trino's operators."""

        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            keyword: token_type
            for keyword, token_type in Trino.Tokenizer.KEYWORDS.items()
            if keyword[0].isalpha() or keyword in MULTI_CHARACTER_OPERATORS
        }

    class Parser(Trino.Parser):  # type: ignore[misc, valid-type]  # sqlglot assigns it at run time
        """Trino's parser without sqlglot's own parsing of functions."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "CASE": Trino.Parser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }
        SUBQUERY_TOKENS: ClassVar[set[TokenType]] = {
            *Trino.Parser.SUBQUERY_TOKENS,
            TokenType.VALUES,
        }
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "SUBSTRING": _parse_substring,
            "JSON_VALUE": parse_json_value,
            "JSON_QUERY": parse_json_query,
            "JSON_EXISTS": parse_json_exists,
            **{name: Trino.Parser.FUNCTION_PARSERS[name] for name in _FUNCTIONS_WITH_SYNTAX},
        }
        TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Any]] = {
            **Trino.Parser.TYPE_LITERAL_PARSERS,
            exp.DType.DECIMAL: _parse_decimal_literal,
        }


def parse(sql: str) -> exp.Expr:
    """Parse one query or view definition; raise Athena's InvalidRequestException otherwise."""
    try:
        _check_tokens(sql)
        trees = [tree for tree in sqlglot.parse(sql, dialect=Athena) if tree is not None]
    except SqlglotError as error:
        raise _syntax_error(error) from None
    except RecursionError:
        raise _invalid("Query is too deeply nested") from None
    if len(trees) != 1:
        raise _invalid("Only one sql statement is allowed. Got: " + sql)
    construct = find_unsupported_syntax(trees[0])
    if construct:
        raise _invalid(f"mismatched input '{construct}'. Trino does not support it")
    return trees[0]


def _check_tokens(sql: str) -> None:
    """Reject what the parsed tree would no longer show: `1abc`, and a LIMIT before its OFFSET."""
    tokens = sqlglot.tokenize(sql, dialect=Athena)
    for token, following in pairwise(tokens):
        is_adjacent = following.start == token.end + 1
        if token.token_type == TokenType.NUMBER and is_adjacent and _is_word(following):
            raise _mismatched_input(following, "identifiers must not start with a digit")
    for token, after_count in zip(tokens, tokens[2:], strict=False):
        is_limit = token.token_type == TokenType.LIMIT
        if is_limit and after_count.token_type in (TokenType.OFFSET, TokenType.COMMA):
            raise _mismatched_input(after_count, "Expecting: <EOF>")


def _is_word(token: Token) -> bool:
    return token.text[:1].isalpha() or token.text[:1] == "_"


def _syntax_error(error: SqlglotError) -> AwsError:
    """Return Athena's response to SQL that it cannot parse: the query is not started."""
    details: Any = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    text = details.get("highlight") or "<EOF>"
    line = details.get("line") or 1
    column = max(1, (details.get("col") or 1) - len(text) + 1)
    description = str(details.get("description") or error).split("\n")[0]
    return _invalid(f"line {line}:{column}: mismatched input '{text}'. {description}")


def _mismatched_input(token: Token, reason: str) -> AwsError:
    column = token.col - len(token.text) + 1
    return _invalid(f"line {token.line}:{column}: mismatched input '{token.text}'. {reason}")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)
