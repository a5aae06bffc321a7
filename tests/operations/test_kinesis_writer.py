"""Kinesis writer: each record is acknowledged or named as oversized, or an error is raised."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from local.services.kinesis.service import Kinesis
from operations.kinesis_writer import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    MAX_RECORD_BYTES,
    RETRY_ATTEMPTS,
    OutgoingRecord,
    PutRejected,
    Sender,
    split_into_batches,
)
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient

REJECTION = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
LARGEST_DATA = MAX_RECORD_BYTES - 32  # the partition key counts too
SIZES = st.lists(
    st.integers(0, 100) | st.sampled_from([LARGEST_DATA, LARGEST_DATA + 1]), max_size=30
)


class BusyKinesis:
    """Kinesis under load: it rejects some records of a call at random, and accepts the others."""

    def __init__(self, rejection_rate: float, rng: Random) -> None:
        self.rejection_rate = rejection_rate
        self.rng = rng
        self.calls: list[list[bytes]] = []
        self.accepted: list[bytes] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append([record["Data"] for record in Records])
        results = []
        for record in Records:
            if self.rng.random() < self.rejection_rate:
                results.append(REJECTION)
            else:
                self.accepted.append(record["Data"])
                results.append({"SequenceNumber": "1"})
        return {"Records": results}


def sender_to(kinesis: Any, rate: float | None = None) -> Sender:
    """Return a sender to a fake Kinesis."""
    client: KinesisClient = kinesis
    return Sender(client, rate=rate)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested pauses; none takes any time."""
    pauses: list[float] = []
    monkeypatch.setattr("operations.kinesis_writer.time.sleep", pauses.append)
    return pauses


def outgoing_records(count: int, size: int = 10) -> list[OutgoingRecord]:
    """Return different records of the same size."""
    return [
        OutgoingRecord(str(number), str(number).encode().ljust(size)) for number in range(count)
    ]


@given(SIZES, st.floats(0, 0.3), st.integers(0, 999))
def test_each_record_arrives_once_or_is_named(
    sizes: list[int], rejection_rate: float, seed: int
) -> None:
    records = [OutgoingRecord(str(number), b"x" * size) for number, size in enumerate(sizes)]
    kinesis = BusyKinesis(rejection_rate, Random(seed))
    sender = sender_to(kinesis)
    oversized = sender.send(iter(records))
    assert oversized == [record.name for record in records if record.size > MAX_RECORD_BYTES]
    expected_sizes = [len(record.data) for record in records if record.name not in oversized]
    assert sorted(map(len, kinesis.accepted)) == sorted(expected_sizes)
    assert sender.sent_count == len(expected_sizes)


@given(st.lists(st.integers(0, 9) | st.just(LARGEST_DATA), max_size=30), st.integers(1, 9))
@example([LARGEST_DATA] * 11, 9)
def test_batches_fit_into_one_call(sizes: list[int], batch_size: int) -> None:
    records = [OutgoingRecord("", b"x" * size) for size in sizes]
    batches = list(split_into_batches(records, batch_size))
    assert [record for batch in batches for record in batch] == records
    assert all(0 < len(batch) <= batch_size for batch in batches)
    assert all(batch_bytes(batch) <= MAX_BATCH_BYTES for batch in batches)
    for batch, next_batch in pairwise(batches):  # No record is left for the next batch needlessly.
        is_too_long = batch_bytes([*batch, next_batch[0]]) > MAX_BATCH_BYTES
        assert len(batch) == batch_size or is_too_long


def batch_bytes(batch: list[OutgoingRecord]) -> int:
    """Return the size of a batch."""
    return sum(record.size for record in batch)


def test_only_rejected_records_are_put_again() -> None:
    kinesis = BusyKinesis(0.3, Random(1))
    sender_to(kinesis).send(outgoing_records(MAX_BATCH_RECORDS + 1))
    assert [len(kinesis.calls[0]), len(kinesis.calls[-1])] == [MAX_BATCH_RECORDS, 1]
    assert len(kinesis.accepted) == len(set(kinesis.accepted)) == MAX_BATCH_RECORDS + 1


