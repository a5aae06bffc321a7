"""Mapping of DuckDB's errors to Athena's error codes and messages."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from local.services.athena.backend.duckdb_process import DuckDbError
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.object_cache import LakeObject

_CODES = {
    "OutOfMemoryException": "EXCEEDED_LOCAL_MEMORY_LIMIT",
    "MemoryError": "EXCEEDED_LOCAL_MEMORY_LIMIT",
    "OutOfRangeException": "NUMERIC_VALUE_OUT_OF_RANGE",
    "ConversionException": "INVALID_CAST_ARGUMENT",
    "BinderException": "SYNTAX_ERROR",
    "InvalidInputException": "INVALID_FUNCTION_ARGUMENT",
    "NotImplementedException": "NOT_SUPPORTED",
}
"""An exception of DuckDB → Trino's error code."""


@contextmanager
def mapped_errors(objects: Mapping[str, LakeObject] | None = None) -> Iterator[None]:
    """Raise DuckDB's errors as QueryFailed.

    `objects` has the S3 object of each cached file that a query reads: the messages name it.
    """
    try:
        yield
    except DuckDbError as error:
        raise _query_failure(error, objects or {}) from None


def _query_failure(error: DuckDbError, objects: Mapping[str, LakeObject]) -> QueryFailed:
    text = str(error)
    for pattern, failure in _PATTERNS:
        match = pattern.search(text)
        if match:
            return failure(match, objects)
    message = re.sub(r"^[A-Za-z ]+ Error: ", "", text).partition("\n")[0]
    return QueryFailed(_CODES.get(error.kind, "GENERIC_INTERNAL_ERROR"), message)


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


def _unknown_zone(match: re.Match[str], _: Mapping[str, LakeObject]) -> QueryFailed:
    return QueryFailed("INVALID_FUNCTION_ARGUMENT", f"'{match[1]}' is not a valid time zone")


def _too_large(_: re.Match[str], __: Mapping[str, LakeObject]) -> QueryFailed:
    return QueryFailed("EXCEEDED_SPILL_LIMIT", "Query exceeded the laptop cloud's limit of a file")


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
    (re.compile("File too large"), _too_large),
    (re.compile("Unknown TimeZone '(.*)'!"), _unknown_zone),
    (re.compile(r'column "?([^" ]+)"? must appear in the GROUP BY'), _not_aggregated),
)
"""A pattern of DuckDB's messages → the failure that it stands for."""
