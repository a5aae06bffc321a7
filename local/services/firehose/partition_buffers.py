"""Partition buffers: rows that wait for S3 by partition, and the objects made of them."""

import gzip
import json
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local.services.firehose.config import Settings
from local.services.firehose.lambda_transform import Failure, Row
from local.services.firehose.s3_prefix import (
    MAX_EVALUATED_LENGTH,
    PrefixContext,
    evaluate_error_prefix,
    evaluate_prefix,
)

MAX_ACTIVE_PARTITIONS = 500
TOO_MANY_PARTITIONS = (
    "DynamicPartitioning.ActivePartitionsLimitExceeded",
    "The number of active partitions has exceeded the limit.",
)
PREFIX_TOO_LONG = (
    "DynamicPartitioning.MetadataExtractionFailed",
    f"Length of evaluated prefix cannot be greater than {MAX_EVALUATED_LENGTH}",
)
DEFAULT_ERROR_TYPE = "processing-failed"
ERROR_TYPES = {TOO_MANY_PARTITIONS[0]: "activePartitionExceeded"}


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object to be written; its key stays the same on every retry."""

    key: str
    body: bytes = field(repr=False)
    is_gzip: bool
    record_count: int
    content_bytes: int
    oldest_arrival: float
    is_error: bool

    @property
    def row_count(self) -> int:
        """The number of rows; an error object has none."""
        return 0 if self.is_error else self.record_count


@dataclass(slots=True)
class Buffer:
    """The rows of one partition since its last object."""

    opened_at: float
    oldest_arrival: float
    total_bytes: int = 0
    rows: list[bytes] = field(default_factory=list)


class PartitionBuffers:
    """The active partitions of a delivery stream."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, ...], Buffer] = {}

    def __len__(self) -> int:
        return len(self._buffers)

    @property
    def total_bytes(self) -> int:
        """The size of all rows."""
        return sum(buffer.total_bytes for buffer in self._buffers.values())

    @property
    def row_count(self) -> int:
        """The number of all rows."""
        return sum(len(buffer.rows) for buffer in self._buffers.values())

    @property
    def oldest_arrival(self) -> float | None:
        """When the oldest row's record arrived; None if there is no row."""
        return min((buffer.oldest_arrival for buffer in self._buffers.values()), default=None)

    def add(self, settings: Settings, row: Row, now: float) -> Failure | None:
        """Add a row to its buffer, or return why it has no buffer."""
        buffer = self._buffers.get(row.partition)
        if buffer is None:
            if len(self._buffers) >= MAX_ACTIVE_PARTITIONS:
                return Failure(*TOO_MANY_PARTITIONS, row.data, row.arrived_at)
            if len(_prefix(settings, row.partition, row.arrived_at)) > MAX_EVALUATED_LENGTH:
                return Failure(*PREFIX_TOO_LONG, row.data, row.arrived_at)
            buffer = Buffer(opened_at=now, oldest_arrival=row.arrived_at)
            self._buffers[row.partition] = buffer
        buffer.rows.append(row.data)
        buffer.total_bytes += len(row.data)
        buffer.oldest_arrival = min(buffer.oldest_arrival, row.arrived_at)
        return None

    def close_due(self, settings: Settings, now: float) -> Iterator[S3Object]:
        """Close each buffer that is full or whose interval is over, and yield its object."""
        for partition, buffer in list(self._buffers.items()):
            is_full = buffer.total_bytes >= settings.buffer_bytes
            if is_full or now >= buffer.opened_at + settings.buffer_seconds:
                yield self._close(settings, partition)

    def close_largest(self, settings: Settings) -> S3Object:
        """Close the largest buffer early, and return its object."""
        largest = max(self._buffers, key=lambda partition: self._buffers[partition].total_bytes)
        return self._close(settings, largest)

    def next_due_at(self, settings: Settings) -> float | None:
        """Return when the interval of the oldest buffer is over; None if there is no buffer."""
        opened_at = min((buffer.opened_at for buffer in self._buffers.values()), default=None)
        return None if opened_at is None else opened_at + settings.buffer_seconds

    def _close(self, settings: Settings, partition: tuple[str, ...]) -> S3Object:
        buffer = self._buffers.pop(partition)
        content = b"".join(buffer.rows)  # Firehose adds no delimiter between records.
        prefix = _prefix(settings, partition, buffer.oldest_arrival)
        name = _object_name(settings, buffer.oldest_arrival)
        return S3Object(
            key=prefix + name + settings.file_extension,
            body=gzip.compress(content, 6) if settings.uses_gzip else content,
            is_gzip=settings.uses_gzip,
            record_count=len(buffer.rows),
            content_bytes=buffer.total_bytes,
            oldest_arrival=buffer.oldest_arrival,
            is_error=False,
        )


def error_objects(
    settings: Settings, failures: Sequence[Failure], attempts: int, ended_at: float
) -> list[S3Object]:
    """Return the objects for the failed records of one batch, with one document per record."""
    failures_by_type: dict[str, list[Failure]] = {}
    for failure in failures:
        error_type = ERROR_TYPES.get(failure.code, DEFAULT_ERROR_TYPE)
        failures_by_type.setdefault(error_type, []).append(failure)
    return [
        _error_object(settings, error_type, typed_failures, attempts, ended_at)
        for error_type, typed_failures in failures_by_type.items()
    ]


def _error_object(
    settings: Settings,
    error_type: str,
    failures: Sequence[Failure],
    attempts: int,
    ended_at: float,
) -> S3Object:
    oldest_arrival = min(failure.arrived_at for failure in failures)
    context = PrefixContext(_local_time(settings, oldest_arrival), error_type=error_type)
    prefix = evaluate_error_prefix(settings.error_prefix, context)
    documents = [_error_document(settings, failure, attempts, ended_at) for failure in failures]
    body = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    return S3Object(
        key=prefix + _object_name(settings, oldest_arrival),
        body=body,
        is_gzip=False,
        record_count=len(failures),
        content_bytes=len(body),
        oldest_arrival=oldest_arrival,
        is_error=True,
    )


def _error_document(
    settings: Settings, failure: Failure, attempts: int, ended_at: float
) -> Mapping[str, object]:
    """Return the error document of one record, with the field names of the service."""
    document: dict[str, object] = {
        "rawData": b64encode(failure.raw_data).decode(),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptsMade": attempts,
        "arrivalTimestamp": int(failure.arrived_at * 1000),
        "attemptEndingTimestamp": int(ended_at * 1000),
    }
    if settings.processor and failure.code.startswith("Lambda."):
        document["lambdaARN"] = settings.processor.function_arn
    return document


def _prefix(settings: Settings, partition: tuple[str, ...], arrived_at: float) -> str:
    partition_keys = dict(zip(settings.partition_keys or (), partition, strict=True))
    context = PrefixContext(_local_time(settings, arrived_at), partition_keys)
    return evaluate_prefix(settings.prefix, context)


def _object_name(settings: Settings, arrived_at: float) -> str:
    time = _local_time(settings, arrived_at)
    return f"{settings.name}-{settings.version}-{time:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"


def _local_time(settings: Settings, timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, settings.time_zone)
