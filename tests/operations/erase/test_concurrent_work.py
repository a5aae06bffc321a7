"""Erase beside compactions, queries and other writers: no version holds the item afterwards."""

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from analytics.athena import run_query
from local.core.server import Cloud
from operations import object_content, running_queries
from operations.erase import command
from operations.lake_copy.parts import drop_copy, first_recent_day
from setup import names
from tests.support.erase_fixture import (
    EMAIL,
    holding_versions,
    put_body,
    read_body,
    refusal,
    run_erase,
)
from tests.support.kills import interrupted_at_call
from tests.support.lake_operations import COMPACT_WRITES, copy_all_days
from tests.support.laptop_cloud import aws
from tests.support.profile import IS_THOROUGH
from tests.support.sabotage import delete_order, order_key, put_order, read_lake

ERASE_WRITES = {"PutRecords", "Put", "Delete", "DeletePartition", "UpdateTable"}
ERASE_NUMBERS = range(0, 40, 2) if IS_THOROUGH else [7]
COMPACT_NUMBERS = range(20) if IS_THOROUGH else [13]


@pytest.mark.slow
@pytest.mark.parametrize("number", ERASE_NUMBERS)
def test_compact_may_run_during_an_erase(chain: Cloud, number: int) -> None:
    copy_all_days(chain)
    with interrupted_at_call(
        chain, number, lambda: copy_all_days(chain), is_counted=ERASE_WRITES.__contains__
    ):
        assert erase_at_once()
    check_copy(chain)


@pytest.mark.slow
@pytest.mark.parametrize("number", COMPACT_NUMBERS)
def test_erase_may_run_during_a_compaction(chain: Cloud, number: int) -> None:
    copy_all_days(chain)
    put_order("bert", "delivered")
    chain.run_until_idle()
    with interrupted_at_call(
        chain, number, erase_at_once, is_counted=COMPACT_WRITES.__contains__
    ) as calls:
        copy_all_days(chain)
    assert (number < len(calls)) or erase_at_once()
    check_copy(chain)


def erase_at_once() -> bool:
    return command.main(["--key", order_key("anna")]) == 0


def check_copy(chain: Cloud) -> None:
    """Check that no version holds the item, whatever is copied, and that the copy is right."""
    assert holding_versions() == []
    chain.run_until_idle()
    before = order_rows()
    for _ in range(2):
        assert copy_all_days(chain).changed_days == []
    assert first_recent_day() > str(datetime.now(UTC).date())
    from_copy = order_rows()
    assert holding_versions() == []
    drop_copy()
    assert before == from_copy == order_rows()
    status, document = run_erase("--check")
    assert (status, document["held"], document["unknown"]) == (0, [], [])


def order_rows() -> list[str]:
    sql = "SELECT order_id, status, removed, image FROM orders"
    return sorted(map(repr, run_query(sql).rows))


def test_running_queries_are_awaited(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_queries, "PAUSE", 0.01)
    numbers = "UNNEST(sequence(1, 10000))"
    sql = f"SELECT max(a * b) FROM {numbers} AS t (a) CROSS JOIN {numbers} AS u (b)"
    request = {"QueryString": sql, "WorkGroup": names.WORKGROUP}
    query_ids = [aws("athena").start_query_execution(**request)["QueryExecutionId"]]
    assert query_states(query_ids) <= {"QUEUED", "RUNNING"}
    running_queries.wait_for_queries()
    assert query_states(query_ids) == {"SUCCEEDED"}


@pytest.mark.slow
def test_what_running_queries_write_is_erased(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_all_days(chain)
    bodies = {key: read_body(key) for key in holding_versions() if key.startswith(names.TABLES)}
    assert len(bodies) == 2
    objects = iter(bodies.items())

    def write_object() -> None:
        for key, body in objects:
            put_body(f"{key}-written", body)
            break

    monkeypatch.setattr(command, "wait_for_queries", write_object)
    assert run_erase()[0] == 0
    assert next(objects, None) is None
    assert holding_versions() == []
    [(key, body)] = list(bodies.items())[:1]
    put_body(key, body)
    chain.run_until_idle()
    assert run_erase("--check")[1]["held"] == [key]
    put_body(key, b"damaged")
    status, document = run_erase("--check")
    assert (status, document["held"], document["unknown"]) == (1, [key], [key])


def query_states(query_ids: list[str]) -> set[str]:
    response = aws("athena").batch_get_query_execution(QueryExecutionIds=query_ids)
    return {query["Status"]["State"] for query in response["QueryExecutions"]}


def test_a_concurrent_change_is_kept(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = object_content.Content.write
    foreign = b'{"cdc_key":"foreign"}\n'
    changes = iter([foreign, foreign])

    def change_and_write(
        self: object_content.Content, s3: Any, bucket: str, key: str, *, replaced_etag: str
    ) -> None:
        for line in changes:
            put_body(key, gzip.compress(gzip.decompress(read_body(key)) + line))
            break
        write(self, s3, bucket, key, replaced_etag=replaced_etag)

    monkeypatch.setattr(object_content.Content, "write", change_and_write)
    assert run_erase()[0] == 0
    rows = [row for rows in read_lake().values() for row in rows]
    assert sum(row["cdc_key"] == "foreign" for row in rows) == 2
    assert holding_versions() == []
    changes = iter([foreign] * object_content.ATTEMPTS)
    put_order("anna", "again", customer={"M": {"email": {"S": EMAIL}}})
    delete_order("anna")
    chain.run_until_idle()
    assert "keeps changing: stop what writes it, then run this again" in refusal(capsys)
    assert run_erase()[0] == 0