def test_constant_rejection_raises_its_reason(pauses: list[float]) -> None:
    kinesis = BusyKinesis(1, Random(1))
    with pytest.raises(PutRejected, match="ProvisionedThroughputExceededException: Rate exceeded"):
        sender_to(kinesis).send(outgoing_records(3))
    assert len(kinesis.calls) == len(pauses) + 1
    assert pauses == sorted(pauses)
    assert sum(pauses) > 30


@given(st.integers(1, 40), st.integers(1, 400))
def test_the_rate_is_not_exceeded(rate: int, count: int) -> None:
    clock = [0.0]
    kinesis = BusyKinesis(0, Random(1))
    with pytest.MonkeyPatch.context() as monkeypatch:
        time = "operations.kinesis_writer.time"
        monkeypatch.setattr(f"{time}.monotonic", lambda: clock[0])
        monkeypatch.setattr(f"{time}.sleep", lambda pause: clock.append(clock.pop() + pause))
        sender_to(kinesis, rate).send(outgoing_records(count))
    assert len(kinesis.accepted) == count
    # Only the last second's records are sent without a wait after them.
    assert clock[0] >= (count - rate) / rate - 1e-6
    assert clock[0] <= count / rate


class SlowKinesis(BusyKinesis):
    """Kinesis that accepts one record of each call."""

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append([record["Data"] for record in Records])
        self.accepted.append(Records[0]["Data"])
        return {"Records": [{"SequenceNumber": "1"}, *[REJECTION] * (len(Records) - 1)]}


def test_progress_starts_the_attempts_again(pauses: list[float]) -> None:
    kinesis = SlowKinesis(0, Random(1))
    record_count = 2 * RETRY_ATTEMPTS
    sender_to(kinesis).send(outgoing_records(record_count))
    assert len(kinesis.accepted) == record_count
    assert max(pauses) < 1


def test_a_rate_below_one_sends_single_records() -> None:
    assert sender_to(None, rate=0.5).batch_size == 1
    assert sender_to(None, rate=2.5).batch_size == 2
    assert sender_to(None, rate=1e6).batch_size == MAX_BATCH_RECORDS
    assert sender_to(None).batch_size == MAX_BATCH_RECORDS


def test_partition_keys_are_hashes_of_the_data() -> None:
    keys = {record.entry["PartitionKey"] for record in outgoing_records(100)}
    assert len(keys) == 100
    assert OutgoingRecord("a", b"same").entry == OutgoingRecord("b", b"same").entry
    entry = OutgoingRecord("a", b"same").entry
    assert entry["PartitionKey"] == sha256(b"same").hexdigest()[:32]


@pytest.fixture(scope="module")
def stream() -> Iterator[str]:
    """A stream on the laptop cloud."""
    with laptop(Kinesis) as cloud:
        cloud.client("kinesis").create_stream(StreamName="changes", ShardCount=2)
        yield "changes"


def read_stream(stream: str) -> list[bytes]:
    """Return all records of a stream."""
    kinesis = boto3.client("kinesis")
    records = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += kinesis.get_records(ShardIterator=iterator)["Records"]
    return [record["Data"] for record in records]


def test_sent_records_are_in_kinesis(stream: str) -> None:
    largest = OutgoingRecord("largest", b"x" * LARGEST_DATA)
    oversized = OutgoingRecord("oversized", b"x" * (LARGEST_DATA + 1))
    records = [*outgoing_records(1200), largest]
    sender = Sender(boto3.client("kinesis"), stream)
    assert sender.send([*records, oversized]) == ["oversized"]
    assert sorted(read_stream(stream)) == sorted(record.data for record in records)
    assert sender.sent_count == 1201


def test_the_limits_are_those_of_kinesis(stream: str) -> None:
    kinesis = boto3.client("kinesis")
    key = "k" * 32
    kinesis.put_record(StreamName=stream, Data=b"x" * LARGEST_DATA, PartitionKey=key)
    with pytest.raises(ClientError, match="length less than or equal to"):
        kinesis.put_record(StreamName=stream, Data=b"x" * (LARGEST_DATA + 1), PartitionKey=key)
    entries = [record.entry for record in outgoing_records(MAX_BATCH_RECORDS + 1)]
    kinesis.put_records(StreamName=stream, Records=entries[1:])
    with pytest.raises(ClientError, match="length less than or equal to 500"):
        kinesis.put_records(StreamName=stream, Records=entries)
