"""One delivery stream at work: from Kinesis through the Lambda function into objects in S3."""

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import Settings
from local.services.firehose.kinesis_source import KinesisSource, SourceRecord
from local.services.firehose.lambda_batches import BatchResult, LambdaBatches
from local.services.firehose.lambda_transform import Failure, Row
from local.services.firehose.logs_and_metrics import Telemetry, error_code, should_log
from local.services.firehose.partition_buffers import PartitionBuffers, error_objects
from local.services.firehose.s3_delivery import S3Delivery

# Above this limit buffers are closed early; if S3 does not accept their objects, reading pauses.
MAX_MEMORY_BYTES = 256 * 1024 * 1024
POLL_SECONDS = 1.0  # As on AWS; a backlog is read without pauses.
KINESIS_ERRORS = {
    "AccessDeniedException": (
        "Kinesis.AccessDenied",
        "Access was denied when calling Kinesis. Ensure the access policy on the IAM role used "
        "allows access to the appropriate Kinesis APIs.",
    ),
}


@dataclass(slots=True)
class StreamCounts:
    """What became of the records of a delivery stream, in the function and on the way to S3.

    `transformed` includes the records that the function dropped; `rows` are the records that
    the function returned for S3, of which `unpartitioned` failed.
    """

    read: int = 0
    transformed: int = 0
    transform_failed: int = 0
    lost_before_transform: int = 0
    rows: int = 0
    unpartitioned: int = 0
    lost_before_delivery: int = 0


class DeliveryStream:
    """A delivery stream's state in memory; all of it is gone when it is deleted, as on AWS."""

    def __init__(self, cloud: Cloud, source: KinesisSource) -> None:
        self._cloud = cloud
        self._telemetry = Telemetry(cloud)
        self._source = source
        self._batches = LambdaBatches(cloud)
        self._buffers = PartitionBuffers()
        self._delivery = S3Delivery(cloud, self._telemetry)
        self._settings: Settings | None = None
        self._kinesis_failures = 0
        self._poll_at = 0.0
        self._waits_for_poll = False
        self.counts = StreamCounts()

    @property
    def delivered_rows(self) -> int:
        """The number of rows in S3."""
        return self._delivery.delivered_rows

    def restart(self) -> None:
        """Lose what is in memory, and read again what S3 has not accepted."""
        stages = (self._batches, self._buffers, self._delivery)
        arrivals = [stage.oldest_arrival for stage in stages]
        self.counts.lost_before_transform += len(self._batches)
        self.counts.lost_before_delivery += self._buffers.row_count + self._delivery.row_count
        self._batches = LambdaBatches(self._cloud)
        self._buffers = PartitionBuffers()
        self._delivery.clear()
        undelivered = [arrived_at for arrived_at in arrivals if arrived_at is not None]
        self._source.restart(min(undelivered, default=None))
        self._poll_at = 0.0

    def tick(self, settings: Settings) -> bool:
        """Read, transform and deliver what is due, and return whether anything happened."""
        self._settings = settings
        has_read = self._may_read(settings) and self._read(settings)
        has_transformed = self._transform(settings)
        self._delivery.add(self._buffers.close_due(settings, self._cloud.clock.now()))
        has_delivered = self._delivery.tick(settings)
        self._telemetry.publish_if_due(settings)
        return has_read or has_transformed or has_delivered

    def next_due_at(self) -> float | None:
        """Return when the next batch, buffer, retry or awaited poll is due."""
        settings = self._settings
        if settings is None:
            return None
        due_times = [
            self._batches.next_due_at(settings.processor),
            self._buffers.next_due_at(settings),
            self._delivery.next_due_at(),
            self._poll_at if self._waits_for_poll else None,
        ]
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def _may_read(self, settings: Settings) -> bool:
        """Return whether to poll now; only for the time is it worth waiting, not for memory."""
        has_memory = self._free_memory(settings)
        self._waits_for_poll = has_memory and self._cloud.clock.now() < self._poll_at
        return has_memory and not self._waits_for_poll

    def _free_memory(self, settings: Settings) -> bool:
        """Close the largest buffers while memory is full; return whether that was enough."""
        while len(self._buffers) and self._memory_bytes() > MAX_MEMORY_BYTES:
            self._delivery.add([self._buffers.close_largest(settings)])
        return self._memory_bytes() <= MAX_MEMORY_BYTES

    def _memory_bytes(self) -> int:
        return self._batches.total_bytes + self._buffers.total_bytes + self._delivery.total_bytes

    def _read(self, settings: Settings) -> bool:
        """Read new records from Kinesis, and return whether there were any."""
        read_count = 0
        self._poll_at = self._cloud.clock.now() + POLL_SECONDS
        try:
            for records in self._source.read_batches():
                self._add_records(records)
                read_count += len(records)
            self._kinesis_failures = 0
            if self._source.has_backlog:
                self._poll_at -= POLL_SECONDS
            self._telemetry.raise_to("KinesisMillisBehindLatest", self._source.millis_behind)
        except (BotoCoreError, ClientError) as error:
            self._kinesis_failures += 1
            if should_log(self._kinesis_failures):
                code = error_code(error)
                reason = KINESIS_ERRORS.get(code, (f"Kinesis.{code}", str(error)))
                self._telemetry.log_error(settings, *reason)
        return read_count > 0

    def _add_records(self, records: list[SourceRecord]) -> None:
        self._batches.add(records)
        self.counts.read += len(records)
        self._telemetry.add("IncomingRecords", len(records))
        self._telemetry.add("DataReadFromKinesisStream.Records", len(records))
        self._telemetry.add("IncomingBytes", sum(len(record.data) for record in records))

    def _transform(self, settings: Settings) -> bool:
        """Invoke the function for the batches that are due, and return whether there were any."""
        if settings.processor is None:
            records = self._batches.take_all()
            rows = [Row(record.data, (), record.arrived_at) for record in records]
            self._route(settings, BatchResult(tuple(rows), attempts=1))
            return bool(rows)
        has_invoked = False
        for result in self._batches.invoke_due(settings, settings.processor):
            has_invoked = True
            self._telemetry.add("ExecuteProcessing.Success", int(result is not None))
            if result is not None:
                self._route(settings, result)
        return has_invoked

    def _route(self, settings: Settings, batch: BatchResult) -> None:
        """Add a batch's rows to their buffers, and its failures to error objects."""
        now = self._cloud.clock.now()
        rows = [result for result in batch.results if isinstance(result, Row)]
        failures = [result for result in batch.results if isinstance(result, Failure)]
        overflow = [failure for row in rows if (failure := self._buffers.add(settings, row, now))]
        self._count(batch, len(rows), failures, len(overflow))
        failures += overflow
        self._delivery.add(error_objects(settings, failures, batch.attempts, now))
        for code, message in sorted({(failure.code, failure.message) for failure in failures}):
            self._telemetry.log_error(settings, code, message)

    def _count(
        self, batch: BatchResult, row_count: int, failures: Sequence[Failure], overflow_count: int
    ) -> None:
        lambda_failures = sum(failure.code.startswith("Lambda.") for failure in failures)
        unpartitioned = len(failures) - lambda_failures
        self.counts.transform_failed += lambda_failures
        self.counts.transformed += len(batch.results) - lambda_failures
        self.counts.rows += row_count + unpartitioned
        self.counts.unpartitioned += unpartitioned + overflow_count
        self._telemetry.add("SucceedProcessing.Records", row_count)
        self._telemetry.raise_to("PartitionCount", len(self._buffers))
        self._telemetry.raise_to("PartitionCountExceeded", int(overflow_count > 0))
