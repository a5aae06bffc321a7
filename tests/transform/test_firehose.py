"""Firehose's answer: every record once and in order, as a row or as it came, within 6 MB."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import (
    Item,
    firehose_events,
    firehose_record,
    json_values,
    stream_record,
    stream_records,
)
from tests.support.paths import EVENTS
from transform import firehose
from transform.errors import BadRecord
from transform.firehose import MAX_RESPONSE_BYTES, transform_batch

KEY = {"order_id": {"S": "1"}}
GOOD = stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "1"}})
LAMBDA_LIMIT = 6_291_556


def rows(results: list[Item]) -> list[dict[str, str | None]]:
    """Return the rows among results."""
    return [
        json.loads(base64.b64decode(result["data"]))
        for result in results
        if result["result"] == "Ok"
    ]


@given(firehose_events() | json_values().map(lambda value: {"records": [value]}))
@example({"records": []})
@example({"records": [None, 5, "x", [], {}, {"recordId": None}]})
def test_every_record_comes_back_once_in_order_as_a_row_or_as_it_came(event: Item) -> None:
    if not isinstance(event.get("records"), list):
        return
    found = transform_batch(event)
    assert found.response == {"records": found.records}
    assert len(found.records) == len(event["records"])
    for record, result in zip(event["records"], found.records, strict=True):
        came = record if isinstance(record, dict) else {}
        assert same(result["recordId"], came.get("recordId"))
        if result["result"] == "Ok":
            check_row(result)
        else:
            assert set(result) == {"recordId", "result", "data"}
            assert result["result"] == "ProcessingFailed"
            assert same(result["data"], came.get("data"))
    counts = json.loads(found.summary)
    failed = sum(result["result"] != "Ok" for result in found.records)
    assert counts["in"] == counts["ok"] + counts["failed"] == len(found.records)
    assert counts["failed"] == failed
    assert (counts["reason"] is not None) or not failed


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON."""
    return json.dumps(one) == json.dumps(other)


def check_row(result: Item) -> None:
    """Assert that a result is one JSON object of texts on one line, in the day of its change."""
    text = base64.b64decode(result["data"], validate=True)
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    row = json.loads(text.decode())
    assert all(value is None or isinstance(value, str) for value in row.values())
    assert result["metadata"] == {"partitionKeys": {"dt": row["cdc_changed_at"][:10]}}


@pytest.mark.parametrize("event", [{}, {"records": None}, {"records": {}}, {"Records": []}, None])
def test_only_an_event_without_records_raises(event: Any) -> None:
    with pytest.raises(BadRecord, match="records: expected a list, found"):
        transform_batch(event)


def test_the_reason_tells_what_came_instead_of_records() -> None:
    with pytest.raises(BadRecord, match="records: expected a list, found an object"):
        transform_batch({"records": {}})


def test_a_batch_without_faults_has_no_reason() -> None:
    found = transform_batch({"records": [firehose_record(GOOD)]})
    assert json.loads(found.summary) == {"in": 1, "ok": 1, "failed": 0, "reason": None}
    assert found.records[0]["recordId"] == "1"
    assert rows(found.records)[0]["total"] == "1"


def test_the_first_reason_is_told_without_content() -> None:
    bad = stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "secret"}})
    records = [firehose_record(GOOD), firehose_record(bad), firehose_record(b"secret")]
    assert json.loads(transform_batch({"records": records}).summary) == {
        "in": 3,
        "ok": 1,
        "failed": 2,
        "reason": "NewImage.total: expected a number in a string, found another string",
    }


def test_a_poor_stream_view_is_told_though_its_records_make_rows() -> None:
    record = stream_record("MODIFY", KEY, None, None)
    record["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    assert json.loads(transform_batch({"records": [firehose_record(record)]}).summary) == {
        "in": 1,
        "ok": 1,
        "failed": 0,
        "reason": "StreamViewType: expected NEW_AND_OLD_IMAGES, found KEYS_ONLY",
    }


@given(stream_records())
def test_the_arrival_serves_a_change_without_a_time(record: Item) -> None:
    del record["dynamodb"]["ApproximateCreationDateTime"]
    asked = firehose_record(record)
    assert rows(transform_batch({"records": [asked]}).records)[0]["cdc_changed_at"].endswith(
        ":00.123"
    )
    at = asked.pop("approximateArrivalTimestamp")
    assert not rows(transform_batch({"records": [asked]}).records)
    asked["kinesisRecordMetadata"] = {"approximateArrivalTimestamp": at}
    assert rows(transform_batch({"records": [asked]}).records)[0]["cdc_changed_at"].endswith(
        ":00.123"
    )
    asked["approximateArrivalTimestamp"] = "2020-02-03T04:05:06Z"
    assert rows(transform_batch({"records": [asked]}).records)[0]["cdc_changed_at"].startswith(
        "2020-02-03"
    )


@pytest.mark.parametrize("path", sorted(EVENTS.glob("firehose_*.json")), ids=lambda path: path.stem)
def test_events_of_firehose_come_back_whole(path: Path) -> None:
    event = json.loads(path.read_text())
    found = transform_batch(event)
    ids = [record["recordId"] for record in event["records"]]
    assert [result["recordId"] for result in found.records] == ids
    is_text = "text" in path.stem
    assert {result["result"] for result in found.records} == {
        "ProcessingFailed" if is_text else "Ok"
    }


