"""Firehose batches: each record is returned once, as a row or unchanged, within 6 MB."""

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
VALID = stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "1"}})
LAMBDA_LIMIT = 6_291_556
MARGIN = 40  # The sizes of results are upper bounds.
BUFFER_BYTES = 209_715  # setup/06_firehose.py: 0.2 MiB


def ok_rows(results: list[Item]) -> list[dict[str, Any]]:
    """Return the rows of the results that are Ok."""
    return [
        json.loads(base64.b64decode(result["data"]))
        for result in results
        if result["result"] == "Ok"
    ]


@given(firehose_events() | json_values().map(lambda value: {"records": [value]}))
@example({"records": []})
@example({"records": [None, 5, "x", [], {}, {"recordId": None}]})
def test_each_record_is_returned_once_in_order(event: Item) -> None:
    if not isinstance(event.get("records"), list):
        return
    batch_result = transform_batch(event)
    assert batch_result.response == {"records": batch_result.records}
    assert len(batch_result.records) == len(event["records"])
    for record, result in zip(event["records"], batch_result.records, strict=True):
        original = record if isinstance(record, dict) else {}
        assert same_json(result["recordId"], original.get("recordId"))
        if result["result"] == "Ok":
            check_row(result)
        else:
            assert set(result) == {"recordId", "result", "data"}
            assert result["result"] == "ProcessingFailed"
            assert same_json(result["data"], original.get("data"))
    counts = json.loads(batch_result.summary)
    failed = sum(result["result"] != "Ok" for result in batch_result.records)
    assert counts["in"] == counts["ok"] + counts["failed"] == len(batch_result.records)
    assert counts["failed"] == failed
    assert (counts["reason"] is not None) or not failed


def same_json(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)


def check_row(result: Item) -> None:
    """Assert that a result is one line of JSON strings, in the partition of its change."""
    text = base64.b64decode(result["data"], validate=True)
    assert text.endswith(b"}\n")
    assert text.count(b"\n") == 1
    row = json.loads(text.decode())
    assert all(value is None or isinstance(value, str) for value in row.values())
    assert result["metadata"] == {"partitionKeys": {"dt": row["cdc_changed_at"][:10]}}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({}, "nothing"),
        ({"records": None}, "nothing"),
        ({"records": {}}, "an object"),
        ({"Records": []}, "nothing"),
        (None, "nothing"),
    ],
)
def test_event_without_records_is_rejected(event: Any, kind: str) -> None:
    with pytest.raises(BadRecord, match=f"records: expected a list, found {kind}"):
        transform_batch(event)


def test_valid_batch_has_no_reason() -> None:
    batch_result = transform_batch({"records": [firehose_record(VALID)]})
    assert json.loads(batch_result.summary) == {"in": 1, "ok": 1, "failed": 0, "reason": None}
    assert batch_result.records[0]["recordId"] == "1"
    assert ok_rows(batch_result.records)[0]["total"] == "1"


def test_first_reason_has_no_content() -> None:
    invalid = stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "secret"}})
    records = [firehose_record(VALID), firehose_record(invalid), firehose_record(b"secret")]
    assert json.loads(transform_batch({"records": records}).summary) == {
        "in": 3,
        "ok": 1,
        "failed": 2,
        "reason": "NewImage.total: expected a number in a string, found another string",
    }


def test_missing_images_are_a_warning() -> None:
    record = stream_record("MODIFY", KEY, None, None)
    record["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    assert json.loads(transform_batch({"records": [firehose_record(record)]}).summary) == {
        "in": 1,
        "ok": 1,
        "failed": 0,
        "reason": "StreamViewType: expected NEW_AND_OLD_IMAGES, found KEYS_ONLY",
    }


