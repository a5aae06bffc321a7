"""Athena queries: SQL in, typed columns and a stream of rows out."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from setup.lib.backoff import backoff
from setup.lib.errors import UserError
from setup.names import DATABASE, WORKGROUP

if TYPE_CHECKING:
    from types_boto3_athena.client import AthenaClient
    from types_boto3_athena.type_defs import QueryExecutionTypeDef, StartQueryExecutionInputTypeDef

FIRST_PAUSE = 0.05  # Seconds between the first two polls of a running query.
LONGEST_PAUSE = 2.0
# A value with or without quotes, and the comma after it.
FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*)),')

Row = tuple[str | None, ...]


class QueryFailed(UserError):
    """Athena rejected a query or could not finish it; the message is Athena's reason."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a query: Athena's name of its state, and the bytes scanned so far."""

    state: str
    bytes_scanned: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its name, and Athena's name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query: rows of text (NULL is None), streamed from S3 while iterated."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]
    bytes_scanned: int


def run_query(
    sql: str, parameters: Sequence[str] = (), on_progress: Callable[[Progress], None] | None = None
) -> QueryResult:
    """Run a query and return its result; the parameters replace its question marks in order.

    `on_progress` is called after each poll of the running query.
    """
    athena = boto3.client("athena")
    query_id = _start_query(athena, sql, parameters)
    execution = _wait_for_query(athena, query_id, on_progress)
    return QueryResult(
        columns=_fetch_columns(athena, query_id),
        rows=_stream_rows(execution["ResultConfiguration"]["OutputLocation"]),
        bytes_scanned=execution["Statistics"].get("DataScannedInBytes", 0),
    )


def run_statement(sql: str, on_progress: Callable[[Progress], None] | None = None) -> int:
    """Run a statement that has no rows, such as UNLOAD; return the number of bytes scanned."""
    athena = boto3.client("athena")
    query_id = _start_query(athena, sql, ())
    execution = _wait_for_query(athena, query_id, on_progress)
    return execution["Statistics"].get("DataScannedInBytes", 0)


def literal(text: str) -> str:
    """Return text as the SQL literal that Athena expects for a parameter.

    >>> literal("O'Hara")
    "'O''Hara'"
    """
    return "'" + text.replace("'", "''") + "'"


def parse_csv(lines: Iterable[str]) -> Iterator[Row]:
    r"""Yield the rows of Athena's CSV, which quotes every value and leaves NULL empty.

    >>> list(parse_csv(['"a","",\n', '"1\n', '2","",\n']))
    [('a', '', None), ('1\n2', '', None)]
    """
    record: list[str] = []
    is_quoted = False
    for line in lines:
        record.append(line)
        is_quoted ^= line.count('"') % 2 == 1
        if not is_quoted:
            yield _parse_record("".join(record).removesuffix("\n"))
            record.clear()


def _parse_record(record: str) -> Row:
    return tuple(_parse_field(*match.groups()) for match in FIELD.finditer(record + ","))


def _parse_field(quoted: str | None, unquoted: str | None) -> str | None:
    if quoted is None:
        return unquoted or None
    return quoted.replace('""', '"')


def _start_query(athena: AthenaClient, sql: str, parameters: Sequence[str]) -> str:
    request: StartQueryExecutionInputTypeDef = {
        "QueryString": sql,
        "QueryExecutionContext": {"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        "WorkGroup": WORKGROUP,
    }
    if parameters:  # Athena rejects an empty list.
        request["ExecutionParameters"] = [literal(text) for text in parameters]
    try:
        response = athena.start_query_execution(**request)
    except athena.exceptions.InvalidRequestException as error:
        raise QueryFailed(error.response["Error"]["Message"]) from None
    return response["QueryExecutionId"]


def _wait_for_query(
    athena: AthenaClient, query_id: str, on_progress: Callable[[Progress], None] | None
) -> QueryExecutionTypeDef:
    """Return the execution once it has succeeded; an interrupt stops the query and its cost."""
    pauses = backoff(FIRST_PAUSE, LONGEST_PAUSE, factor=1.5)
    try:
        while True:
            response = athena.get_query_execution(QueryExecutionId=query_id)
            execution = response["QueryExecution"]
            status = execution["Status"]
            if status["State"] == "SUCCEEDED":
                return execution
            if status["State"] in ("FAILED", "CANCELLED"):
                raise QueryFailed(status.get("StateChangeReason", status["State"]))
            if on_progress:
                scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
                on_progress(Progress(status["State"], scanned))
            time.sleep(next(pauses))
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise


def _fetch_columns(athena: AthenaClient, query_id: str) -> tuple[Column, ...]:
    response = athena.get_query_results(QueryExecutionId=query_id, MaxResults=1)
    columns = response["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    return tuple(Column(column["Name"], column["Type"]) for column in columns)


def _stream_rows(location: str) -> Iterator[Row]:
    """Yield the rows from the result's S3 object: GetQueryResults returns only 1000 per call."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    with io.TextIOWrapper(body, encoding="utf-8", newline="\n") as lines:  # type: ignore[type-var]  # StreamingBody reads like a file
        rows = parse_csv(lines)
        next(rows)  # The first row holds the column names.
        yield from rows
