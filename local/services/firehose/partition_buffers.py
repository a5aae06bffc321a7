"""Rows on their way to S3: a buffer for each partition, and the objects that they become."""

import gzip
import json
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local.services.firehose.config import Settings
from local.services.firehose.lambda_transform import Failure, Row
from local.services.firehose.s3_prefix import EVALUATED_LIMIT, Scope, evaluated, evaluated_error

ACTIVE_PARTITIONS = 500
TOO_MANY = (
    "DynamicPartitioning.ActivePartitionsLimitExceeded",
    "The number of active partitions has exceeded the limit.",
)
TOO_LONG = (
    "DynamicPartitioning.MetadataExtractionFailed",
    f"Length of evaluated prefix cannot be greater than {EVALUATED_LIMIT}",
)
ERROR_TYPES = {TOO_MANY[0]: "activePartitionExceeded"}  # All other codes: processing-failed.


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object to be written; it keeps its key however often that takes."""

    key: str
    body: bytes = field(repr=False)
    gzip: bool
    records: int
    size: int
    arrived: float
    failed: bool


@dataclass(slots=True)
class Buffer:
    """The rows of one partition since the last object of it."""

    opened: float
    arrived: float
    size: int = 0
    rows: list[bytes] = field(default_factory=list)


class Buffers:
    """The active partitions of a delivery stream."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, ...], Buffer] = {}

    def __len__(self) -> int:
        return len(self._buffers)

    @property
    def size(self) -> int:
        """The bytes of all rows."""
        return sum(buffer.size for buffer in self._buffers.values())

    @property
    def rows(self) -> int:
        """The number of all rows."""
        return sum(len(buffer.rows) for buffer in self._buffers.values())

    @property
    def oldest(self) -> float | None:
        """When the oldest row's record arrived; None if there is none."""
        return min((buffer.arrived for buffer in self._buffers.values()), default=None)

    def add(self, of: Settings, row: Row, now: float) -> Failure | None:
        """Keep a row, or return why it cannot be kept."""
        buffer = self._buffers.get(row.partition)
        if buffer is None:
            if len(self._buffers) >= ACTIVE_PARTITIONS:
                return Failure(*TOO_MANY, row.data, row.arrived)
            if len(_prefix(of, row.partition, row.arrived)) > EVALUATED_LIMIT:
                return Failure(*TOO_LONG, row.data, row.arrived)
            buffer = self._buffers[row.partition] = Buffer(opened=now, arrived=row.arrived)
        buffer.rows.append(row.data)
        buffer.size += len(row.data)
        buffer.arrived = min(buffer.arrived, row.arrived)
        return None

    def sealed(self, of: Settings, now: float) -> Iterator[S3Object]:
        """Yield an object for each buffer that is full or has waited long enough."""
        for partition, buffer in list(self._buffers.items()):
            if buffer.size >= of.size or now >= buffer.opened + of.interval:
                yield self._seal(of, partition)

    def fullest(self, of: Settings) -> S3Object:
        """Return an object of the rows of the largest buffer, before their time."""
        return self._seal(of, max(self._buffers, key=lambda key: self._buffers[key].size))

    def due(self, of: Settings) -> float | None:
        """Return when the oldest buffer has waited long enough; None if there is none."""
        opened = [buffer.opened for buffer in self._buffers.values()]
        return min(opened) + of.interval if opened else None

    def _seal(self, of: Settings, partition: tuple[str, ...]) -> S3Object:
        buffer = self._buffers.pop(partition)
        content = b"".join(buffer.rows)  # Verbatim: Firehose puts nothing between records.
        return S3Object(
            key=_prefix(of, partition, buffer.arrived) + _name(of, buffer.arrived) + of.extension,
            body=gzip.compress(content, 6) if of.gzip else content,
            gzip=of.gzip,
            records=len(buffer.rows),
            size=buffer.size,
            arrived=buffer.arrived,
            failed=False,
        )


def error_objects(
    of: Settings, failed: Sequence[Failure], attempts: int, ended: float
) -> list[S3Object]:
    """Return the objects that keep the failed records of one batch, a document for each record."""
    kinds: dict[str, list[Failure]] = {}
    for failure in failed:
        kind = ERROR_TYPES.get(failure.code, "processing-failed")
        kinds.setdefault(kind, []).append(failure)
    return [_error_object(of, kind, each, (attempts, ended)) for kind, each in kinds.items()]


def _error_object(
    of: Settings, kind: str, failed: Sequence[Failure], tries: tuple[int, float]
) -> S3Object:
    arrived = min(failure.arrived for failure in failed)
    prefix = evaluated_error(of.error_prefix, Scope(_local(of, arrived), error_type=kind))
    lines = [json.dumps(_document(of, failure, *tries)).encode() + b"\n" for failure in failed]
    return S3Object(
        key=prefix + _name(of, arrived),
        body=b"".join(lines),
        gzip=False,
        records=len(failed),
        size=sum(map(len, lines)),
        arrived=arrived,
        failed=True,
    )


def _document(of: Settings, failure: Failure, attempts: int, ended: float) -> Mapping[str, object]:
    """Return the error document of one record, spelt as the service spells it."""
    document: dict[str, object] = {
        "rawData": b64encode(failure.raw).decode(),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptsMade": attempts,
        "arrivalTimestamp": int(failure.arrived * 1000),
        "attemptEndingTimestamp": int(ended * 1000),
    }
    if of.transform and failure.code.startswith("Lambda."):
        document["lambdaARN"] = of.transform.function
    return document


def _prefix(of: Settings, partition: tuple[str, ...], arrived: float) -> str:
    keys = dict(zip(of.partition_keys or (), partition, strict=True))
    return evaluated(of.prefix, Scope(_local(of, arrived), keys))


def _name(of: Settings, arrived: float) -> str:
    return f"{of.name}-{of.version}-{_local(of, arrived):%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"


def _local(of: Settings, moment: float) -> datetime:
    return datetime.fromtimestamp(moment, of.zone)