@given(stream_records())
def test_arrival_time_replaces_a_missing_time(change: Item) -> None:
    def changed_at() -> list[str]:
        return [row["cdc_changed_at"] for row in ok_rows(transform_batch(event).records)]

    del change["dynamodb"]["ApproximateCreationDateTime"]
    record = firehose_record(change)
    event = {"records": [record]}
    assert changed_at() == ["2026-01-01 00:00:00.123"]
    arrived_at = record.pop("approximateArrivalTimestamp")
    assert changed_at() == []
    record["kinesisRecordMetadata"] = {"approximateArrivalTimestamp": arrived_at}
    assert changed_at() == ["2026-01-01 00:00:00.123"]
    record["approximateArrivalTimestamp"] = "2020-02-03T04:05:06Z"
    assert changed_at() == ["2020-02-03 04:05:06.000"]


@pytest.mark.parametrize("path", sorted(EVENTS.glob("firehose_*.json")), ids=lambda path: path.stem)
def test_firehose_events_are_transformed(path: Path) -> None:
    event = json.loads(path.read_text())
    results = transform_batch(event).records
    record_ids = [record["recordId"] for record in event["records"]]
    assert [result["recordId"] for result in results] == record_ids
    expected = "ProcessingFailed" if "text" in path.stem else "Ok"
    assert {result["result"] for result in results} == {expected}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("stream_*.json")), ids=lambda path: path.stem)
def test_stream_events_become_rows(path: Path) -> None:
    records = json.loads(path.read_text())
    batch_result = transform_batch({"records": [firehose_record(record) for record in records]})
    assert batch_result.reason is None or "StreamViewType" in batch_result.reason
    assert len(ok_rows(batch_result.records)) == len(records)


def batch(count: int, text: str) -> list[Item]:
    """Return records of changes with a long attribute in each image."""
    old = {**KEY, "note": {"S": text}}
    new = {**KEY, "note": {"S": text + "!"}}
    record = stream_record("MODIFY", KEY, old, new)
    return [firehose_record(record, f"{number:056}") for number in range(count)]


def size(records: list[Item]) -> int:
    """Return the size of a response in Lambda's JSON."""
    return len(json.dumps({"records": records}))


@given(st.lists(stream_records(), max_size=4), st.integers(0, 8_000))
def test_row_is_whole_or_does_not_fit(changes: list[Item], extra_bytes: int) -> None:
    records = [firehose_record(change) for change in changes]
    rows = transform_batch({"records": records}).records
    limit = len(json.dumps(transform_within(0, records))) + extra_bytes
    results = transform_within(limit, records)
    assert len(json.dumps(results)) <= limit
    for index, (record, row, result) in enumerate(zip(records, rows, results, strict=True)):
        if result != row:
            assert is_failed(result)
            assert result["data"] == record["data"]
            results_with_row = [*results[:index], row, *results[index + 1 :]]
            assert len(json.dumps(results_with_row)) + MARGIN > limit


