"""S3 delivery: writes objects, and retries each until S3 accepts it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, Settings
from local.services.firehose.logs_and_metrics import Telemetry, error_code, should_log
from local.services.firehose.partition_buffers import S3Object

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 300.0
# After so many failures in a row no retry counts as due, so that an idle cloud need not wait for
# S3 forever; each tick still retries.
MAX_FAILURES_BEFORE_IDLE = 8
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


class S3Delivery:
    """The objects of one delivery stream that are not in S3 yet."""

    def __init__(self, cloud: Cloud, telemetry: Telemetry) -> None:
        self._cloud = cloud
        self._telemetry = telemetry
        self._objects: list[S3Object] = []
        self._retry_at = 0.0
        self._failures = 0
        self.delivered_rows = 0

    @property
    def total_bytes(self) -> int:
        """The size of the waiting objects."""
        return sum(len(s3_object.body) for s3_object in self._objects)

    @property
    def row_count(self) -> int:
        """The number of rows in the waiting objects; an error object has none."""
        return sum(s3_object.row_count for s3_object in self._objects)

    @property
    def oldest_arrival(self) -> float | None:
        """When the oldest record in the waiting objects arrived; None if there is no object."""
        return min((s3_object.oldest_arrival for s3_object in self._objects), default=None)

    def clear(self) -> None:
        """Drop the waiting objects."""
        self._objects.clear()
        self._retry_at = 0.0
        self._failures = 0

    def add(self, objects: Iterable[S3Object]) -> None:
        """Add objects to be written."""
        self._objects += objects

    def next_due_at(self) -> float | None:
        """Return when to retry; None without objects, or after too many failures in a row."""
        is_idle = self._failures >= MAX_FAILURES_BEFORE_IDLE
        return None if is_idle or not self._objects else self._retry_at

    def tick(self, settings: Settings) -> bool:
        """Write the waiting objects, and return whether one was written."""
        next_due_at = self.next_due_at()
        is_early = next_due_at is not None and self._cloud.clock.now() < next_due_at
        if is_early or not self._objects:
            return False
        objects = list(self._objects)
        results = [self._write(settings, s3_object) for s3_object in objects]
        errors = [error for error in results if error is not None]
        self._record_attempt(settings, errors)
        return len(errors) < len(objects)

    def _write(self, settings: Settings, s3_object: S3Object) -> BotoCoreError | ClientError | None:
        """Write one object, and return the error if it failed."""
        s3: S3Client = self._cloud.client("s3", settings.role_arn, PRINCIPAL)
        encoding: dict[str, Any] = {"ContentEncoding": "gzip"} if s3_object.is_gzip else {}
        try:
            s3.get_bucket_location(Bucket=settings.bucket)  # Firehose calls it before it writes.
            s3.put_object(
                Bucket=settings.bucket,
                Key=s3_object.key,
                Body=s3_object.body,
                ContentType="application/octet-stream",
                **encoding,
            )
        except (BotoCoreError, ClientError) as error:
            return error
        self._objects.remove(s3_object)
        self._count(s3_object)
        return None

    def _count(self, s3_object: S3Object) -> None:
        self.delivered_rows += s3_object.row_count
        age = max(0.0, self._cloud.clock.now() - s3_object.oldest_arrival)
        self._telemetry.add("DeliveryToS3.Records", s3_object.record_count)
        self._telemetry.add("DeliveryToS3.Bytes", s3_object.content_bytes)
        self._telemetry.add("DeliveryToS3.ObjectCount")
        self._telemetry.raise_to("DeliveryToS3.DataFreshness", age)

    def _record_attempt(
        self, settings: Settings, errors: list[BotoCoreError | ClientError]
    ) -> None:
        """Update the backoff, the log and the metrics after an attempt."""
        self._failures = self._failures + 1 if errors else 0
        backoff = min(RETRY_SECONDS * 2 ** (self._failures - 1), MAX_RETRY_SECONDS)
        self._retry_at = self._cloud.clock.now() + (backoff if errors else 0)
        if errors and not should_log(self._failures):
            return
        for code, message in sorted({_reason(error) for error in errors}):
            self._telemetry.log_error(settings, code, message)
        self._telemetry.add("DeliveryToS3.Success", int(not errors))
        self._telemetry.publish(settings)


def _reason(error: BotoCoreError | ClientError) -> tuple[str, str]:
    return ERRORS.get(error_code(error), ("S3.InternalError", str(error)))
