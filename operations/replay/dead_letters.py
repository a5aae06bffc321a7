"""Dead letters of the pipe: each names a range of changes in the table's stream.

The stream keeps a change for 24 hours, the queue a letter for 14 days. A letter whose changes have
expired stays in the queue, so that they are not mistaken for delivered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from operations.replay.error_documents import UNKNOWN_CODE, printable_code

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from types_boto3_dynamodbstreams.type_defs import GetShardIteratorInputTypeDef
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

VISIBILITY_TIMEOUT = 900  # seconds for which a received letter is hidden from other consumers
WAIT_SECONDS = 1  # long polling: without it, SQS asks only some of its servers
MAX_MESSAGES = 10
IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
MAX_EMPTY_PAGES = 100  # One empty page is not the end of a shard; this many in a row are.
TRIMMED_CODE = "TrimmedDataAccessException"
NOT_FOUND_CODES = ("ResourceNotFoundException", "ValidationException")
STREAM_ARN = re.compile(r"arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[\w.-]+/stream/[\w:.-]+")
SHARD_ID = re.compile(r"[\w-]{28,65}")
MAX_BATCH_SIZE = 10_000  # the limit of EventBridge Pipes
FIRST_REPLAYED = "startIsReplayed"  # our own member of a letter about a part of a range
SEQUENCE_NUMBER = re.compile(r"[0-9]{21,40}")


@dataclass(frozen=True, slots=True)
class SequenceRange:
    """Changes in a shard of a stream, from the number of one to the number of another.

    `count` is 0 if it is unknown, and only for reports: whether a range was read completely shows
    in its first and last number. If `is_first_replayed`, an earlier replay has sent the first
    change, which only marks where the range begins.
    """

    stream: str
    shard: str
    first: str
    last: str
    count: int = 0
    is_first_replayed: bool = False

    @classmethod
    def from_message(cls, batch: dict[str, Any]) -> SequenceRange:
        """Return the range that a letter's batch information names; raise ValueError if none."""
        sequence_range = cls(
            stream=_matching_text(STREAM_ARN, batch["streamArn"]),
            shard=_matching_text(SHARD_ID, batch["shardId"]),
            first=_matching_text(SEQUENCE_NUMBER, batch["startSequenceNumber"]),
            last=_matching_text(SEQUENCE_NUMBER, batch["endSequenceNumber"]),
            count=_parse_count(batch.get("batchSize")),
            is_first_replayed=batch.get(FIRST_REPLAYED) is True,
        )
        if int(sequence_range.first) > int(sequence_range.last):
            raise ValueError(sequence_range.first)
        return sequence_range

    def to_message(self) -> dict[str, object]:
        """Return the range as batch information of a letter."""
        return {
            "streamArn": self.stream,
            "shardId": self.shard,
            "startSequenceNumber": self.first,
            "endSequenceNumber": self.last,
            "batchSize": self.count,
            FIRST_REPLAYED: self.is_first_replayed,
        }

    def missing_ranges(self, numbers: Sequence[str]) -> list[SequenceRange]:
        """Return the parts of this range that are missing, given the sequence numbers found.

        A stream expires from its beginning, so the beginning is missing if the first number is. The
        end is missing if reading stopped before it.
        """
        if not numbers:
            return [replace(self, count=max(self.count, 1))]
        found_count = len(numbers) - self.is_replayed(numbers[0])
        missing_count = max(self.count - found_count, 1)
        ranges = []
        if numbers[0] != self.first:
            last_missing = str(int(numbers[0]) - 1).zfill(len(numbers[0]))
            ranges.append(replace(self, last=last_missing, count=missing_count))
        if numbers[-1] != self.last:
            count = 1 if ranges else missing_count
            ranges.append(replace(self, first=numbers[-1], count=count, is_first_replayed=True))
        return ranges

    def is_replayed(self, number: str) -> bool:
        """Return whether an earlier replay has sent the change with this number."""
        return self.is_first_replayed and number == self.first

    def part_of_one(self, number: str) -> SequenceRange:
        """Return the part of this range that consists of one change."""
        return replace(self, first=number, last=number, count=1, is_first_replayed=False)


def _parse_count(value: object) -> int:
    """Return the number of changes that a letter names, or 0 if it names none that is possible."""
    if type(value) is int and 1 <= value <= MAX_BATCH_SIZE:
        return value
    return 0


