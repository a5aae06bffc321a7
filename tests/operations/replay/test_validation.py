"""What replay decides of a record, and that a record of the stream goes as the pipe sends it."""

import gzip
import json
from base64 import b64decode
from contextlib import suppress
from datetime import datetime, timezone
from tempfile import SpooledTemporaryFile
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transform
from local.services.pipes.event import event_from_record
from operations.replay.dead_letters import DeadLetters, Run, letter
from operations.replay.error_objects import plain
from operations.replay.pipe_format import piped
from operations.replay.tempfiles import Spools
from operations.replay.validation import TOO_LARGE, UNLIKE, Accepted, Refused, judged
from tests.strategies.records import (
    ARN,
    Item,
    firehose_record,
    payloads,
    stream_record,
    stream_records,
)
from tests.transform.test_row_to_record import snapshots

KEY = {"order_id": {"S": "1"}}
ARRIVED, LATER = 1767225600123, 1767225609876
MEGABYTE = 1024 * 1024
STREAM = ARN.format(1)
SHARD = "shardId-00000001795428930000-0a1b2c3d"


def row(record: bytes) -> bytes | None:
    """Return the row that Firehose gets for a record, or None where the transform refuses it."""
    [result] = transform.transform_batch({"records": [firehose_record(record)]}).records
    return b64decode(result["data"]) if result["result"] == "Ok" else None


@given(payloads() | snapshots().map(lambda record: json.dumps(record).encode()))
def test_a_record_is_accepted_exactly_when_the_transform_accepts_it(raw: bytes) -> None:
    verdict, made = judged(raw, ARRIVED), row(raw)
    assert isinstance(verdict, Accepted) == (made is not None)
    if isinstance(verdict, Accepted):
        assert row(verdict.record) == made
        assert json.loads(made)["cdc_event_id"] == verdict.event_id
        again = judged(made)  # Its row may come back in its place.
        assert isinstance(again, Accepted)
        assert row(again.record) == made
    else:
        assert verdict.reason


@given(stream_records(), st.sampled_from(["cdc_key", "cdc_new_image", "cdc_sequence"]))
def test_a_row_that_no_change_makes_is_refused(record: Item, column: str) -> None:
    columns = json.loads(row(json.dumps(record).encode()))
    spoilt = {**columns, column: "7" if column == "cdc_sequence" else '{"a":{"N":"07"}}'}
    assert isinstance(judged(json.dumps(spoilt).encode()), Refused)
    if column == "cdc_sequence":
        assert judged(json.dumps(spoilt).encode()) == Refused(UNLIKE)


def test_text_in_a_row_smuggles_nothing_into_its_change() -> None:
    columns = json.loads(row(json.dumps(stream_record("INSERT", KEY, None, KEY)).encode()))
    smuggled = columns["cdc_new_image"] + ',"SequenceNumber":"9","x":{}'
    assert isinstance(judged(json.dumps({**columns, "cdc_new_image": smuggled}).encode()), Refused)


def test_a_change_without_a_time_keeps_the_time_at_which_it_came_first() -> None:
    record = stream_record("INSERT", KEY, None, KEY)
    del record["dynamodb"]["ApproximateCreationDateTime"]
    raw = json.dumps(record).encode()
    first = judged(raw, LATER)
    assert isinstance(first, Accepted)
    assert json.loads(row(first.record))["cdc_changed_at"] == "2026-01-01 00:00:09.876"
    assert judged(first.record, ARRIVED) == first
    assert isinstance(judged(raw), Refused)


@pytest.mark.parametrize("size", [MEGABYTE, 2 * MEGABYTE])
def test_a_change_too_large_for_kinesis_is_named_by_its_key(size: int) -> None:
    item = {**KEY, "blob": {"S": "x" * size}}
    raw = json.dumps(stream_record("INSERT", KEY, None, item)).encode()
    assert judged(raw) == Refused(TOO_LARGE, '{"order_id":{"S":"1"}}', lost=True)
    assert judged(raw[:-1]) == Refused(TOO_LARGE, None, lost=True)


def test_kinesis_counts_the_partition_key_too() -> None:
    item = {**KEY, "blob": {"S": ""}}
    empty = json.dumps(stream_record("INSERT", KEY, None, item)).encode()
    full = empty.replace(b'"S": ""', b'"S": "' + b"x" * (MEGABYTE - 32 - len(empty)) + b'"')
    assert len(full) == MEGABYTE - 32
    assert isinstance(judged(full), Accepted)
    assert judged(full + b" ") == Refused(TOO_LARGE, '{"order_id":{"S":"1"}}', lost=True)


@given(stream_records(), st.booleans(), st.booleans())
def test_a_record_of_the_stream_goes_as_the_pipe_sends_it(
    record: Item, expired: bool, lower: bool
) -> None:
    del record["eventSourceARN"]
    if expired:
        spelled = ("type", "principalId") if lower else ("Type", "PrincipalId")
        values = ("Service", "dynamodb.amazonaws.com")
        record["userIdentity"] = dict(zip(spelled, values, strict=True))
    gone = piped(as_boto3_reads(record), STREAM)
    assert transform.parse_change(gone).key == transform.canonical(record["dynamodb"]["Keys"])
    with suppress(UnicodeEncodeError):  # DynamoDB's wire, in UTF-8, has no lone surrogates.
        assert json.loads(gone) == json.loads(event_from_record(record, STREAM, "$.eventID").data)


