"""Validation of records for replay, the pipe's format of a record, and dead letters."""

import gzip
import json
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transform
from local.services.pipes.event import event_from_record
from operations.object_content import decompress
from operations.replay.dead_letters import DeadLetterQueue, SequenceRange, parse_letter
from operations.replay.pipe_format import to_pipe_record
from operations.replay.validation import (
    NOT_A_CHANGE,
    RECORD_TOO_LARGE,
    ROW_NOT_REPRODUCIBLE,
    Accepted,
    Rejected,
    validate_record,
)
from operations.tempfiles import SpooledFiles
from tests.strategies.records import (
    Item,
    firehose_record,
    payloads,
    stream_arn,
    stream_record,
    stream_records,
)
from tests.transform.test_row_to_record import snapshots

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

KEY = {"order_id": {"S": "1"}}
CANONICAL_KEY = '{"order_id":{"S":"1"}}'
ARRIVED_AT = 1767225600123
LATER = 1767225609876
MEBIBYTE = 1024 * 1024
STREAM = stream_arn(1)
SHARD = "shardId-00000001795428930000-0a1b2c3d"


def transformed_row(record: bytes) -> bytes | None:
    """Return the transform's row for a record, or None if the transform rejects it."""
    [result] = transform.transform_batch({"records": [firehose_record(record)]}).records
    return b64decode(result["data"]) if result["result"] == "Ok" else None


def row_columns(record: bytes) -> Item:
    """Return the columns of the transform's row for a record."""
    row = transformed_row(record)
    assert row is not None
    columns: Item = json.loads(row)
    return columns


@given(payloads() | snapshots().map(lambda record: json.dumps(record).encode()))
def test_replay_accepts_what_the_transform_accepts(raw: bytes) -> None:
    validation = validate_record(raw, ARRIVED_AT)
    row = transformed_row(raw)
    if row is None:
        assert isinstance(validation, Rejected)
        assert validation.reason
        return
    assert isinstance(validation, Accepted)
    assert transformed_row(validation.record) == row
    assert json.loads(row)["cdc_event_id"] == validation.event_id
    row_validation = validate_record(row)  # Firehose may return the row in place of the record.
    assert isinstance(row_validation, Accepted)
    assert transformed_row(row_validation.record) == row


@given(stream_records(), st.sampled_from(["cdc_key", "cdc_new_image", "cdc_sequence"]))
def test_a_row_that_no_change_produces_is_rejected(record: Item, column: str) -> None:
    columns = row_columns(json.dumps(record).encode())
    value = "7" if column == "cdc_sequence" else '{"a":{"N":"07"}}'
    validation = validate_record(json.dumps({**columns, column: value}).encode())
    assert isinstance(validation, Rejected)
    if column == "cdc_sequence":
        assert validation == Rejected(ROW_NOT_REPRODUCIBLE)


def test_a_row_cannot_inject_members_into_its_record() -> None:
    columns = row_columns(json.dumps(stream_record("INSERT", KEY, None, KEY)).encode())
    columns["cdc_new_image"] += ',"SequenceNumber":"9","x":{}'
    assert isinstance(validate_record(json.dumps(columns).encode()), Rejected)


def test_a_record_without_a_time_keeps_its_arrival() -> None:
    record = stream_record("INSERT", KEY, None, KEY)
    del record["dynamodb"]["ApproximateCreationDateTime"]
    raw = json.dumps(record).encode()
    validation = validate_record(raw, LATER)
    assert isinstance(validation, Accepted)
    assert row_columns(validation.record)["cdc_changed_at"] == "2026-01-01 00:00:09.876"
    assert validate_record(validation.record, ARRIVED_AT) == validation
    assert isinstance(validate_record(raw), Rejected)


@pytest.mark.parametrize(
    "raw",
    [
        b"Hello, this is a test 123.",
        gzip.compress(b'{"messageType":"CONTROL_MESSAGE"}', mtime=0),
        b'{"ticker_symbol":"QXZ","price":84.51}',
        b'{"dynamodb":"none"}',
        b"[" * 9999,
    ],
)
def test_what_never_was_a_change_is_unrecoverable(raw: bytes) -> None:
    validation = validate_record(raw, ARRIVED_AT)
    assert isinstance(validation, Rejected)
    assert validation.is_unrecoverable
    assert validation.reason.startswith(f"{NOT_A_CHANGE}: ")


