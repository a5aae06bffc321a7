"""Athena's answers: a query in, typed columns and a stream of rows out."""

import io
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from setup.names import DATABASE, WORKGROUP

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two looks at a running query
FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*)),')

Row = tuple[str | None, ...]


class QueryFailed(Exception):
    """Athena could not answer; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a query has come: its state, as Athena calls it, and what it has read so far."""

    state: str
    scanned: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer: its name, and its type as Athena calls it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query gave: rows of texts, NULL as None, read from S3 only as they are taken."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]
    scanned: int


def run_query(
    sql: str, parameters: Sequence[str] = (), watch: Callable[[Progress], None] | None = None
) -> QueryResult:
    """Return Athena's answer to a query; the parameters take the places of its question marks.

    While it waits, it tells `watch`, after each look at the query, how far that has come.
    """
    athena = boto3.client("athena")
    literals = {"ExecutionParameters": [literal(text) for text in parameters]} if parameters else {}
    try:
        started = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
            WorkGroup=WORKGROUP,
            **literals,
        )
    except athena.exceptions.InvalidRequestException as refusal:
        raise QueryFailed(refusal.response["Error"]["Message"]) from None
    query = _finished(athena, started["QueryExecutionId"], watch)
    return QueryResult(
        columns=_columns(athena, query["QueryExecutionId"]),
        rows=_rows(query["ResultConfiguration"]["OutputLocation"]),
        scanned=query["Statistics"].get("DataScannedInBytes", 0),
    )


def literal(text: str) -> str:
    """Return a text as the SQL literal that Athena takes for a parameter.

    >>> literal("O'Hara")
    "'O''Hara'"
    """
    return "'" + text.replace("'", "''") + "'"


def records(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the records of Athena's CSV: a text is quoted, and what is not there is NULL.

    >>> list(records(['"a","",\\n', '"1\\n', '2","",\\n']))
    [('a', '', None), ('1\\n2', '', None)]
    """
    record: list[str] = []
    is_quoted = False
    for line in lines:
        record.append(line)
        is_quoted ^= line.count('"') % 2 == 1
        if not is_quoted:
            yield _fields("".join(record).removesuffix("\n"))
            record.clear()


def _fields(record: str) -> Row:
    return tuple(
        found[2] or None if found[1] is None else found[1].replace('""', '"')
        for found in FIELD.finditer(record + ",")
    )


def _finished(
    athena: Any, query_id: str, watch: Callable[[Progress], None] | None
) -> dict[str, Any]:
    """Return the execution of a query once it has succeeded; an interrupted one costs no more."""
    pause = FIRST_PAUSE
    try:
        while True:
            query = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            status = query["Status"]
            if status["State"] == "SUCCEEDED":
                return query
            if status["State"] in ("FAILED", "CANCELLED"):
                raise QueryFailed(status.get("StateChangeReason", status["State"]))
            if watch:
                scanned = query.get("Statistics", {}).get("DataScannedInBytes", 0)
                watch(Progress(status["State"], scanned))
            time.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise


def _columns(athena: Any, query_id: str) -> tuple[Column, ...]:
    results = athena.get_query_results(QueryExecutionId=query_id, MaxResults=1)
    found = results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    return tuple(Column(column["Name"], column["Type"]) for column in found)


def _rows(location: str) -> Iterator[Row]:
    """Yield the rows of a result from its object: GetQueryResults would give 1000 in a call."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    with io.TextIOWrapper(body, encoding="utf-8", newline="\n") as lines:
        rows = records(lines)
        next(rows)  # The names of the columns.
        yield from rows