def as_boto3_reads(record: Item) -> Item:
    """Return a record with bytes and times as boto3 makes them of the wire's JSON."""
    inner = dict(record["dynamodb"])
    seconds = inner["ApproximateCreationDateTime"]
    inner["ApproximateCreationDateTime"] = datetime.fromtimestamp(seconds, timezone.utc)
    for name in ("Keys", "NewImage", "OldImage"):
        if name in inner:
            inner[name] = {key: read(value) for key, value in inner[name].items()}
    return {**record, "dynamodb": inner}


def read(value: Any) -> Any:
    """Return one typed value as boto3 reads it."""
    ((tag, content),) = value.items()
    makers = {
        "B": b64decode,
        "BS": lambda texts: [b64decode(text) for text in texts],
        "L": lambda values: [read(each) for each in values],
        "M": lambda members: {name: read(each) for name, each in members.items()},
    }
    return {tag: makers.get(tag, lambda same: same)(content)}


def message(**batch: Any) -> dict[str, str]:
    """Return a message of the queue."""
    told = {
        "context": {"condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": f"{5:021}",
            "endSequenceNumber": f"{9:021}",
            "batchSize": 3,
            "streamArn": STREAM,
            **batch,
        },
    }
    return {"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(told)}


def test_a_letter_points_to_a_run_of_changes() -> None:
    read_letter = letter(message())
    assert read_letter.code == "RetryAttemptsExhausted"
    assert read_letter.run == Run(STREAM, SHARD, f"{5:021}", f"{9:021}", 3)


def test_a_letter_about_a_part_says_all_else_the_same() -> None:
    whole = letter(message())
    part = whole.run.part(f"{7:021}", f"{7:021}", 1)
    again = letter({**message(), "Body": whole.about(part)})
    assert (again.run, again.code) == (part, whole.code)


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        ([], [(5, 9, 3)]),
        ([5, 7, 9], []),
        ([5, 9], []),
        ([7, 9], [(5, 6, 1)]),
        ([9], [(5, 8, 2)]),
        ([5, 7], [(8, 9, 1)]),
        ([5], [(6, 9, 2)]),
        ([5, 6, 7], [(8, 9, 1)]),
        ([7], [(5, 6, 2), (8, 9, 1)]),
    ],
)
def test_what_is_gone_of_a_run_is_its_beginning_or_its_end(
    found: list[int], gone: list[tuple[int, int, int]]
) -> None:
    run = Run(STREAM, SHARD, f"{5:021}", f"{9:021}", 3)
    parts = [Run(STREAM, SHARD, f"{first:021}", f"{last:021}", n) for first, last, n in gone]
    assert run.gone([f"{number:021}" for number in found]) == parts


HOSTILE = [
    {"shardId": "x"},
    {"shardId": None},
    {"streamArn": "arn:aws:s3:::bucket"},
    {"startSequenceNumber": "-1"},
    {"endSequenceNumber": 9},
]


@pytest.mark.parametrize("batch", HOSTILE)
def test_a_letter_that_points_nowhere_has_no_run(batch: dict[str, Any]) -> None:
    assert letter(message(**batch)).run is None


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "7", "null", '{"DDBStreamBatchInfo":7}', "[" * 9999]
)
def test_a_message_that_is_no_letter_has_no_run(body: str) -> None:
    assert letter({**message(), "Body": body}).run is None


class StandardQueue:
    """A queue that gives what it has in no order: at each call what it was told to give."""

    exceptions = SimpleNamespace(QueueDoesNotExist=KeyError)

    def __init__(self, *given: str) -> None:
        self.given = list(given)

    def get_queue_url(self, **_: object) -> dict[str, str]:
        return {"QueueUrl": "url"}

    def receive_message(self, **_: object) -> dict[str, Any]:
        ids, self.given = self.given[:1], self.given[1:]
        return {"Messages": [{**message(), "MessageId": each} for each in ids]}

    def send_message(self, **_: object) -> dict[str, str]:
        return {"MessageId": "written"}

    def change_message_visibility(self, **_: object) -> None:
        """Nobody else reads here."""


def test_no_letter_is_passed_over_for_one_that_is_seen_or_written_meanwhile() -> None:
    dead_letters = DeadLetters(StandardQueue("a", "a", "written", "b"), "queue")
    found = []
    for each in dead_letters.letters():
        dead_letters.write(each.body)
        found.append(each.message_id)
    assert found == ["a", "b"]


def test_a_full_disk_is_not_taken_for_an_unreadable_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: bytes) -> int:
        raise OSError(28, "No space left on device")

    with Spools() as spools:
        body = spools.new()
        body.write(gzip.compress(b"x"))
        monkeypatch.setattr(SpooledTemporaryFile, "write", lambda _, data: full(data))
        with pytest.raises(OSError, match="No space left"):
            plain(body, spools)
