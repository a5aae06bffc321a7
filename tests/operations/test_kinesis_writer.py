"""Sending: whatever Kinesis refuses, each record arrives, or is named, or the sending fails."""

from collections.abc import Iterator
from hashlib import sha256
from random import Random
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.services.kinesis.service import Kinesis
from operations import kinesis_writer as sending
from operations.kinesis_writer import (
    CALL_BYTES,
    CALL_RECORDS,
    RECORD_BYTES,
    NotTaken,
    Outgoing,
    Sender,
)
from tests.support.laptop_cloud import laptop

REFUSED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
SIZES = st.lists(
    st.integers(0, 100) | st.sampled_from([RECORD_BYTES - 32, RECORD_BYTES - 31]), max_size=30
)


class FickleKinesis:
    """Kinesis under load: it takes some records of a call, by chance, and refuses the others."""

    def __init__(self, refusing: float, chance: Random) -> None:
        self.refusing, self.chance = refusing, chance
        self.calls: list[list[bytes]] = []
        self.taken: list[bytes] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append([record["Data"] for record in Records])
        refused = [self.chance.random() < self.refusing for _ in Records]
        self.taken += [
            record["Data"] for record, no in zip(Records, refused, strict=True) if not no
        ]
        return {"Records": [REFUSED if no else {"SequenceNumber": "1"} for no in refused]}


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; they take no time here."""
    made: list[float] = []
    monkeypatch.setattr(sending.time, "sleep", made.append)
    return made


def outgoing(count: int, size: int = 10) -> list[Outgoing]:
    """Return so many records, all different, of that size."""
    return [Outgoing(str(number), str(number).encode().ljust(size)) for number in range(count)]


@given(SIZES, st.floats(0, 0.3), st.integers(0, 999))
def test_each_record_arrives_once_or_is_named(sizes: list[int], refusing: float, seed: int) -> None:
    records = [Outgoing(f"{at}", b"x" * size) for at, size in enumerate(sizes)]
    kinesis = FickleKinesis(refusing, Random(seed))
    sender = Sender(kinesis)
    named = sender.send(iter(records))
    assert named == [record.name for record in records if record.size > RECORD_BYTES]
    wanted = [len(record.data) for record in records if record.name not in named]
    assert sorted(map(len, kinesis.taken)) == sorted(wanted)
    assert sender.sent == len(wanted)


@given(
    st.lists(st.integers(0, 9) | st.just(RECORD_BYTES - 32), max_size=30),
    st.integers(1, 9),
)
def test_no_call_is_larger_than_aws_takes(sizes: list[int], most: int) -> None:
    records = [Outgoing("", b"x" * size) for size in sizes]
    runs = list(sending.batches(records, most))
    assert [record for run in runs for record in run] == records
    assert all(0 < len(run) <= most for run in runs)
    assert all(sum(record.size for record in run) <= CALL_BYTES for run in runs)


def test_only_what_was_refused_is_put_again() -> None:
    kinesis = FickleKinesis(0.3, Random(1))
    Sender(kinesis).send(outgoing(CALL_RECORDS + 1))
    assert [len(kinesis.calls[0]), len(kinesis.calls[-1])] == [CALL_RECORDS, 1]
    assert len(kinesis.taken) == len(set(kinesis.taken)) == CALL_RECORDS + 1


def test_a_stream_that_takes_nothing_ends_the_sending_with_its_reason(naps: list[float]) -> None:
    kinesis = FickleKinesis(1, Random(1))
    with pytest.raises(NotTaken, match="ProvisionedThroughputExceededException: Rate exceeded"):
        Sender(kinesis).send(outgoing(3))
    assert len(kinesis.calls) == len(naps) + 1
    assert naps == sorted(naps)
    assert sum(naps) > 30


@given(st.integers(1, 40), st.integers(1, 400))
def test_a_rate_is_kept(rate: int, count: int) -> None:
    clock = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending.time, "monotonic", lambda: clock[0])
        patch.setattr(sending.time, "sleep", lambda pause: clock.append(clock.pop() + pause))
        kinesis = FickleKinesis(0, Random(1))
        Sender(kinesis, rate=rate).send(outgoing(count))
    assert len(kinesis.taken) == count
    # All but the last second's worth had to wait for their turn.
    assert clock[0] >= (count - rate) / rate - 1e-6


def test_records_spread_over_the_shards_by_what_they_are() -> None:
    keys = {record.entry["PartitionKey"] for record in outgoing(100)}
    assert len(keys) == 100
    assert Outgoing("a", b"same").entry == Outgoing("b", b"same").entry
    assert Outgoing("a", b"same").entry["PartitionKey"] == sha256(b"same").hexdigest()[:32]


@pytest.fixture(scope="module")
def stream() -> Iterator[str]:
    """A stream on the laptop cloud."""
    with laptop(Kinesis) as cloud:
        cloud.client("kinesis").create_stream(StreamName="changes", ShardCount=2)
        yield "changes"


def read(stream: str) -> list[bytes]:
    """Return all that a stream holds."""
    kinesis = boto3.client("kinesis")
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    first = {"StreamName": stream, "ShardIteratorType": "TRIM_HORIZON"}
    starts = [kinesis.get_shard_iterator(ShardId=shard["ShardId"], **first) for shard in shards]
    pages = [kinesis.get_records(ShardIterator=start["ShardIterator"]) for start in starts]
    return [record["Data"] for page in pages for record in page["Records"]]


def test_what_is_sent_lies_in_kinesis(stream: str) -> None:
    large = [Outgoing(f"L{size}", b"x" * size) for size in (RECORD_BYTES - 32, RECORD_BYTES - 31)]
    records = [*outgoing(1200), *large]
    sender = Sender(boto3.client("kinesis"), stream)
    assert sender.send(records) == [large[1].name]
    assert sorted(read(stream)) == sorted(record.data for record in records[:-1])
    assert sender.sent == 1201
