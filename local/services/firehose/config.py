"""A delivery stream's configuration, as DescribeDeliveryStream gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from local.services.firehose.s3_prefix import lambda_keys
from local.services.firehose.validation import parameters, partitioned, time_zone

PRINCIPAL = "firehose.amazonaws.com"
MIB = 1024 * 1024
EXTENSIONS = {"UNCOMPRESSED": "", "GZIP": ".gz"}


@dataclass(frozen=True, slots=True)
class Transform:
    """The Lambda processor: which function, as whom, and how records gather for it."""

    function: str
    role: str
    retries: int
    size: int
    interval: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the delivery of one stream depends on; sizes are in bytes."""

    name: str
    arn: str
    version: str
    source: str
    role: str
    bucket: str
    prefix: str
    error_prefix: str
    partition_keys: tuple[str, ...] | None
    size: int
    interval: float
    gzip: bool
    extension: str
    zone: tzinfo
    log: tuple[str, str] | None
    transform: Transform | None


def settings(description: Mapping[str, Any]) -> Settings:
    """Return what a DeliveryStreamDescription says; `partition_keys` is None without them."""
    source = description["Source"]["KinesisStreamSourceDescription"]
    target = description["Destinations"][0]["ExtendedS3DestinationDescription"]
    hints, compression = target["BufferingHints"], target["CompressionFormat"]
    prefix = target.get("Prefix", "")
    return Settings(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        version=description["VersionId"],
        source=source["KinesisStreamARN"],
        role=target["RoleARN"],
        bucket=target["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=target.get("ErrorOutputPrefix", ""),
        partition_keys=lambda_keys(prefix) if partitioned(target) else None,
        size=hints["SizeInMBs"] * MIB,
        interval=hints["IntervalInSeconds"],
        gzip=compression == "GZIP",
        extension=target.get("FileExtension") or EXTENSIONS[compression],
        zone=time_zone(target.get("CustomTimeZone", "UTC")),
        log=_log(target["CloudWatchLoggingOptions"]),
        transform=_transform(target["ProcessingConfiguration"]),
    )


def _log(options: Mapping[str, Any]) -> tuple[str, str] | None:
    if not options["Enabled"]:
        return None
    return options["LogGroupName"], options["LogStreamName"]


def _transform(processing: Mapping[str, Any]) -> Transform | None:
    if not processing["Enabled"]:
        return None
    given = parameters(processing["Processors"][0])
    arn = given["LambdaArn"]
    # Firehose calls a function by a qualified ARN, and its role must allow that.
    qualified = arn if arn.split(":function:")[-1].count(":") else f"{arn}:$LATEST"
    return Transform(
        function=qualified,
        role=given["RoleArn"],
        retries=int(given["NumberOfRetries"]),
        size=int(float(given["BufferSizeInMBs"]) * MIB),
        interval=float(given["BufferIntervalInSeconds"]),
    )
