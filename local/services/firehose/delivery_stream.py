"""One delivery stream at work: from Kinesis through the Lambda function into objects in S3."""

from collections import Counter

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import Settings
from local.services.firehose.kinesis_source import Source, SourceRecord
from local.services.firehose.lambda_batches import Batches, Transformed
from local.services.firehose.lambda_transform import Failure, Row
from local.services.firehose.logs_and_metrics import Report, code_of, worth_a_line
from local.services.firehose.partition_buffers import Buffers, error_objects
from local.services.firehose.s3_delivery import Delivery

MEMORY = 256 * 1024 * 1024  # bytes held; beyond, buffers leave early or reading waits for S3
POLL_SECONDS = 1.0  # between two looks into a shard, as on AWS; a backlog is read without a pause
KINESIS_ERRORS = {
    "AccessDeniedException": (
        "Kinesis.AccessDenied",
        "Access was denied when calling Kinesis. Ensure the access policy on the IAM role used "
        "allows access to the appropriate Kinesis APIs.",
    ),
}


class DeliveryStream:
    """What a delivery stream holds; all of it is gone when it is deleted, as on AWS."""

    def __init__(self, cloud: Cloud, source: Source) -> None:
        self._cloud = cloud
        self._report = Report(cloud)
        self._source = source
        self._batches = Batches(cloud)
        self._buffers = Buffers()
        self._delivery = Delivery(cloud, self._report)
        self._settings: Settings | None = None
        self._kinesis_failures = 0
        self._poll_at = 0.0
        self._poll_awaited = False
        self.totals: Counter[str] = Counter()

    @property
    def delivered(self) -> int:
        """The rows that are in S3."""
        return self._delivery.delivered

    def restart(self) -> None:
        """Lose what is held in memory, and read it again: all that S3 has not acknowledged."""
        holders = (self._batches, self._buffers, self._delivery)
        held = [holder.oldest for holder in holders if holder.oldest is not None]
        self.totals["unanswered"] += len(self._batches)
        self.totals["unwritten"] += self._buffers.rows + self._delivery.rows
        self._batches, self._buffers = Batches(self._cloud), Buffers()
        self._delivery.forget()
        self._source.restart(min(held, default=None))
        self._poll_at = 0.0

    def tick(self, of: Settings) -> bool:
        """Read, transform and deliver what is due, and return whether anything moved."""
        self._settings = of
        read = self._may_read(of) and self._read(of)
        transformed = self._transform(of)
        self._delivery.add(self._buffers.sealed(of, self._cloud.clock.now()))
        return any((read, transformed, self._delivery.tick(of)))

    def next_due_at(self) -> float | None:
        """Return when the next buffer, interval or retry is due; None when nothing is held."""
        of = self._settings
        if of is None:
            return None
        due = [self._batches.due(of.transform), self._buffers.due(of), self._delivery.due()]
        due += [self._poll_at] if self._poll_awaited else []
        return min((at for at in due if at is not None), default=None)

    def _may_read(self, of: Settings) -> bool:
        """Return whether there is room and it is time; only the time is worth waiting for."""
        self._poll_awaited = False
        if not self._room(of):
            return False
        self._poll_awaited = self._cloud.clock.now() < self._poll_at
        return not self._poll_awaited

    def _room(self, of: Settings) -> bool:
        """Return whether more may be read; without room, the fullest buffers leave early."""
        held = self._batches.size + self._delivery.size
        while len(self._buffers) and held + self._buffers.size > MEMORY:
            self._delivery.add([self._buffers.fullest(of)])
            held = self._batches.size + self._delivery.size
        return held + self._buffers.size <= MEMORY

    def _read(self, of: Settings) -> bool:
        """Take what is new in Kinesis, and return whether there was any."""
        read = 0
        self._poll_at = self._cloud.clock.now() + POLL_SECONDS
        try:
            for records in self._source.batches():
                self._keep(records)
                read += len(records)
            self._kinesis_failures = 0
            self._poll_at -= POLL_SECONDS if self._source.backlog else 0
            self._report.peak("KinesisMillisBehindLatest", self._source.behind)
        except (BotoCoreError, ClientError) as error:
            self._kinesis_failures += 1
            if worth_a_line(self._kinesis_failures):
                code = code_of(error)
                reason = KINESIS_ERRORS.get(code, (f"Kinesis.{code}", str(error)))
                self._report.error(of, *reason)
        return read > 0

    def _keep(self, records: list[SourceRecord]) -> None:
        self._batches.add(records)
        self.totals["read"] += len(records)
        self._report.count("IncomingRecords", len(records))
        self._report.count("DataReadFromKinesisStream.Records", len(records))
        self._report.count("IncomingBytes", sum(len(record.data) for record in records))

    def _transform(self, of: Settings) -> bool:
        """Bring the batches that are due through the function, and return whether any was."""
        if of.transform is None:
            rows = [Row(each.data, (), each.arrived) for each in self._batches.untouched()]
            self._sort(of, Transformed(tuple(rows), 1))
            return bool(rows)
        worked = False
        for result in self._batches.transformed(of, of.transform):
            worked = True
            self._report.count("ExecuteProcessing.Success", int(result is not None))
            if result is not None:
                self._sort(of, result)
        return worked

    def _sort(self, of: Settings, batch: Transformed) -> None:
        """Put a batch's rows into their buffers, and what failed into error objects."""
        now = self._cloud.clock.now()
        rows = [result for result in batch.results if isinstance(result, Row)]
        failed = [result for result in batch.results if isinstance(result, Failure)]
        overflow = [refused for row in rows if (refused := self._buffers.add(of, row, now))]
        self._count(batch, len(rows), failed, len(overflow))
        failed += overflow
        self._delivery.add(error_objects(of, failed, batch.attempts, now))
        for code, message in sorted({(failure.code, failure.message) for failure in failed}):
            self._report.error(of, code, message)

    def _count(self, batch: Transformed, rows: int, failed: list[Failure], overflow: int) -> None:
        in_lambda = sum(failure.code.startswith("Lambda.") for failure in failed)
        self.totals["untransformed"] += in_lambda
        self.totals["transformed"] += len(batch.results) - in_lambda
        self.totals["rows"] += rows + len(failed) - in_lambda
        self.totals["unpartitioned"] += len(failed) - in_lambda + overflow
        self._report.count("SucceedProcessing.Records", rows)
        self._report.peak("PartitionCount", len(self._buffers))
        self._report.peak("PartitionCountExceeded", int(overflow > 0))
