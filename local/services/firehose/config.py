"""Configuration of a delivery stream, read from what DescribeDeliveryStream returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from local.services.firehose.s3_prefix import lambda_partition_keys
from local.services.firehose.validation import is_partitioned, processor_parameters, time_zone

PRINCIPAL = "firehose.amazonaws.com"
MIB = 1024 * 1024
FILE_EXTENSIONS = {"UNCOMPRESSED": "", "GZIP": ".gz"}


@dataclass(frozen=True, slots=True)
class LambdaProcessor:
    """The Lambda function of a delivery stream, its role, and how records are batched for it."""

    function_arn: str
    role_arn: str
    max_retries: int
    buffer_bytes: int
    buffer_seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of one delivery stream.

    `partition_keys` is None without dynamic partitioning, `log` (the names of a log group and of
    a stream in it) without logging, `processor` without a Lambda function.
    """

    name: str
    arn: str
    version: str
    source_arn: str
    role_arn: str
    bucket: str
    prefix: str
    error_prefix: str
    partition_keys: tuple[str, ...] | None
    buffer_bytes: int
    buffer_seconds: float
    uses_gzip: bool
    file_extension: str
    time_zone: tzinfo
    log: tuple[str, str] | None
    processor: LambdaProcessor | None


def parse_settings(description: Mapping[str, Any]) -> Settings:
    """Return the settings in a DeliveryStreamDescription."""
    source = description["Source"]["KinesisStreamSourceDescription"]
    destination = description["Destinations"][0]["ExtendedS3DestinationDescription"]
    hints = destination["BufferingHints"]
    compression = destination["CompressionFormat"]
    prefix = destination.get("Prefix", "")
    return Settings(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        version=description["VersionId"],
        source_arn=source["KinesisStreamARN"],
        role_arn=destination["RoleARN"],
        bucket=destination["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=destination.get("ErrorOutputPrefix", ""),
        partition_keys=lambda_partition_keys(prefix) if is_partitioned(destination) else None,
        buffer_bytes=hints["SizeInMBs"] * MIB,
        buffer_seconds=hints["IntervalInSeconds"],
        uses_gzip=compression == "GZIP",
        file_extension=destination.get("FileExtension") or FILE_EXTENSIONS[compression],
        time_zone=time_zone(destination.get("CustomTimeZone", "UTC")),
        log=_log(destination["CloudWatchLoggingOptions"]),
        processor=_processor(destination["ProcessingConfiguration"]),
    )


def _log(options: Mapping[str, Any]) -> tuple[str, str] | None:
    if not options["Enabled"]:
        return None
    return options["LogGroupName"], options["LogStreamName"]


def _processor(processing: Mapping[str, Any]) -> LambdaProcessor | None:
    if not processing["Enabled"]:
        return None
    parameters = processor_parameters(processing["Processors"][0])
    arn = parameters["LambdaArn"]
    # Firehose invokes a qualified ARN, and its role needs permission for that ARN.
    is_qualified = ":" in arn.split(":function:")[-1]
    return LambdaProcessor(
        function_arn=arn if is_qualified else f"{arn}:$LATEST",
        role_arn=parameters["RoleArn"],
        max_retries=int(parameters["NumberOfRetries"]),
        buffer_bytes=int(float(parameters["BufferSizeInMBs"]) * MIB),
        buffer_seconds=float(parameters["BufferIntervalInSeconds"]),
    )
