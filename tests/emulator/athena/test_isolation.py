"""Queries on the laptop harm nobody but themselves: each runs in a process that dies alone."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.api import executions
from local.services.athena.backend import duckdb_process
from local.services.athena.backend.duckdb_process import DuckDbPool, DuckDbProcess
from tests.support.athena_fixture import (
    athena_client,
    athena_cloud,
    execute,
    query_rows,
    wait_until_finished,
)

SEQUENCE = "UNNEST(sequence(1, 9999))"
ENDLESS_QUERIES = [
    f"SELECT count(*) FROM {SEQUENCE} a(x), {SEQUENCE} b(y), {SEQUENCE} c(z) WHERE x + y + z = 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
]


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def start(sql: str) -> str:
    """Start a query, and return its id once it runs."""
    key = str(
        athena_client().start_query_execution(QueryString=sql, WorkGroup="work")["QueryExecutionId"]
    )
    while state_of(key) == "QUEUED":
        time.sleep(0.01)
    return key


def state_of(key: str) -> str:
    response = athena_client().get_query_execution(QueryExecutionId=key)
    return str(response["QueryExecution"]["Status"]["State"])


def process_of(cloud: Cloud, key: str) -> DuckDbProcess:
    """Return the process that runs a query."""
    process = cloud.service(Athena)._executions.get(key).process
    assert process is not None
    return process


@pytest.fixture
def endless_query() -> Iterator[str]:
    """The id of a query that runs for ever."""
    key = start(ENDLESS_QUERIES[0])
    yield key
    athena_client().stop_query_execution(QueryExecutionId=key)


@pytest.mark.slow
def test_endless_query_blocks_nobody(endless_query: str) -> None:
    started_at = time.monotonic()
    assert query_rows("SELECT 1")[1] == ["1"]
    assert query_rows("SELECT count(*) FROM changes")[1] == ["60"]
    assert time.monotonic() - started_at < 20  # Alone it takes half a second.
    assert state_of(endless_query) == "RUNNING"


def test_killed_process_fails_its_query_alone(cloud: Cloud, endless_query: str) -> None:
    killed = start(ENDLESS_QUERIES[0])
    os.kill(process_of(cloud, killed).pid, signal.SIGKILL)
    status = wait_until_finished(killed)["Status"]
    reason = "GENERIC_INTERNAL_ERROR: The query's process was ended by SIGKILL"
    assert (status["State"], status["StateChangeReason"]) == ("FAILED", reason)
    assert state_of(endless_query) == "RUNNING"
    assert query_rows("SELECT count(*) FROM changes")[1] == ["60"]


@pytest.mark.slow
def test_idle_process_that_died_is_replaced(cloud: Cloud) -> None:
    execute("SELECT 1")
    for process in cloud.service(Athena)._executions._processes._idle:
        os.kill(process.pid, signal.SIGKILL)
        process._process.wait()
    assert query_rows("SELECT 1")[1] == ["1"]


@pytest.mark.parametrize("sql", ENDLESS_QUERIES)
def test_stopped_query_ends_at_once(cloud: Cloud, sql: str) -> None:
    key = start(sql)
    process = process_of(cloud, key)
    started_at = time.monotonic()
    athena_client().stop_query_execution(QueryExecutionId=key)
    status = wait_until_finished(key)["Status"]
    assert (status["State"], status["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled by user",
    )
    while process.is_alive:
        time.sleep(0.01)
    assert time.monotonic() - started_at < 20


def test_query_over_the_time_limit_fails(cloud: Cloud) -> None:
    cloud.service(Athena).limit_query_time(0.2)
    try:
        status = execute(ENDLESS_QUERIES[0])["Status"]
    finally:
        cloud.service(Athena).limit_query_time(1800)
    assert (status["State"], status["StateChangeReason"]) == ("FAILED", "Query timeout")


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes with less memory and disk, of which none is warm."""
    monkeypatch.setattr(DuckDbPool, "acquire", lambda pool: DuckDbProcess(pool._folder))
    monkeypatch.setattr(duckdb_process, "_BUFFER_LIMIT", "64GB")  # DuckDB's own must not apply.
    monkeypatch.setattr(duckdb_process, "_PROCESS_BYTES", 300 << 20)
    monkeypatch.setattr(duckdb_process, "_FILE_BYTES", 1 << 20)


LARGE_QUERIES = {
    f"SELECT array_agg(x) FROM {SEQUENCE} a(x), {SEQUENCE} b(y)": "EXCEEDED_LOCAL_MEMORY_LIMIT",
    f"SELECT x, y FROM {SEQUENCE} a(x), {SEQUENCE} b(y)": "EXCEEDED_SPILL_LIMIT",
}


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("sql", LARGE_QUERIES)
def test_query_over_a_limit_fails_alone(sql: str) -> None:
    status = execute(sql)["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(LARGE_QUERIES[sql])
    assert query_rows("SELECT 1")[1] == ["1"]


def test_process_ends_with_the_laptop_cloud(tmp_path: Path) -> None:
    """A process whose cloud was killed reads the end of its stdin, even within a query."""
    process = DuckDbProcess(tmp_path)
    stdin: Any = process._process.stdin
    stdin.write(b'{"sql": "SELECT count(*) FROM range(100000000000000)", "parameters": []}\n')
    stdin.close()
    process._process.wait(20)
    process.close()


def test_request_tokens_are_kept_with_executions(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "_MAX_EXECUTIONS", 3)
    for number in range(6):
        execute("SELECT 1", ClientRequestToken=f"{number:040}")
    queries = cloud.service(Athena)._executions
    assert len(queries._executions) == len(queries._ids_by_token) == 3
