"""Queries that run: they may still write what they have read, as a result or into the copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING

import boto3

from setup.names import WORKGROUP

if TYPE_CHECKING:
    from types_boto3_athena.client import AthenaClient

MAX_RUNTIME = timedelta(hours=4)  # Athena's quota is 30 minutes, and may be raised to this.
OVER = ("SUCCEEDED", "FAILED", "CANCELLED")
PAUSE = 2  # seconds


def wait_for_queries() -> None:
    """Wait until the queries of the workgroup that run now are over."""
    athena = boto3.client("athena")
    running_ids = _running_queries(athena)
    while running_ids:
        sleep(PAUSE)
        running_ids &= _running_queries(athena)


def _running_queries(athena: AthenaClient) -> set[str]:
    """Return the ids of all running queries. Athena lists the newest first, 50 on a page."""
    running_ids: set[str] = set()
    oldest = datetime.now(UTC) - MAX_RUNTIME
    for page in athena.get_paginator("list_query_executions").paginate(WorkGroup=WORKGROUP):
        ids = page["QueryExecutionIds"]
        if not ids:
            break
        queries = athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
        over = {query["QueryExecutionId"] for query in queries if query["Status"]["State"] in OVER}
        running_ids |= {*ids} - over
        if any(query["Status"]["SubmissionDateTime"] < oldest for query in queries):
            break
    return running_ids
