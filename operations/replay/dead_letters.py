"""The pipe's dead letters: each points to a run of changes in the table's stream.

The stream keeps a change for 24 hours, the queue a letter for 14 days: a letter whose changes are
gone stays, so that nobody takes them for delivered.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from operations.replay.error_documents import UNNAMED, named_code

HIDDEN = 900  # seconds for which a letter that is being read is nobody else's
WAIT = 1  # seconds; only a question that waits asks all of SQS
AT_A_TIME = 10
NOT_VISIBLE = "ApproximateNumberOfMessagesNotVisible"
EMPTY_PAGES = 100  # An empty page is not the end of a shard; so many in a row are.
TRIMMED = "TrimmedDataAccessException"
ABSENT = ("ResourceNotFoundException", "ValidationException")
STREAM = re.compile(r"arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[\w.-]+/stream/[\w:.-]+")
SHARD = re.compile(r"[\w-]{28,65}")
NUMBER = re.compile(r"[0-9]{21,40}")


@dataclass(frozen=True, slots=True)
class Run:
    """Changes that follow one another in a shard of a stream; `count` of them, 0 if not told."""

    stream: str
    shard: str
    first: str
    last: str
    count: int = 0

    @classmethod
    def told(cls, batch: dict[str, Any]) -> "Run":
        """Return the run that a letter tells of; ValueError where it tells of none."""
        members = zip(_MEMBERS, (STREAM, SHARD, NUMBER, NUMBER), strict=True)
        texts = [_text(pattern, batch[name]) for name, pattern in members]
        count = batch.get("batchSize")
        return cls(*texts, count if isinstance(count, int) else 0)

    def gone(self, found: Sequence[str]) -> list["Run"]:
        """Return the parts that are gone where these sequence numbers are what is left of the run.

        A stream forgets from its beginning; the end is gone where reading stopped before it.
        """
        if not found:
            return [replace(self, count=max(self.count, 1))]
        lacking = max(self.count - len(found), 1)
        parts = []
        if found[0] != self.first and self.count > len(found):
            parts.append(self.part(self.first, _beside(found[0], -1), lacking))
        if found[-1] != self.last:
            parts.append(self.part(_beside(found[-1], 1), self.last, 1 if parts else lacking))
        return parts

    def part(self, first: str, last: str, count: int) -> "Run":
        """Return a part of this run."""
        return replace(self, first=first, last=last, count=count)


_MEMBERS = ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")


def _beside(number: str, step: int) -> str:
    return str(int(number) + step).zfill(len(number))


def _text(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(value)
    return value


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the queue; without a run it is not readable."""

    message_id: str
    receipt: str
    body: str
    code: str = UNNAMED
    run: Run | None = None

    def about(self, run: Run) -> str:
        """Return the body of a letter that says the same of another run."""
        told = json.loads(self.body)
        batch = dict(zip(_MEMBERS, (run.stream, run.shard, run.first, run.last), strict=True))
        told["DDBStreamBatchInfo"] |= batch | {"batchSize": run.count}
        return json.dumps(told)


def letter(message: dict[str, str]) -> Letter:
    """Return what a message of SQS says."""
    known = (message["MessageId"], message["ReceiptHandle"], message["Body"])
    try:
        told = json.loads(message["Body"])
        run = Run.told(told["DDBStreamBatchInfo"])
        condition = (told.get("context") or told.get("requestContext") or {}).get("condition")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Letter(*known)
    return Letter(*known, named_code(condition), run)


class DeadLetters:
    """The pipe's queue; `open` are the letters that it has shown and not been told to delete."""

    def __init__(self, sqs: Any, queue: str) -> None:
        self._sqs, self._name = sqs, queue
        self._url = ""
        self._seen: set[str] = set()
        self._open: dict[str, str] = {}

    def held(self) -> int:
        """Return about how many letters somebody else reads now: nobody is shown them meanwhile."""
        if not self._find():
            return 0
        asked = {"QueueUrl": self._url, "AttributeNames": [NOT_VISIBLE]}
        return int(self._sqs.get_queue_attributes(**asked)["Attributes"][NOT_VISIBLE])

    def letters(self) -> Iterator[Letter]:
        """Return every letter once; in the end those that stay may be seen by others again."""
        if not self._find():
            return
        try:
            while messages := self._received():
                yield from self._fresh(messages)
        finally:
            self._release()

    def write(self, body: str) -> None:
        """Put a letter into the queue, to be read another time."""
        answer = self._sqs.send_message(QueueUrl=self._url, MessageBody=body)
        self._seen.add(answer["MessageId"])

    def delete(self, done: Letter) -> None:
        """Take a letter out of the queue."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=done.receipt)
        self._open.pop(done.message_id, None)

    def _find(self) -> bool:
        """Return whether there is such a queue."""
        try:
            self._url = self._sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        except self._sqs.exceptions.QueueDoesNotExist:
            return False
        return True

    def _received(self) -> list[dict[str, str]]:
        """Return some messages, in no order; none when all are read."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=AT_A_TIME,
            VisibilityTimeout=HIDDEN,
            WaitTimeSeconds=WAIT,
        )
        messages = answer.get("Messages", [])
        self._open.update({each["MessageId"]: each["ReceiptHandle"] for each in messages})
        return messages

    def _fresh(self, messages: Iterable[dict[str, str]]) -> list[Letter]:
        """Return the letters that are new to us, and that we have not written ourselves."""
        fresh = [letter(each) for each in messages if each["MessageId"] not in self._seen]
        self._seen.update(each.message_id for each in fresh)
        return fresh

    def _release(self) -> None:
        while self._open:
            _, receipt = self._open.popitem()
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0
            )


class Stream:
    """The table's streams, as far as they reach back."""

    def __init__(self, streams: Any) -> None:
        self._streams = streams

    def records(self, run: Run) -> Iterator[dict[str, Any]]:
        """Return the records of a run that are still there, in their order."""
        read, empty = int(run.first) - 1, 0
        iterator = self._iterator(run)
        while iterator and read < int(run.last) and empty < EMPTY_PAGES:
            page = self._page(run, iterator)
            for record in page["Records"]:
                if read < sequence(record) <= int(run.last):
                    yield record
                read = max(read, sequence(record))
            empty = 0 if page["Records"] else empty + 1
            iterator = page.get("NextShardIterator")

    def _page(self, run: Run, iterator: str) -> dict[str, Any]:
        """Return a page of a shard; where it has been trimmed, an empty one before the oldest."""
        try:
            return self._streams.get_records(ShardIterator=iterator)
        except ClientError as error:
            oldest = self._iterator(run, "TRIM_HORIZON") if _code(error) == TRIMMED else None
            if oldest is None and _code(error) not in ABSENT:
                raise
            return {"Records": [], "NextShardIterator": oldest}

    def _iterator(self, run: Run, place: str = "AT_SEQUENCE_NUMBER") -> str | None:
        """Return where to read; the oldest record where the first is gone, None without any."""
        at = {"SequenceNumber": run.first} if place == "AT_SEQUENCE_NUMBER" else {}
        where = {"StreamArn": run.stream, "ShardId": run.shard, "ShardIteratorType": place}
        try:
            return self._streams.get_shard_iterator(**where, **at)["ShardIterator"]
        except ClientError as error:
            if _code(error) == TRIMMED and at:
                return self._iterator(run, "TRIM_HORIZON")
            if _code(error) in ABSENT:
                return None
            raise


def sequence(record: dict[str, Any]) -> int:
    """Return the sequence number of a stream's record."""
    return int(record["dynamodb"]["SequenceNumber"])


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