@given(stream_records(), st.sampled_from(["eventName", "eventSourceARN", "eventID"]))
def test_a_rejected_change_may_be_accepted_later(record: Item, member: str) -> None:
    validation = validate_record(json.dumps({**record, member: 7}).encode(), ARRIVED_AT)
    assert isinstance(validation, Rejected)
    assert not validation.is_unrecoverable


@pytest.mark.parametrize("size", [MEBIBYTE, 2 * MEBIBYTE])
def test_an_oversized_record_is_named_by_its_key(size: int) -> None:
    item = {**KEY, "blob": {"S": "x" * size}}
    raw = json.dumps(stream_record("INSERT", KEY, None, item)).encode()
    with_key = Rejected(RECORD_TOO_LARGE, CANONICAL_KEY, is_unrecoverable=True)
    assert validate_record(raw) == with_key
    without_key = Rejected(RECORD_TOO_LARGE, None, is_unrecoverable=True)
    assert validate_record(raw[:-1]) == without_key


def test_the_partition_key_counts_towards_the_limit() -> None:
    item = {**KEY, "blob": {"S": ""}}
    smallest = json.dumps(stream_record("INSERT", KEY, None, item)).encode()
    blob = b"x" * (MEBIBYTE - 32 - len(smallest))
    largest = smallest.replace(b'"S": ""', b'"S": "' + blob + b'"')
    assert len(largest) == MEBIBYTE - 32
    assert isinstance(validate_record(largest), Accepted)
    oversized = Rejected(RECORD_TOO_LARGE, CANONICAL_KEY, is_unrecoverable=True)
    assert validate_record(largest + b" ") == oversized


@given(stream_records(), st.booleans(), st.booleans())
def test_replay_sends_what_the_pipe_would_send(
    record: Item, is_expired: bool, is_lowercase: bool
) -> None:
    del record["eventSourceARN"]
    if is_expired:
        names = ("type", "principalId") if is_lowercase else ("Type", "PrincipalId")
        values = ("Service", "dynamodb.amazonaws.com")
        record["userIdentity"] = dict(zip(names, values, strict=True))
    pipe_record = to_pipe_record(boto3_record(record), STREAM)
    key = transform.canonical(record["dynamodb"]["Keys"])
    assert transform.parse_change(pipe_record).key == key
    with suppress(UnicodeEncodeError):  # DynamoDB's JSON, in UTF-8, has no lone surrogates.
        event = event_from_record(record, STREAM, "$.eventID")
        assert json.loads(pipe_record) == json.loads(event.data)
        assert len(pipe_record) == len(event.data)  # The limit of a record is one of bytes.


def boto3_record(record: Item) -> Item:
    """Return a record with bytes and times as boto3 parses them from DynamoDB's JSON."""
    change = dict(record["dynamodb"])
    seconds = change["ApproximateCreationDateTime"]
    change["ApproximateCreationDateTime"] = datetime.fromtimestamp(seconds, UTC)
    for name in ("Keys", "NewImage", "OldImage"):
        if name in change:
            image = change[name]
            change[name] = {attribute: boto3_value(value) for attribute, value in image.items()}
    return {**record, "dynamodb": change}


def boto3_value(value: Item) -> Item:
    """Return one typed value as boto3 parses it."""
    [(tag, content)] = value.items()
    if tag == "B":
        return {tag: b64decode(content)}
    if tag == "BS":
        return {tag: [b64decode(text) for text in content]}
    if tag == "L":
        return {tag: [boto3_value(element) for element in content]}
    if tag == "M":
        return {tag: {name: boto3_value(member) for name, member in content.items()}}
    return value


def letter_message(**batch: object) -> "MessageTypeDef":
    """Return a message of the dead-letter queue; `batch` overrides its batch information."""
    body = {
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
    return {"MessageId": "m", "ReceiptHandle": "r", "Body": json.dumps(body)}


def test_a_letter_names_a_range_of_changes() -> None:
    letter = parse_letter(letter_message())
    assert letter.code == "RetryAttemptsExhausted"
    assert letter.range == SequenceRange(STREAM, SHARD, f"{5:021}", f"{9:021}", 3)


def test_a_letter_about_a_part_keeps_its_code() -> None:
    whole = parse_letter(letter_message())
    assert whole.range
    part = whole.range.part_of_one(f"{7:021}")
    letter = parse_letter({**letter_message(), "Body": whole.body_for(part)})
    assert (letter.range, letter.code) == (part, whole.code)


@pytest.mark.parametrize("count", [3, 0, 1, 99])
@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ([], [(5, 9, False)]),
        ([5, 7, 9], []),
        ([5, 9], []),
        ([7, 9], [(5, 6, False)]),
        ([9], [(5, 8, False)]),
        ([5, 7], [(7, 9, True)]),
        ([5], [(5, 9, True)]),
        ([5, 6, 7], [(7, 9, True)]),
        ([7], [(5, 6, False), (7, 9, True)]),
    ],
)
def test_a_range_loses_its_beginning_or_its_end(
    count: int, present: list[int], missing: list[tuple[int, int, bool]]
) -> None:
    whole = SequenceRange(STREAM, SHARD, f"{5:021}", f"{9:021}", count)
    ranges = whole.missing_ranges([f"{number:021}" for number in present])
    assert missing == [
        (int(sub_range.first), int(sub_range.last), sub_range.is_first_replayed)
        for sub_range in ranges
    ]
    assert all(sub_range.count >= 1 for sub_range in ranges)


