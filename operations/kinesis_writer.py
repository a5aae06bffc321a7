"""Records put into Kinesis, the one road into the lake, each until Kinesis has acknowledged it.

A record that arrives twice is one change, so whoever is in doubt sends again.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from setup.names import STREAM

RECORD_BYTES = 1024 * 1024  # data and partition key, unless the stream was made to take more
CALL_RECORDS = 500
CALL_BYTES = 5 * 1024 * 1024  # what AWS took before October 2025, and other servers still do
PAUSES = tuple(min(0.1 * 2**attempt, 10.0) for attempt in range(12))  # about a minute
KEY_CHARACTERS = 32
RATE = 1000.0  # records in a second: a quarter of what a new on-demand stream takes


class NotTaken(Exception):
    """Kinesis refused records again and again; what it took before that is on its way."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be put into Kinesis, and the name by which people know it."""

    name: str
    data: bytes

    @property
    def size(self) -> int:
        """How many bytes Kinesis counts."""
        return len(self.data) + KEY_CHARACTERS

    @property
    def entry(self) -> dict[str, object]:
        """The record as PutRecords takes it; its place in a shard is as good as random."""
        return {"Data": self.data, "PartitionKey": sha256(self.data).hexdigest()[:KEY_CHARACTERS]}


class Sender:
    """Puts records into a Kinesis stream, at most `rate` in a second; `sent` counts them."""

    def __init__(self, kinesis: Any, stream: str = STREAM, rate: float | None = None) -> None:
        self.sent = 0
        self._kinesis, self._stream, self._rate = kinesis, stream, rate
        self._free_at = 0.0

    def send(self, records: Iterable[Outgoing]) -> list[str]:
        """Send all that Kinesis can take, and return the names of the records too large for it.

        When it returns, every other record is acknowledged; raises NotTaken when one was not.
        """
        too_large: list[str] = []
        for batch in batches(_fitting(records, too_large), self.most):
            self._take_turn(len(batch))
            self._put(batch)
        return too_large

    @property
    def most(self) -> int:
        """How many records go at a time: a second's worth at most, so that they flow."""
        return CALL_RECORDS if self._rate is None else max(1, min(CALL_RECORDS, int(self._rate)))

    def _take_turn(self, count: int) -> None:
        """Wait until the rate allows so many records more."""
        if self._rate is None:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self._free_at - now))
        self._free_at = max(now, self._free_at) + count / self._rate

    def _put(self, batch: Sequence[Outgoing]) -> None:
        """Put a batch, and what of it failed again, until nothing of it is left."""
        pauses = iter(PAUSES)
        while True:
            entries = [record.entry for record in batch]
            answer = self._kinesis.put_records(StreamName=self._stream, Records=entries)
            results = zip(batch, answer["Records"], strict=True)
            failed = [(record, result) for record, result in results if result.get("ErrorCode")]
            self.sent += len(batch) - len(failed)
            if not failed:
                return
            if len(failed) < len(batch):
                pauses = iter(PAUSES)
            if (pause := next(pauses, None)) is None:
                raise NotTaken(_refusal(self._stream, failed[0][1]))
            time.sleep(pause)
            batch = [record for record, _ in failed]


class Rehearsal(Sender):
    """Sends nothing, and counts what would be sent."""

    def _put(self, batch: Sequence[Outgoing]) -> None:
        self.sent += len(batch)


def batches(records: Iterable[Outgoing], most: int = CALL_RECORDS) -> Iterator[list[Outgoing]]:
    """Return the records, in order, in runs that one call takes."""
    batch: list[Outgoing] = []
    total = 0
    for record in records:
        if len(batch) == most or (batch and total + record.size > CALL_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(record)
        total += record.size
    if batch:
        yield batch


def _fitting(records: Iterable[Outgoing], too_large: list[str]) -> Iterator[Outgoing]:
    """Return the records that Kinesis takes, and note the names of the others."""
    for record in records:
        if record.size <= RECORD_BYTES:
            yield record
        else:
            too_large.append(record.name)


def _refusal(stream: str, result: dict[str, str]) -> str:
    told = f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}".removesuffix(": ")
    return f"Kinesis stream {stream} takes no more ({told}): try again later"
