"""Athena's SQL as a tree: Trino's grammar, and no more of it than the laptop understands."""

import re
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokens import TokenType

from local.core.request import AwsError
from local.services.athena.frontend.unsupported_syntax import SIGNS, foreign

_DECIMAL = re.compile(r"(?P<sign>[+-]?)(?P<digits>[0-9]+\.?[0-9]*|\.[0-9]+)")
_SYNTAX_OF_ITS_OWN = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "TRIM")


def _decimal_literal(parser: Any, text: exp.Expression, _: exp.DataType) -> exp.Expression:
    """Return the number of DECIMAL '1.50', which has the size that its digits have."""
    found = _DECIMAL.fullmatch(text.name)
    if found is None:
        parser.raise_error(f"Invalid decimal literal: {text.name}")
    digits = found["digits"]
    number = exp.Literal.number(digits if "." in digits else digits + ".")
    return exp.Neg(this=number) if found["sign"] == "-" else number


class Athena(Trino):
    """Trino's dialect in which each function keeps its name: functions.py knows what it means."""

    INDEX_OFFSET = 0  # Array subscripts stay as they are written.

    class Tokenizer(Trino.Tokenizer):
        """Trino's words, and no signs but its own."""

        KEYWORDS: ClassVar[dict[str, Any]] = {
            word: token
            for word, token in Trino.Tokenizer.KEYWORDS.items()
            if word[0].isalpha() or word in SIGNS
        }

    class Parser(Trino.Parser):
        """Trino's parser without sqlglot's own reading of functions."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: Trino.Parser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("ANY", "CASE")
        }
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: Trino.Parser.FUNCTION_PARSERS[name] for name in _SYNTAX_OF_ITS_OWN
        }
        TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Any]] = {
            **Trino.Parser.TYPE_LITERAL_PARSERS,
            exp.DType.DECIMAL: _decimal_literal,
        }


def refused(error: SqlglotError) -> AwsError:
    """Return Athena's answer to text that it cannot read: it refuses to start the query."""
    details = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    line, column = details.get("line") or 1, details.get("col") or 1
    found = details.get("highlight") or "<EOF>"
    column = max(1, column - len(found) + 1)
    what = str(details.get("description") or error).split("\n")[0]
    return AwsError(
        "InvalidRequestException", f"line {line}:{column}: mismatched input '{found}'. {what}"
    )


def _refuse_words(sql: str) -> None:
    """Refuse what the tree would not tell any more: a LIMIT before its OFFSET, a number's tail."""
    words = sqlglot.tokenize(sql, dialect=Athena)
    for one, other, third in zip(words, words[1:], [*words[2:], None], strict=False):
        if one.token_type == TokenType.NUMBER and other.start == one.end + 1 and _is_word(other):
            raise _mismatched(other, "identifiers must not start with a digit")
        limited = one.token_type == TokenType.LIMIT and third is not None
        if limited and third.token_type in (TokenType.OFFSET, TokenType.COMMA):
            raise _mismatched(third, "Expecting: <EOF>")


def _is_word(token: Any) -> bool:
    return token.text[:1].isalpha() or token.text[:1] == "_"


def _mismatched(token: Any, text: str) -> AwsError:
    column = token.col - len(token.text) + 1
    return AwsError(
        "InvalidRequestException",
        f"line {token.line}:{column}: mismatched input '{token.text}'. {text}",
    )


def parsed(sql: str) -> exp.Expression:
    """Return the tree of one query or view definition; raise Athena's refusal of anything else."""
    try:
        _refuse_words(sql)
        trees = [tree for tree in sqlglot.parse(sql, dialect=Athena) if tree is not None]
    except SqlglotError as error:
        raise refused(error) from None
    except RecursionError:
        raise AwsError("InvalidRequestException", "Query is too deeply nested") from None
    if len(trees) != 1:
        raise AwsError("InvalidRequestException", "Only one sql statement is allowed. Got: " + sql)
    if found := foreign(trees[0]):
        raise AwsError("InvalidRequestException", f"mismatched input '{found}': Trino has it not")
    return trees[0]