def contains(sequence_range: SequenceRange, number: int) -> bool:
    """Return whether a change with this number is in the range."""
    return int(sequence_range.first) <= number <= int(sequence_range.last)


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(0, 20), st.data())
def test_every_change_is_sent_or_remains_in_a_range(
    numbers: set[int], count: int, data: st.DataObject
) -> None:
    """Whatever the count says, expiry and interrupted reads lose no change of a letter."""
    changes = sorted(numbers)
    ranges = [SequenceRange(STREAM, SHARD, f"{changes[0]:021}", f"{changes[-1]:021}", count)]
    sent: set[int] = set()
    oldest = 0
    for _ in range(4):
        oldest = data.draw(st.integers(oldest, 61))
        newest = data.draw(st.integers(0, 61))
        readable = [number for number in changes if oldest <= number <= newest]
        remaining = []
        for sub_range in ranges:
            present = [number for number in readable if contains(sub_range, number)]
            sent.update(present)
            remaining += sub_range.missing_ranges([f"{number:021}" for number in present])
        ranges = remaining
        assert all(
            number in sent or any(contains(sub_range, number) for sub_range in ranges)
            for number in changes
        )


@pytest.mark.parametrize("batch_size", [None, "4", 0, -5, True, 10**30, 2.0])
def test_an_impossible_count_is_unknown(batch_size: object) -> None:
    letter = parse_letter(letter_message(batchSize=batch_size))
    assert letter.range
    assert letter.range.count == 0


INVALID_BATCHES = [
    {"shardId": "x"},
    {"shardId": None},
    {"streamArn": "arn:aws:s3:::bucket"},
    {"startSequenceNumber": "-1"},
    {"endSequenceNumber": 9},
    {"startSequenceNumber": f"{10:021}"},
]


@pytest.mark.parametrize("batch", INVALID_BATCHES)
def test_an_invalid_batch_has_no_range(batch: dict[str, object]) -> None:
    assert parse_letter(letter_message(**batch)).range is None


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "7", "null", '{"DDBStreamBatchInfo":7}', "[" * 9999]
)
def test_an_unreadable_message_has_no_range(body: str) -> None:
    assert parse_letter({**letter_message(), "Body": body}).range is None


class StandardQueue:
    """A standard queue: delivers the given message ids, one per call; some may repeat."""

    exceptions = SimpleNamespace(QueueDoesNotExist=KeyError)

    def __init__(self, *message_ids: str) -> None:
        self.message_ids = list(message_ids)

    def get_queue_url(self, **_: object) -> dict[str, str]:
        return {"QueueUrl": "url"}

    def receive_message(self, **_: object) -> dict[str, Any]:
        if not self.message_ids:
            return {}
        return {"Messages": [{**letter_message(), "MessageId": self.message_ids.pop(0)}]}

    def send_message(self, **_: object) -> dict[str, str]:
        return {"MessageId": "sent"}

    def change_message_visibility(self, **_: object) -> None:
        """Do nothing: this queue has no other consumer."""


def test_repeated_and_sent_letters_hide_no_other() -> None:
    queue: Any = StandardQueue("a", "a", "sent", "b")
    sqs: SQSClient = queue
    dead_letters = DeadLetterQueue(sqs, "queue")
    received = []
    for letter in dead_letters.receive_all():
        dead_letters.send(letter.body)
        received.append(letter.message_id)
    assert received == ["a", "b"]


def test_a_full_disk_is_not_an_unreadable_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with SpooledFiles() as files:
        body = files.create()
        body.write(gzip.compress(b"x"))
        monkeypatch.setattr(SpooledTemporaryFile, "write", fail)
        with pytest.raises(OSError, match="No space left"):
            decompress(body, files)
