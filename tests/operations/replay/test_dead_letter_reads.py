"""Reads of dead letters: the queue and the stream, whatever SQS and DynamoDB Streams answer."""

from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from operations.replay.dead_letters import (
    MAX_EMPTY_PAGES,
    DeadLetterQueue,
    SequenceRange,
    TableStreams,
)
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.client import DynamoDBStreamsClient

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
SHARD = f"shardId-{0:021}"
TRIMMED = "TrimmedDataAccessException"
NOT_FOUND = ["ResourceNotFoundException", "ValidationException"]
CALLS = ["AT_SEQUENCE_NUMBER", "TRIM_HORIZON", "GetRecords"]


class Shard:
    """A shard of a table's stream; `errors` are the codes with which it refuses a call.

    It has pages without records between the others, and its oldest records may be trimmed: before
    an iterator exists, or after so many pages were read.
    """

    def __init__(self, numbers: list[int], empty_pages: int = 0, page_size: int = 2) -> None:
        self.numbers = numbers
        self.empty_pages = empty_pages
        self.page_size = page_size
        self.trimmed_below = 0
        self.trim_below_later = 0
        self.is_closed = True
        self.errors: dict[str, str] = {}
        self.page_count = 0

    def get_shard_iterator(self, **request: str) -> dict[str, str]:
        iterator_type = request["ShardIteratorType"]
        self._refuse(iterator_type)
        start = int(request.get("SequenceNumber", self.trimmed_below))
        if start < self.trimmed_below:
            raise aws_error(TRIMMED)
        return {"ShardIterator": f"{start} {self.empty_pages}"}

    def get_records(self, ShardIterator: str) -> dict[str, Any]:
        self._refuse("GetRecords")
        self.page_count += 1
        if self.page_count == 2:
            self.trimmed_below = max(self.trimmed_below, self.trim_below_later)
        start, empty_pages = map(int, ShardIterator.split())
        if start < self.trimmed_below:
            raise aws_error(TRIMMED)
        if empty_pages:
            return {"Records": [], "NextShardIterator": f"{start} {empty_pages - 1}"}
        page = [number for number in self.numbers if number >= start][: self.page_size]
        response: dict[str, Any] = {"Records": [record(number) for number in page]}
        next_start = page[-1] + 1 if page else start
        if not self.is_closed or any(number >= next_start for number in self.numbers):
            response["NextShardIterator"] = f"{next_start} {self.empty_pages}"
        return response

    def _refuse(self, call: str) -> None:
        if call in self.errors:
            raise aws_error(self.errors[call])


def aws_error(code: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "x"}}
    return ClientError(response, "GetRecords")


def record(number: int) -> dict[str, Any]:
    return {"dynamodb": {"SequenceNumber": f"{number:021}"}}


def read(shard: Shard, first: int, last: int) -> list[int]:
    """Return the numbers of the records that are read of a range."""
    streams = TableStreams(cast("DynamoDBStreamsClient", shard))
    sequence_range = SequenceRange(STREAM, SHARD, f"{first:021}", f"{last:021}")
    records = streams.read_range(sequence_range)
    return [int(record["dynamodb"]["SequenceNumber"]) for record in records]


@given(
    st.sets(st.integers(1, 12)).map(sorted),
    st.integers(1, 12),
    st.integers(0, 11),
    st.integers(0, 3),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.booleans(),
)
@example([1, 2, 3, 4, 5], 1, 4, 0, (0, 4), True)
def test_a_range_is_read_as_far_as_it_is_kept(
    numbers: list[int],
    first: int,
    length: int,
    empty_pages: int,
    trimmed_below: tuple[int, int],
    is_closed: bool,
) -> None:
    last = first + length
    shard = Shard(numbers, empty_pages)
    shard.trimmed_below, shard.trim_below_later = trimmed_below
    shard.is_closed = is_closed
    numbers_read = read(shard, first, last)
    in_range = [number for number in numbers if first <= number <= last]
    assert numbers_read == sorted(set(numbers_read) & set(in_range))
    # What was trimmed meanwhile may have been read before.
    kept = [number for number in in_range if number >= max(trimmed_below)]
    assert set(kept) <= set(numbers_read)
    assert all(number >= trimmed_below[0] for number in numbers_read)


def test_one_change_of_a_range_is_a_range() -> None:
    sequence_range = SequenceRange(STREAM, SHARD, "1", "9", 5, is_first_replayed=True)
    assert sequence_range.part_of_one("1") == SequenceRange(STREAM, SHARD, "1", "1", 1)
    assert sequence_range.is_replayed("1")
    assert not sequence_range.is_replayed("2")
    assert not sequence_range.part_of_one("1").is_replayed("1")


def test_reading_stops_at_the_end_of_the_range() -> None:
    shard = Shard(list(range(1, 100)))
    assert read(shard, 1, 4) == [1, 2, 3, 4]
    assert shard.page_count == 2


def test_an_open_shard_without_records_has_an_end() -> None:
    shard = Shard([1, 2])
    shard.is_closed = False
    assert read(shard, 1, 9) == [1, 2]
    assert shard.page_count == MAX_EMPTY_PAGES + 1


def test_records_after_many_empty_pages_are_read() -> None:
    assert read(Shard([1, 2, 5, 9], MAX_EMPTY_PAGES - 1), 1, 9) == [1, 2, 5, 9]
    assert read(Shard([1, 2], MAX_EMPTY_PAGES), 1, 9) == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", NOT_FOUND)
def test_a_shard_that_is_gone_has_no_records(call: str, code: str) -> None:
    shard = Shard([1, 2, 3])
    shard.trimmed_below = 2
    shard.errors = {call: code}
    assert read(shard, 1, 3) == []


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_read_is_not_an_empty_shard(call: str) -> None:
    """A missing permission must not pass for changes that have expired."""
    shard = Shard([1, 2, 3])
    shard.trimmed_below = 2
    shard.errors = {call: "AccessDeniedException"}
    with pytest.raises(ClientError, match="AccessDeniedException"):
        read(shard, 1, 3)


def test_a_missing_queue_has_no_letters() -> None:
    with laptop():
        queue = DeadLetterQueue(boto3.client("sqs"), "absent")
        assert queue.count_in_flight() == 0
        assert list(queue.receive_all()) == []


def test_letters_are_received_once_and_released() -> None:
    with laptop():
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="letters")["QueueUrl"]
        for number in range(12):
            sqs.send_message(QueueUrl=url, MessageBody=f"letter {number}")
        queue = DeadLetterQueue(sqs, "letters")
        letters = []
        for letter in queue.receive_all():
            assert other_consumer_count() >= 1
            letters.append(letter)
            if len(letters) == 1:
                queue.delete(letter)
                queue.send("what remains of it")
        assert sorted(letter.body for letter in letters) == sorted(
            f"letter {number}" for number in range(12)
        )
        assert other_consumer_count() == 0
        assert message_count(url) == 12
        assert list(queue.receive_all()) == []  # They are known, but released again.
        assert other_consumer_count() == 0


def other_consumer_count() -> int:
    return DeadLetterQueue(boto3.client("sqs"), "letters").count_in_flight()


def message_count(url: str) -> int:
    response = boto3.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(response["Attributes"]["ApproximateNumberOfMessages"])
