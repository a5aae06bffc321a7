"""Batches of records for the Lambda function, which are invoked and retried."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, LambdaProcessor, Settings
from local.services.firehose.kinesis_source import SourceRecord
from local.services.firehose.lambda_transform import (
    CALL_ERRORS,
    FUNCTION_ERROR,
    MAX_REQUEST_BYTES,
    Failure,
    Row,
    failures,
    invocation_event,
    request_bytes,
    results,
)
from local.services.firehose.logs_and_metrics import error_code

if TYPE_CHECKING:
    from types_boto3_lambda.client import LambdaClient

RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one invocation, the attempts so far, and when the next is due."""

    records: tuple[SourceRecord, ...]
    attempts: int
    due_at: float


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The final result of a batch, record by record; None for one that the function dropped."""

    results: tuple[Row | Failure | None, ...]
    attempts: int


class LambdaBatches:
    """The records of one delivery stream that the function has not processed yet."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pending: list[SourceRecord] = []
        self._pending_since = 0.0
        self._batches: list[Batch] = []

    @property
    def total_bytes(self) -> int:
        """The size of all records."""
        return sum(len(record.data) for record in self._records())

    def __len__(self) -> int:
        return sum(1 for _ in self._records())

    @property
    def oldest_arrival(self) -> float | None:
        """When the oldest record arrived; None if there is no record."""
        return min((record.arrived_at for record in self._records()), default=None)

    def _records(self) -> Iterator[SourceRecord]:
        yield from self._pending
        for batch in self._batches:
            yield from batch.records

    def add(self, records: list[SourceRecord]) -> None:
        """Add records that were read from Kinesis."""
        if not self._pending:
            self._pending_since = self._cloud.clock.now()
        self._pending += records

    def take_all(self) -> list[SourceRecord]:
        """Remove and return the pending records, for a stream without a function."""
        records = self._pending
        self._pending = []
        return records

    def next_due_at(self, processor: LambdaProcessor | None) -> float | None:
        """Return when the next batch is due; None if there is no batch."""
        due_times = [batch.due_at for batch in self._batches]
        if self._pending and processor:
            due_times.append(self._pending_since + processor.buffer_seconds)
        return min(due_times, default=None)

    def invoke_due(
        self, settings: Settings, processor: LambdaProcessor
    ) -> Iterator[BatchResult | None]:
        """Invoke the function for each batch that is due; yield None for one to be retried."""
        now = self._cloud.clock.now()
        self._close_batches(processor, now)
        for batch in [batch for batch in self._batches if batch.due_at <= now]:
            # Firehose may be killed during the call: until then the batch is still held.
            result = self._invoke(settings, processor, batch)
            self._batches.remove(batch)
            if result is None:
                due_at = self._cloud.clock.now() + RETRY_SECONDS
                self._batches.append(Batch(batch.records, batch.attempts + 1, due_at))
            yield result

    def _close_batches(self, processor: LambdaProcessor, now: float) -> None:
        """Make batches of the pending records: full ones at once, the last after its interval."""
        records: list[SourceRecord] = []
        data_bytes = 0
        event_bytes = 0
        for record in self._pending:
            data_bytes += len(record.data)
            event_bytes += request_bytes(record)
            is_full = data_bytes > processor.buffer_bytes or event_bytes > MAX_REQUEST_BYTES
            if records and is_full:
                self._batches.append(Batch(tuple(records), 0, now))
                records = []
                data_bytes = len(record.data)
                event_bytes = request_bytes(record)
            records.append(record)
        if len(records) < len(self._pending):
            self._pending_since = now
        interval_is_over = now >= self._pending_since + processor.buffer_seconds
        if records and (data_bytes >= processor.buffer_bytes or interval_is_over):
            self._batches.append(Batch(tuple(records), 0, now))
            records = []
        self._pending = records

    def _invoke(
        self, settings: Settings, processor: LambdaProcessor, batch: Batch
    ) -> BatchResult | None:
        """Invoke the function; a failed call is retried (None), a response is final."""
        attempts = batch.attempts + 1
        try:
            response = self._call_function(settings, processor, batch)
            if response is not None:
                keys = settings.partition_keys
                return BatchResult(tuple(results(keys, batch.records, response)), attempts)
            reason = FUNCTION_ERROR
        except (BotoCoreError, ClientError) as error:
            code = error_code(error)
            reason = CALL_ERRORS.get(code, (f"Lambda.{code}", str(error)))
        if attempts <= processor.max_retries:
            return None
        return BatchResult(tuple(failures(reason, batch.records)), attempts)

    def _call_function(
        self, settings: Settings, processor: LambdaProcessor, batch: Batch
    ) -> bytes | None:
        """Return the function's response; None if it failed."""
        payload = invocation_event(settings, str(uuid.uuid4()), batch.records)
        client: LambdaClient = self._cloud.client("lambda", processor.role_arn, PRINCIPAL)
        response = client.invoke(FunctionName=processor.function_arn, Payload=payload)
        content = response["Payload"].read()
        return None if "FunctionError" in response else content