def transform_within(limit: int, records: list[Item]) -> list[Item]:
    """Return the results of a batch with another limit for the response."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firehose, "MAX_RESPONSE_BYTES", limit)
        return transform_batch({"records": records}).records


def is_failed(result: Item) -> bool:
    """Return whether a record was returned as failed."""
    return bool(result["result"] == "ProcessingFailed")


def test_row_fails_only_if_it_does_not_fit() -> None:
    [record] = batch(1, '"' * 1000)
    [row] = transform_batch({"records": [record]}).records
    size_of_row = len(json.dumps(row)) + 2
    assert transform_within(size_of_row, [record]) == [row]
    [failed] = transform_within(size_of_row - 1, [record])
    assert is_failed(failed)
    assert failed["data"] == record["data"]


# Shapes whose rows are many times as large as their changes.
NUMBERS = {f"{number:02}": {"N": "1"} for number in range(40)}
EXPANDING_ITEMS: dict[str, Item] = {
    "deep": {"x" * 126: {"M": {"y" * 123: {"M": NUMBERS}}}},
    "quotes": {"quotes": {"L": [{"S": '"' * 500}]}},
    "control": {"note": {"S": "\n" * 500}},
    "names": {'"' * number: {"NULL": True} for number in range(1, 40)},
    "list": {"list": {"L": [{"N": "1"}] * 50}},
    "exponents": {"list": {"L": [{"N": "1E125"}] * 50}},
}


@pytest.mark.parametrize("shape", EXPANDING_ITEMS)
def test_a_full_buffer_fits_whatever_its_shape(shape: str) -> None:
    item = EXPANDING_ITEMS[shape]
    payload = json.dumps(stream_record("INSERT", {}, None, item), separators=(",", ":")).encode()
    records = [firehose_record(payload)] * (BUFFER_BYTES // len(payload))
    assert {result["result"] for result in transform_batch({"records": records}).records} == {"Ok"}


def test_rows_that_do_not_fit_fail_unchanged() -> None:
    records = batch(10, "x" * 180_000)
    assert size(records) < MAX_RESPONSE_BYTES
    batch_result = transform_batch({"records": records})
    assert batch_result.reason == "response: expected at most 6 MB, found more"
    counts = json.loads(batch_result.summary)
    assert counts["failed"] and counts["ok"]  # noqa: PT018 - one fact: both occur.
    assert all("note" in row for row in ok_rows(batch_result.records))
    for record, result in zip(records, batch_result.records, strict=True):
        if result["result"] != "Ok":
            assert result["data"] == record["data"]
    assert size(batch_result.records) <= MAX_RESPONSE_BYTES


def test_failed_records_count_toward_the_limit() -> None:
    invalid = [{**record, "data": record["data"] + "!"} for record in batch(8, "x" * 180_000)]
    batch_result = transform_batch({"records": invalid + batch(3, "x" * 180_000)})
    assert size(batch_result.records) <= MAX_RESPONSE_BYTES
    assert json.loads(batch_result.summary)["failed"] >= 8


def test_oversized_event_does_not_grow() -> None:
    records = batch(2, "x" * 2_400_000) + batch(1, '"' * 100_000)
    batch_result = transform_batch({"records": records})
    for record, result in zip(records, batch_result.records, strict=True):
        if result["result"] == "Ok":
            assert size([result]) <= size([record])
        else:
            assert result["data"] == record["data"]
    assert is_failed(batch_result.records[2])


def test_oversized_event_keeps_smaller_rows() -> None:
    padded = firehose_record(json.dumps(VALID, indent=500).encode())
    result = transform_batch({"records": [*batch(1, "x" * 3_000_000), padded]}).records[1]
    assert size([result]) < size([padded])
    assert result["result"] == "Ok"


@given(
    st.lists(st.integers(0, 700_000), min_size=1, max_size=12),
    st.sampled_from(["x", '"', "\x01", "é", "\\"]),
    st.sampled_from(["id", "é😀" * 20, "\x00" * 30]),
)
@example([0], "x", "id")
def test_response_stays_under_lambdas_limit(
    sizes: list[int], character: str, record_id: str
) -> None:
    divisor = max(sum(sizes), 2_000_000) * 3
    texts = [character * (length * 2_000_000 // divisor) for length in sizes]
    records = [record for text in texts for record in batch(1, text)]
    for record in records[::3]:
        record["recordId"] = record_id
        record["data"] = record["data"][:-1]
    if size(records) < MAX_RESPONSE_BYTES:
        assert size(transform_batch({"records": records}).records) < LAMBDA_LIMIT


def test_limit_has_a_margin_below_lambdas() -> None:
    assert 0 < LAMBDA_LIMIT - MAX_RESPONSE_BYTES < 300_000


@pytest.mark.parametrize("record_id", ["id", "é", '"', None, 5, {"a": ["é"]}])
def test_size_is_a_close_upper_bound(record_id: Any) -> None:
    for payload in (VALID, {"invalid": 1}):
        record = {**firehose_record(payload), "recordId": record_id}
        (result,) = transform_batch({"records": [record]}).records
        exact_size = len(json.dumps(result)) + len(", ")
        assert exact_size <= firehose._size(result) <= exact_size + 20