@pytest.mark.parametrize("path", sorted(EVENTS.glob("stream_*.json")), ids=lambda path: path.stem)
def test_events_of_streams_make_rows(path: Path) -> None:
    records = json.loads(path.read_text())
    found = transform_batch({"records": [firehose_record(record) for record in records]})
    assert found.reason is None or "StreamViewType" in found.reason
    assert len(rows(found.records)) == len(records)


def batch(count: int, text: str) -> list[Item]:
    """Return records whose changes hold a text in an attribute of each image."""
    old = {**KEY, "note": {"S": text}}
    new = {**KEY, "note": {"S": text + "!"}}
    record = stream_record("MODIFY", KEY, old, new)
    return [firehose_record(record, f"{number:056}") for number in range(count)]


def size(records: list[Item]) -> int:
    """Return the bytes of an answer as Lambda writes it."""
    return len(json.dumps({"records": records}))


def test_an_answer_too_large_drops_columns_before_it_drops_rows() -> None:
    records = batch(10, "x" * 180_000)
    found = transform_batch({"records": records})
    assert json.loads(found.summary)["ok"] == 10
    assert found.reason == "response: expected at most 6 MB, found more"
    kept = ["note" in row for row in rows(found.records)]
    assert kept == sorted(kept, reverse=True)
    assert set(kept) == {True, False}
    assert all(row["cdc_new_image"] and row["cdc_old_image"] for row in rows(found.records))
    assert MAX_RESPONSE_BYTES - 250_000 < size(found.records) <= MAX_RESPONSE_BYTES
    for result in found.records:
        check_row(result)


def test_a_row_without_attributes_is_taken_where_it_just_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (record,) = batch(1, '"' * 1000)
    (whole,) = transform_batch({"records": [record]}).records
    monkeypatch.setattr(firehose, "MAX_RESPONSE_BYTES", len(json.dumps(whole)) + 2)
    assert transform_batch({"records": [record]}).reason is None
    monkeypatch.setattr(firehose, "MAX_RESPONSE_BYTES", len(json.dumps(whole)) + 1)
    (short,) = transform_batch({"records": [record]}).records
    assert short["result"] == "Ok"
    assert len(short["data"]) < len(whole["data"])
    monkeypatch.setattr(firehose, "MAX_RESPONSE_BYTES", len(json.dumps(short)) + 2)
    assert transform_batch({"records": [record]}).records == [short]
    monkeypatch.setattr(firehose, "MAX_RESPONSE_BYTES", len(json.dumps(short)) + 1)
    (came,) = transform_batch({"records": [record]}).records
    assert came["data"] == record["data"]


def test_what_still_does_not_fit_comes_back_as_it_came() -> None:
    records = batch(20, "\x01" * 18_000)
    assert size(records) < MAX_RESPONSE_BYTES
    found = transform_batch({"records": records})
    counts = json.loads(found.summary)
    assert counts["failed"] and counts["ok"]  # noqa: PT018 - one fact: some are, some are not.
    for record, result in zip(records, found.records, strict=True):
        if result["result"] != "Ok":
            assert result["data"] == record["data"]
    assert size(found.records) <= MAX_RESPONSE_BYTES


def test_failed_originals_count() -> None:
    spoilt = [{**record, "data": record["data"] + "!"} for record in batch(8, "x" * 180_000)]
    found = transform_batch({"records": spoilt + batch(3, "x" * 180_000)})
    assert size(found.records) <= MAX_RESPONSE_BYTES
    assert json.loads(found.summary)["failed"] >= 8


def test_an_event_larger_than_any_answer_grows_no_further() -> None:
    records = batch(2, "x" * 2_400_000) + batch(1, '"' * 100_000)
    found = transform_batch({"records": records})
    for record, result in zip(records, found.records, strict=True):
        is_row = result["result"] == "Ok"
        assert size([result]) <= size([record]) if is_row else result["data"] == record["data"]
    assert found.records[2]["result"] == "ProcessingFailed"


@given(
    st.lists(st.integers(0, 700_000), min_size=1, max_size=12),
    st.sampled_from(["x", '"', "\x01", "é", "\\"]),
    st.sampled_from(["id", "é😀" * 20, "\x00" * 30]),
)
@example([0], "x", "id")
def test_an_answer_stays_under_the_limit_if_its_event_does(
    sizes: list[int], character: str, record_id: str
) -> None:
    total = sum(sizes) or 1
    texts = [character * (n * 2_000_000 // max(total, 2_000_000) // 3) for n in sizes]
    records = [record for text in texts for record in batch(1, text)]
    for record in records[::3]:
        record["recordId"] = record_id
        record["data"] = record["data"][:-1]
    if size(records) < MAX_RESPONSE_BYTES:
        assert size(transform_batch({"records": records}).records) < LAMBDA_LIMIT


def test_the_limit_leaves_a_margin_below_lambdas() -> None:
    assert 0 < LAMBDA_LIMIT - MAX_RESPONSE_BYTES < 300_000


@pytest.mark.parametrize("record_id", ["id", "é", '"', None, 5, {"a": ["é"]}])
def test_sizes_are_never_told_too_small(record_id: Any) -> None:
    for record in (GOOD, {"bad": 1}):
        asked = {**firehose_record(record), "recordId": record_id}
        (result,) = transform_batch({"records": [asked]}).records
        told, exact = firehose._size(result), len(json.dumps(result)) + 2
        assert exact <= told <= exact + 20
