"""Mapping of DuckDB's errors to Athena's error codes and messages."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import duckdb

from local.services.athena.errors import QueryCancelled, QueryFailed
from local.services.athena.storage.object_cache import LakeObject

_CODES: tuple[tuple[type[duckdb.Error], str], ...] = (
    (duckdb.OutOfMemoryException, "EXCEEDED_LOCAL_MEMORY_LIMIT"),
    (duckdb.OutOfRangeException, "NUMERIC_VALUE_OUT_OF_RANGE"),
    (duckdb.ConversionException, "INVALID_CAST_ARGUMENT"),
    (duckdb.BinderException, "SYNTAX_ERROR"),
    (duckdb.InvalidInputException, "INVALID_FUNCTION_ARGUMENT"),
    (duckdb.NotImplementedException, "NOT_SUPPORTED"),
)


@contextmanager
def mapped_errors(objects: Mapping[str, LakeObject] | None = None) -> Iterator[None]:
    """Raise DuckDB's errors as QueryFailed or QueryCancelled.

    `objects` has the S3 object of each cached file that a query reads: the messages name it.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise QueryCancelled("Query cancelled by user") from None
    except duckdb.Error as error:
        raise _query_failure(error, objects or {}) from None


def _query_failure(error: duckdb.Error, objects: Mapping[str, LakeObject]) -> QueryFailed:
    text = str(error)
    for pattern, failure in _PATTERNS:
        match = pattern.search(text)
        if match:
            return failure(match, objects)
    message = re.sub(r"^[A-Za-z ]+ Error: ", "", text).partition("\n")[0]
    return QueryFailed(_code(error), message)


def _code(error: duckdb.Error) -> str:
    for error_type, code in _CODES:
        if isinstance(error, error_type):
            return code
    return "GENERIC_INTERNAL_ERROR"


def _macro_failure(match: re.Match[str], _: Mapping[str, LakeObject]) -> QueryFailed:
    """Return the failure that trino.fail() raised with a code and a message."""
    return QueryFailed(match[1], match[2])


def _malformed_row(match: re.Match[str], objects: Mapping[str, LakeObject]) -> QueryFailed:
    lake_object = objects.get(match[1])
    origin = lake_object.location if lake_object else match[1]
    detail = match[2].partition(". ")[0].partition(" Try ")[0]
    return QueryFailed("HIVE_CURSOR_ERROR", f"Row is not a valid JSON Object - {detail} [{origin}]")


def _not_aggregated(match: re.Match[str], _: Mapping[str, LakeObject]) -> QueryFailed:
    return QueryFailed(
        "EXPRESSION_NOT_AGGREGATE",
        f"'{match[1]}' must be an aggregate expression or appear in GROUP BY clause",
    )


_PATTERNS: tuple[
    tuple[re.Pattern[str], Callable[[re.Match[str], Mapping[str, LakeObject]], QueryFailed]], ...
] = (
    (
        re.compile(r"Could not convert string '([A-Z][A-Z0-9_]+): (.*)' to BOOL", re.DOTALL),
        _macro_failure,
    ),
    (
        re.compile(r'(?:Malformed JSON|JSON transform error) in file "([^"]+)", (.*)', re.DOTALL),
        _malformed_row,
    ),
    (re.compile(r'column "?([^" ]+)"? must appear in the GROUP BY'), _not_aggregated),
)
"""A pattern of DuckDB's messages → the failure that it stands for."""
