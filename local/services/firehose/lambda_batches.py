"""Records on their way through the Lambda function: gathered into batches, and tried again."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, Settings, Transform
from local.services.firehose.kinesis_source import SourceRecord
from local.services.firehose.lambda_transform import (
    CALL_ERRORS,
    FUNCTION_ERROR,
    REQUEST_LIMIT,
    Failure,
    Row,
    event,
    failures,
    request_size,
    verdicts,
)
from local.services.firehose.logs_and_metrics import code_of

RETRY = 5.0  # seconds between two attempts


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one call: how often that was tried, and when it is tried again."""

    records: tuple[SourceRecord, ...]
    attempts: int
    due: float


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a batch became, for good; None is a record that the function dropped."""

    results: tuple[Row | Failure | None, ...]
    attempts: int


class Batches:
    """The records of one delivery stream that the function has not dealt with yet."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._waiting: list[SourceRecord] = []
        self._waiting_since = 0.0
        self._batches: list[Batch] = []

    @property
    def size(self) -> int:
        """The bytes of the records."""
        return sum(len(record.data) for record in self._records())

    def __len__(self) -> int:
        return sum(1 for _ in self._records())

    @property
    def oldest(self) -> float | None:
        """When the oldest record arrived; None if there is none."""
        return min((record.arrived for record in self._records()), default=None)

    def _records(self) -> Iterator[SourceRecord]:
        yield from self._waiting
        for batch in self._batches:
            yield from batch.records

    def add(self, records: list[SourceRecord]) -> None:
        """Take over records."""
        if not self._waiting:
            self._waiting_since = self._cloud.clock.now()
        self._waiting += records

    def untouched(self) -> list[SourceRecord]:
        """Return the records for which there is no function, and let go of them."""
        records, self._waiting = self._waiting, []
        return records

    def due(self, transform: Transform | None) -> float | None:
        """Return when the next batch is due; None if there is none."""
        due = [batch.due for batch in self._batches]
        if self._waiting and transform:
            due.append(self._waiting_since + transform.interval)
        return min(due, default=None)

    def transformed(self, of: Settings, transform: Transform) -> Iterator[Transformed | None]:
        """Yield what each batch that is due became; None for one that is tried again."""
        now = self._cloud.clock.now()
        self._gather(transform, now)
        for batch in [batch for batch in self._batches if batch.due <= now]:
            result = self._attempt(of, transform, batch)
            self._batches.remove(batch)
            if result is None:
                due = self._cloud.clock.now() + RETRY
                self._batches.append(Batch(batch.records, batch.attempts + 1, due))
            yield result

    def _gather(self, transform: Transform, now: float) -> None:
        """Make batches of what waits: full ones at once, the last one after its interval."""
        batch: list[SourceRecord] = []
        size = request = 0
        for record in self._waiting:
            size, request = size + len(record.data), request + request_size(record)
            if batch and (size > transform.size or request > REQUEST_LIMIT):
                self._batches.append(Batch(tuple(batch), 0, now))
                batch, size, request = [], len(record.data), request_size(record)
            batch.append(record)
        if len(batch) < len(self._waiting):
            self._waiting_since = now
        if batch and (size >= transform.size or now >= self._waiting_since + transform.interval):
            self._batches.append(Batch(tuple(batch), 0, now))
            batch = []
        self._waiting = batch

    def _attempt(self, of: Settings, transform: Transform, batch: Batch) -> Transformed | None:
        """Invoke the function: a call that fails is tried again, an answer is final."""
        attempts = batch.attempts + 1
        try:
            answer = self._answer(of, transform, batch)
            if answer is not None:
                keys = of.partition_keys
                return Transformed(tuple(verdicts(keys, batch.records, answer)), attempts)
            reason = FUNCTION_ERROR
        except (BotoCoreError, ClientError) as error:
            code = code_of(error)
            reason = CALL_ERRORS.get(code, (f"Lambda.{code}", str(error)))
        if attempts <= transform.retries:
            return None
        return Transformed(tuple(failures(reason, batch.records)), attempts)

    def _answer(self, of: Settings, transform: Transform, batch: Batch) -> bytes | None:
        """Return the function's answer; None if it failed."""
        payload = event(of, str(uuid.uuid4()), batch.records)
        client = self._cloud.client("lambda", transform.role, PRINCIPAL)
        reply = client.invoke(FunctionName=transform.function, Payload=payload)
        answer = reply["Payload"].read()
        return None if "FunctionError" in reply else answer
