"""DuckDB's errors as Athena's reasons."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import duckdb

from local.services.athena.errors import QueryCancelled, QueryFailed

Reason = tuple[str, str]
_OWN = re.compile(r"Could not convert string '([A-Z][A-Z0-9_]+): (.*)' to BOOL", re.DOTALL)
_ROW = re.compile(r'(?:Malformed JSON|JSON transform error) in file "([^"]+)", (.*)', re.DOTALL)
_UNGROUPED = re.compile(r'column "?([^" ]+)"? must appear in the GROUP BY')
_KINDS: tuple[tuple[type[duckdb.Error], str], ...] = (
    (duckdb.OutOfMemoryException, "EXCEEDED_LOCAL_MEMORY_LIMIT"),
    (duckdb.OutOfRangeException, "NUMERIC_VALUE_OUT_OF_RANGE"),
    (duckdb.ConversionException, "INVALID_CAST_ARGUMENT"),
    (duckdb.BinderException, "SYNTAX_ERROR"),
    (duckdb.InvalidInputException, "INVALID_FUNCTION_ARGUMENT"),
    (duckdb.NotImplementedException, "NOT_SUPPORTED"),
)


@contextmanager
def failures(origin: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn an error of DuckDB into the query's failure; `origin` names the object of each file."""
    try:
        yield
    except duckdb.InterruptException:
        raise QueryCancelled("Query cancelled by user") from None
    except duckdb.Error as error:
        raise _failed(error, origin or {}) from None


def _failed(error: duckdb.Error, origin: Mapping[str, str]) -> QueryFailed:
    text = str(error)
    for pattern, reason in _PATTERNS:
        found = pattern.search(text)
        if found:
            return QueryFailed(*reason(found, origin))
    message = re.sub(r"^[A-Za-z ]+ Error: ", "", text).partition("\n")[0]
    code = next(
        (code for kind, code in _KINDS if isinstance(error, kind)), "GENERIC_INTERNAL_ERROR"
    )
    return QueryFailed(code, message)


def _own(found: re.Match[str], _: Mapping[str, str]) -> Reason:
    return found[1], found[2]


def _unreadable(found: re.Match[str], origin: Mapping[str, str]) -> Reason:
    where = origin.get(found[1], found[1])
    detail = found[2].partition(". ")[0].partition(" Try ")[0]
    return "HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - {detail} [{where}]"


def _ungrouped(found: re.Match[str], _: Mapping[str, str]) -> Reason:
    return (
        "EXPRESSION_NOT_AGGREGATE",
        f"'{found[1]}' must be an aggregate expression or appear in GROUP BY clause",
    )


_PATTERNS: tuple[
    tuple[re.Pattern[str], Callable[[re.Match[str], Mapping[str, str]], Reason]], ...
] = ((_OWN, _own), (_ROW, _unreadable), (_UNGROUPED, _ungrouped))