def _matching_text(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(value)
    return value


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of the dead-letter queue; `range` is None if the message is unreadable."""

    message_id: str
    receipt: str
    body: str
    code: str = UNKNOWN_CODE
    range: SequenceRange | None = None

    def body_for(self, sequence_range: SequenceRange) -> str:
        """Return the body of the same letter about another range."""
        body = json.loads(self.body)
        body["DDBStreamBatchInfo"] |= sequence_range.to_message()
        return json.dumps(body)


def parse_letter(message: MessageTypeDef) -> DeadLetter:
    """Return the dead letter in a message of SQS."""
    unreadable = DeadLetter(message["MessageId"], message["ReceiptHandle"], message["Body"])
    try:
        body = json.loads(unreadable.body)
        sequence_range = SequenceRange.from_message(body["DDBStreamBatchInfo"])
        context = body.get("context") or body.get("requestContext") or {}
        code = printable_code(context.get("condition"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return unreadable
    return replace(unreadable, code=code, range=sequence_range)


class DeadLetterQueue:
    """The pipe's dead-letter queue, and the letters that this process has received from it."""

    def __init__(self, sqs: SQSClient, name: str) -> None:
        self._sqs = sqs
        self._name = name
        self._url = ""
        self._known_ids: set[str] = set()
        self._open_receipts: dict[str, str] = {}  # of letters received, but not deleted

    def count_in_flight(self) -> int:
        """Return about how many letters another consumer has received: they are hidden from us."""
        if not self._find_queue():
            return 0
        response = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[IN_FLIGHT])
        return int(response["Attributes"][IN_FLIGHT])

    def receive_all(self) -> Iterator[DeadLetter]:
        """Yield every letter once, and finally make those that stay visible to others again."""
        if not self._find_queue():
            return
        try:
            while messages := self._receive_messages():
                yield from self._new_letters(messages)
        finally:
            self._release_letters()

    def send(self, body: str) -> None:
        """Put a letter into the queue; this process does not receive it."""
        response = self._sqs.send_message(QueueUrl=self._url, MessageBody=body)
        self._known_ids.add(response["MessageId"])

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter from the queue."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)
        self._open_receipts.pop(letter.message_id, None)

    def _find_queue(self) -> bool:
        """Look up the queue's URL, and return whether the queue exists."""
        try:
            self._url = self._sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        except self._sqs.exceptions.QueueDoesNotExist:
            return False
        return True

    def _receive_messages(self) -> list[MessageTypeDef]:
        """Return some messages, in no order; none if all are in flight."""
        response = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=MAX_MESSAGES,
            VisibilityTimeout=VISIBILITY_TIMEOUT,
            WaitTimeSeconds=WAIT_SECONDS,
        )
        messages = response.get("Messages", [])
        for message in messages:
            self._open_receipts[message["MessageId"]] = message["ReceiptHandle"]
        return messages

    def _new_letters(self, messages: Iterable[MessageTypeDef]) -> list[DeadLetter]:
        """Return the letters that this process has neither received before nor sent."""
        letters = [
            parse_letter(message)
            for message in messages
            if message["MessageId"] not in self._known_ids
        ]
        self._known_ids.update(letter.message_id for letter in letters)
        return letters

    def _release_letters(self) -> None:
        while self._open_receipts:
            _, receipt = self._open_receipts.popitem()
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
            )


class TableStreams:
    """The table's current and older streams, as far back as they are retained."""

    def __init__(self, streams: DynamoDBStreamsClient) -> None:
        self._streams = streams

    def read_range(self, sequence_range: SequenceRange) -> Iterator[dict[str, Any]]:
        """Yield the records of a range that are still in the stream, in order."""
        last = int(sequence_range.last)
        position = int(sequence_range.first) - 1
        empty_pages = 0
        iterator = self._shard_iterator(sequence_range)
        while iterator and position < last and empty_pages < MAX_EMPTY_PAGES:
            page = self._read_page(sequence_range, iterator)
            for record in page["Records"]:
                if position < sequence_number(record) <= last:
                    yield record
                position = max(position, sequence_number(record))
            empty_pages = 0 if page["Records"] else empty_pages + 1
            iterator = page.get("NextShardIterator")

    # Records are Any below: to_pipe_record reads members that the stubs do not declare.

    def _read_page(self, sequence_range: SequenceRange, iterator: str) -> dict[str, Any]:
        """Return a page of a shard; if it was trimmed, an empty one before the oldest record."""
        try:
            return dict(self._streams.get_records(ShardIterator=iterator))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            oldest = self._oldest_iterator(sequence_range) if code == TRIMMED_CODE else None
            if oldest is None and code not in NOT_FOUND_CODES:
                raise
            return {"Records": [], "NextShardIterator": oldest}

    def _shard_iterator(self, sequence_range: SequenceRange) -> str | None:
        """Return where to begin: at the first record or, if that was trimmed, at the oldest."""
        try:
            return self._get_iterator(
                {
                    "StreamArn": sequence_range.stream,
                    "ShardId": sequence_range.shard,
                    "ShardIteratorType": "AT_SEQUENCE_NUMBER",
                    "SequenceNumber": sequence_range.first,
                }
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != TRIMMED_CODE:
                raise
            return self._oldest_iterator(sequence_range)

    def _oldest_iterator(self, sequence_range: SequenceRange) -> str | None:
        return self._get_iterator(
            {
                "StreamArn": sequence_range.stream,
                "ShardId": sequence_range.shard,
                "ShardIteratorType": "TRIM_HORIZON",
            }
        )

    def _get_iterator(self, request: GetShardIteratorInputTypeDef) -> str | None:
        """Return a shard iterator, or None if the stream or the shard does not exist."""
        try:
            return self._streams.get_shard_iterator(**request)["ShardIterator"]
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND_CODES:
                return None
            raise


def sequence_number(record: dict[str, Any]) -> int:
    """Return the sequence number of a stream record."""
    return int(record["dynamodb"]["SequenceNumber"])
