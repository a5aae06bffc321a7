"""Kinesis writer: puts records into the stream and retries each until Kinesis acknowledges it.

Sending a record twice is harmless: the lake counts both copies as one change. So a caller that does
not know whether a record arrived sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from operations.rate_limit import RateLimit
from setup.lib.backoff import backoff
from setup.lib.errors import UserError
from setup.names import STREAM

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import (
        PutRecordsRequestEntryTypeDef,
        PutRecordsResultEntryTypeDef,
    )

MAX_RECORD_BYTES = 1024 * 1024  # data and partition key; the default limit of a stream
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 5 * 1024 * 1024  # AWS's limit until October 2025; other servers still have it
RETRY_ATTEMPTS = 12  # with pauses of up to 10 s: about a minute
PARTITION_KEY_LENGTH = 32
DEFAULT_RATE = 1000.0  # records per second: a quarter of what a new on-demand stream accepts

ITEM_TOO_LARGE = (
    "its record exceeds Kinesis's limit of 1 MiB: make the item smaller, then run verify --repair"
)


class PutRejected(UserError):
    """Kinesis kept rejecting records; those that it accepted before are in the stream."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """A record for Kinesis, and the name that reports use for it."""

    name: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that count towards Kinesis's record limit."""
        return len(self.data) + PARTITION_KEY_LENGTH

    @property
    def entry(self) -> PutRecordsRequestEntryTypeDef:
        """The record as PutRecords expects it; the hash spreads records over the shards."""
        partition_key = sha256(self.data).hexdigest()[:PARTITION_KEY_LENGTH]
        return {"Data": self.data, "PartitionKey": partition_key}


class Sender:
    """Puts records into a Kinesis stream, at most `rate` per second, and counts them."""

    def __init__(
        self, kinesis: KinesisClient, stream: str = STREAM, rate: float | None = None
    ) -> None:
        self.sent_count = 0
        self._kinesis = kinesis
        self._stream = stream
        self._rate = RateLimit(rate)

    def send(self, records: Iterable[OutgoingRecord]) -> list[str]:
        """Send all records that Kinesis can accept, and return the names of the oversized ones.

        On return, every other record is acknowledged. Raises PutRejected if one was not.
        """
        oversized: list[str] = []
        for batch in split_into_batches(_without_oversized(records, oversized), self.batch_size):
            self._rate.wait(len(batch))
            self._put_until_accepted(batch)
        return oversized

    @property
    def batch_size(self) -> int:
        """Records per call: at most one second's worth, so that they flow evenly."""
        return self._rate.batch_size(MAX_BATCH_RECORDS)

    def _put_until_accepted(self, batch: Sequence[OutgoingRecord]) -> None:
        """Put a batch, then the rejected part of it again, until Kinesis has accepted all."""
        pauses = backoff(0.1, 10.0, attempts=RETRY_ATTEMPTS)
        while True:
            entries = [record.entry for record in batch]
            response = self._kinesis.put_records(StreamName=self._stream, Records=entries)
            results = zip(batch, response["Records"], strict=True)
            rejected = [(record, result) for record, result in results if result.get("ErrorCode")]
            self.sent_count += len(batch) - len(rejected)
            if not rejected:
                return
            if len(rejected) < len(batch):
                pauses = backoff(0.1, 10.0, attempts=RETRY_ATTEMPTS)
            pause = next(pauses, None)
            if pause is None:
                raise PutRejected(_rejection_message(self._stream, rejected[0][1]))
            time.sleep(pause)
            batch = [record for record, _ in rejected]


class DryRunSender(Sender):
    """A sender that only counts what it would send."""

    def _put_until_accepted(self, batch: Sequence[OutgoingRecord]) -> None:
        self.sent_count += len(batch)


def split_into_batches(
    records: Iterable[OutgoingRecord], batch_size: int = MAX_BATCH_RECORDS
) -> Iterator[list[OutgoingRecord]]:
    """Yield the records, in order, in batches that fit into one PutRecords call."""
    batch: list[OutgoingRecord] = []
    batch_bytes = 0
    for record in records:
        if len(batch) == batch_size or (batch and batch_bytes + record.size > MAX_BATCH_BYTES):
            yield batch
            batch = []
            batch_bytes = 0
        batch.append(record)
        batch_bytes += record.size
    if batch:
        yield batch


def _without_oversized(
    records: Iterable[OutgoingRecord], oversized: list[str]
) -> Iterator[OutgoingRecord]:
    """Yield the records that Kinesis accepts, and append the names of the others to a list."""
    for record in records:
        if record.size <= MAX_RECORD_BYTES:
            yield record
        else:
            oversized.append(record.name)


def _rejection_message(stream: str, result: PutRecordsResultEntryTypeDef) -> str:
    detail = f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}".removesuffix(": ")
    return f"Kinesis stream {stream} is throttling ({detail}): try again later"
