"""Athena statements: runs them in the pipeline's workgroup, and reads their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from setup.lib.waiters import SetupError, wait_until
from setup.names import DATABASE, WORKGROUP

if TYPE_CHECKING:
    from types_boto3_athena.type_defs import QueryExecutionTypeDef

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def run_statement(label: str, sql: str) -> QueryExecutionTypeDef:
    """Run a statement to its end, and return its execution."""
    athena = boto3.client("athena")
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=WORKGROUP,
    )

    def execution() -> QueryExecutionTypeDef:
        response = athena.get_query_execution(QueryExecutionId=query["QueryExecutionId"])
        return response["QueryExecution"]

    wait_until(label, lambda: str(execution()["Status"]["State"]), *ENDED, limit=1800)
    return execution()


def fetch_rows(label: str, sql: str) -> list[list[str | None]]:
    """Run a query, and return its rows of text; NULL is None."""
    execution = run_statement(label, sql)
    status = execution["Status"]
    if status["State"] != "SUCCEEDED":
        reason = status.get("StateChangeReason", "no reason given")
        raise SetupError(f"{label}: expected SUCCEEDED, found {status['State']}: {reason}")
    paginator = boto3.client("athena").get_paginator("get_query_results")
    pages = paginator.paginate(QueryExecutionId=execution["QueryExecutionId"])
    rows = [
        [value.get("VarCharValue") for value in row["Data"]]
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]
    return rows[1:]  # The first row has the names of the columns.
