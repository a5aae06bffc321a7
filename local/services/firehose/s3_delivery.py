"""Objects on their way into S3: none is given up, whatever S3 says."""

from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, Settings
from local.services.firehose.logs_and_metrics import Report, code_of, worth_a_line
from local.services.firehose.partition_buffers import S3Object

RETRY, LONGEST_RETRY = 5.0, 300.0  # seconds
PATIENCE = 8  # failed attempts in a row, after which nobody waits for S3; each step tries again
ERRORS = {
    "AccessDenied": (
        "S3.AccessDenied",
        "Access was denied. Ensure that the trust policy for the provided IAM role allows Kinesis "
        "Data Firehose to assume the role, and the access policy allows access to the S3 bucket.",
    ),
    "NoSuchBucket": (
        "S3.NoSuchBucket",
        "The specified bucket does not exist. Create the bucket or use a different bucket that "
        "does exist.",
    ),
}


class Delivery:
    """The objects of one delivery stream that are not in S3 yet."""

    def __init__(self, cloud: Cloud, report: Report) -> None:
        self._cloud = cloud
        self._report = report
        self._objects: list[S3Object] = []
        self._retry_at = 0.0
        self._failures = 0
        self.delivered = 0

    @property
    def size(self) -> int:
        """The bytes of the objects that wait."""
        return sum(len(each.body) for each in self._objects)

    @property
    def rows(self) -> int:
        """The rows of the objects that wait; an error object has none."""
        return sum(0 if each.failed else each.records for each in self._objects)

    @property
    def oldest(self) -> float | None:
        """When the oldest record of the objects that wait arrived; None if there is none."""
        return min((each.arrived for each in self._objects), default=None)

    def forget(self) -> None:
        """Let go of the objects that wait."""
        self._objects.clear()
        self._retry_at, self._failures = 0.0, 0

    def add(self, objects: Iterable[S3Object]) -> None:
        """Take over objects."""
        self._objects += objects

    def due(self) -> float | None:
        """Return when S3 is tried again; None when there is nothing or nobody waits for it."""
        return self._retry_at if self._objects and self._failures < PATIENCE else None

    def tick(self, of: Settings) -> bool:
        """Write the objects that wait, and return whether one is written."""
        now = self._cloud.clock.now()
        if not self._objects or (self._failures < PATIENCE and now < self._retry_at):
            return False
        errors, waiting = [], list(self._objects)
        for each in waiting:
            if (error := self._error(of, each)) is not None:
                errors.append(error)
        self._note(of, errors)
        return len(errors) < len(waiting)

    def _error(self, of: Settings, each: S3Object) -> BotoCoreError | ClientError | None:
        """Write one object, and return what S3 had against it."""
        encoding = {"ContentEncoding": "gzip"} if each.gzip else {}
        s3 = self._cloud.client("s3", of.role, PRINCIPAL)
        try:
            s3.get_bucket_location(Bucket=of.bucket)  # Firehose looks first where it writes.
            s3.put_object(
                Bucket=of.bucket,
                Key=each.key,
                Body=each.body,
                ContentType="application/octet-stream",
                **encoding,
            )
        except (BotoCoreError, ClientError) as error:
            return error
        self._objects.remove(each)
        self._count(each)
        return None

    def _count(self, each: S3Object) -> None:
        self.delivered += 0 if each.failed else each.records
        age = max(0.0, self._cloud.clock.now() - each.arrived)
        self._report.count("DeliveryToS3.Records", each.records)
        self._report.count("DeliveryToS3.Bytes", each.size)
        self._report.count("DeliveryToS3.ObjectCount")
        self._report.peak("DeliveryToS3.DataFreshness", age)

    def _note(self, of: Settings, errors: list[BotoCoreError | ClientError]) -> None:
        """Set back-off, metrics and log by how an attempt went."""
        self._failures = self._failures + 1 if errors else 0
        wait = min(RETRY * 2 ** (self._failures - 1), LONGEST_RETRY) if errors else 0
        self._retry_at = self._cloud.clock.now() + wait
        if errors and not worth_a_line(self._failures):
            return
        for code, message in sorted({_reason(error) for error in errors}):
            self._report.error(of, code, message)
        self._report.count("DeliveryToS3.Success", int(not errors))
        self._report.publish(of)


def _reason(error: BotoCoreError | ClientError) -> tuple[str, str]:
    return ERRORS.get(code_of(error), ("S3.InternalError", str(error)))
