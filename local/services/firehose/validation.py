"""Validation of delivery streams in the words of AWS, and the defaults that AWS adds.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
"""

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.core.errors import constraint_violation, not_modelled_message
from local.core.request import AwsError
from local.services.firehose.s3_prefix import LAMBDA_KEY, QUERY_KEY, check_prefixes

DESTINATION = "ExtendedS3DestinationConfiguration"
COMPRESSION_FORMATS = ("ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED")
MODELLED_COMPRESSION_FORMATS = ("UNCOMPRESSED", "GZIP")
HINT_RANGES = {
    ("BufferingHints", "SizeInMBs"): (1, 128),
    ("BufferingHints", "IntervalInSeconds"): (0, 900),
}
RETRY_SECONDS_RANGE = (0, 7200)
LAMBDA_RANGES = {
    "NumberOfRetries": (0, 300, "Number of retries for lambda must be between 0 and 300."),
    "BufferSizeInMBs": (
        0.2,
        3,
        "BufferSizeInMBs for lambda processor must be between 0.2 and 3.",
    ),
    "BufferIntervalInSeconds": (
        0,
        900,
        "BufferIntervalInSeconds for lambda processor must be between 0 and 900.",
    ),
}
DEFAULT_HINTS = {"SizeInMBs": 5, "IntervalInSeconds": 300}
PARTITIONED_HINTS = {"SizeInMBs": 128, "IntervalInSeconds": 300}
REQUIRED_PROCESSORS = {
    QUERY_KEY: (
        "MetadataExtraction",
        f"MetadataExtraction processor should be present when S3 Prefix has {QUERY_KEY} namespace.",
    ),
    LAMBDA_KEY: (
        "Lambda",
        f"Lambda should be present when S3 Prefix contains keys from {LAMBDA_KEY} namespace",
    ),
}

Configuration = Mapping[str, Any]


def check_creation(params: Configuration) -> None:
    """Raise AwsError for a delivery stream that AWS rejects or that is not modelled here."""
    name = params["DeliveryStreamName"]
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name):
        pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise constraint_violation(name, "deliveryStreamName", pattern)
    destinations = [member for member in params if member.endswith("DestinationConfiguration")]
    if len(destinations) != 1:
        raise invalid_argument("Exactly one destination configuration is supported for a Firehose")
    if destinations != [DESTINATION]:
        raise not_modelled(destinations[0])
    _check_source(params)
    check_destination(params[DESTINATION], "extendedS3DestinationConfiguration")


def _check_source(params: Configuration) -> None:
    has_source = "KinesisStreamSourceConfiguration" in params
    stream_type = params.get("DeliveryStreamType", "DirectPut")
    if stream_type != "KinesisStreamAsSource":
        if has_source:
            raise invalid_argument(
                "KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type"
            )
        raise not_modelled(f"DeliveryStreamType={stream_type}")
    if not has_source:
        raise invalid_argument(
            "KinesisSourceStreamConfig is required for KinesisStreamAsSource stream type"
        )


def check_destination(config: Configuration, shape: str) -> None:
    """Raise AwsError for an invalid S3 destination; `shape` is its name in AWS's messages."""
    _check_members(config, shape)
    _check_hints(config.get("BufferingHints") or DEFAULT_HINTS, shape)
    check_prefixes(config.get("Prefix", ""), config.get("ErrorOutputPrefix", ""))
    _check_processing(config.get("ProcessingConfiguration", {}))
    _check_retries(config.get("DynamicPartitioningConfiguration", {}), shape)
    _check_partitioning(config)
    _check_modelled(config)
    logging = config.get("CloudWatchLoggingOptions", {})
    names_its_log = logging.get("LogGroupName") and logging.get("LogStreamName")
    if logging.get("Enabled") and not names_its_log:
        raise invalid_argument(
            "LogGroupName and LogStreamName are required when logging is enabled"
        )


def _check_members(config: Configuration, shape: str) -> None:
    compression = config.get("CompressionFormat", "UNCOMPRESSED")
    if compression not in COMPRESSION_FORMATS:
        constraint = f"Member must satisfy enum value set: [{', '.join(COMPRESSION_FORMATS)}]"
        raise constraint_violation(compression, f"{shape}.compressionFormat", constraint)
    extension = config.get("FileExtension", "")
    pattern = r"^(|\.[0-9a-z!\-_.*'()]+)$"
    if len(extension) > 128 or not re.fullmatch(pattern, extension):
        constraint = f"Member must satisfy regular expression pattern: {pattern}"
        raise constraint_violation(extension, f"{shape}.fileExtension", constraint)
    _check_zone(config.get("CustomTimeZone", "UTC"))


def _check_zone(name: str) -> None:
    try:
        time_zone(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid_argument(f"CustomTimeZone {name} is not a valid time zone") from None


def time_zone(name: str) -> tzinfo:
    """Return a time zone; UTC works on systems without a time zone database too."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _check_modelled(config: Configuration) -> None:
    if config.get("CompressionFormat", "UNCOMPRESSED") not in MODELLED_COMPRESSION_FORMATS:
        raise not_modelled(f"CompressionFormat={config['CompressionFormat']}")
    if config.get("S3BackupMode", "Disabled") != "Disabled":
        raise not_modelled("S3BackupMode=Enabled")
    if config.get("DataFormatConversionConfiguration", {"Enabled": False}).get("Enabled", True):
        raise not_modelled("DataFormatConversionConfiguration")
    for processor in config.get("ProcessingConfiguration", {}).get("Processors", []):
        if processor["Type"] != "Lambda":
            raise not_modelled(f"processor {processor['Type']}")


def _check_hints(hints: Configuration, shape: str) -> None:
    if len(hints) == 1:
        raise invalid_argument(
            "Both BufferingHints.SizeInMBs and BufferingHints.IntervalInSeconds are required"
        )
    for (parent, member), bounds in HINT_RANGES.items():
        path = f"{shape}.{parent[0].lower()}{parent[1:]}.{member[0].lower()}{member[1:]}"
        _check_range(hints[member], bounds, path)


def _check_range(value: int, bounds: tuple[int, int], path: str) -> None:
    minimum, maximum = bounds
    if value < minimum:
        constraint = f"Member must have value greater than or equal to {minimum}"
        raise constraint_violation(value, path, constraint)
    if value > maximum:
        constraint = f"Member must have value less than or equal to {maximum}"
        raise constraint_violation(value, path, constraint)


def _check_processing(processing: Configuration) -> None:
    processors = processing.get("Processors", [])
    if processing.get("Enabled") and not 1 <= len(processors) <= 5:
        raise invalid_argument(
            "A maximum of 5 and a minimum of 1 processor needs to be supplied "
            "when processing is enabled."
        )
    types = [processor["Type"] for processor in processors]
    if types.count("Lambda") > 1:
        raise invalid_argument("Cannot have more than 1 Lambda processor.")
    for processor in processors:
        if processor["Type"] == "Lambda":
            _check_lambda(processor_parameters(processor))


def _check_lambda(parameters: Mapping[str, str]) -> None:
    if not parameters.get("LambdaArn"):
        raise invalid_argument("LambdaArn is required when Lambda processor is used.")
    if ("BufferSizeInMBs" in parameters) != ("BufferIntervalInSeconds" in parameters):
        raise invalid_argument(
            "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure "
            "buffering for lambda processor."
        )
    for name, (minimum, maximum, message) in LAMBDA_RANGES.items():
        if not minimum <= _parse_number(parameters.get(name, str(maximum))) <= maximum:
            raise invalid_argument(message)


def _parse_number(text: str) -> float:
    """Return the number in a parameter; -1, which is outside every range, if it is not one."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1


def _check_retries(partitioning: Configuration, shape: str) -> None:
    seconds = partitioning.get("RetryOptions", {}).get("DurationInSeconds", RETRY_SECONDS_RANGE[0])
    path = f"{shape}.dynamicPartitioningConfiguration.retryOptions.durationInSeconds"
    _check_range(seconds, RETRY_SECONDS_RANGE, path)


def _check_partitioning(config: Configuration) -> None:
    prefix = config.get("Prefix", "")
    processing = config.get("ProcessingConfiguration", {})
    namespaces = "Dynamic Partitioning namespaces"
    condition = "when Dynamic Partitioning is enabled"
    if not is_partitioned(config):
        if "!{partitionKeyFrom" in prefix:
            raise invalid_argument(f"S3 Prefix should only contain {namespaces} {condition}")
        return
    _check_partitioned_hints(config.get("BufferingHints") or PARTITIONED_HINTS)
    if not processing.get("Enabled"):
        raise invalid_argument(
            "Processing Configuration is not enabled when DataPartitioning is enabled"
        )
    if "!{partitionKeyFrom" not in prefix:
        raise invalid_argument(f"S3 Prefix should contain {namespaces} {condition}")
    for namespace, (processor_type, message) in REQUIRED_PROCESSORS.items():
        types = [processor["Type"] for processor in processing["Processors"]]
        if f"!{{{namespace}:" in prefix and processor_type not in types:
            raise invalid_argument(message)


def _check_partitioned_hints(hints: Configuration) -> None:
    if hints["SizeInMBs"] < 64:
        raise invalid_argument(
            "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."
        )
    if hints["IntervalInSeconds"] < 60:
        raise invalid_argument(
            "BufferingHints.IntervalInSeconds must be at least 60 seconds "
            "when Dynamic Partitioning is enabled."
        )


def is_partitioned(config: Configuration) -> bool:
    """Return whether a destination uses dynamic partitioning."""
    return bool(config.get("DynamicPartitioningConfiguration", {}).get("Enabled"))


def check_update(current: Configuration, merged: Configuration) -> None:
    """Raise AwsError for an invalid update; it cannot switch dynamic partitioning."""
    if is_partitioned(current) != is_partitioned(merged):
        verb = "disabled on" if is_partitioned(current) else "enabled on"
        raise invalid_argument(
            f"Dynamic Partitioning cannot be {verb} an existing Firehose; "
            "it can only be configured when the Firehose is created."
        )
    check_destination(merged, "extendedS3DestinationUpdate")


def with_defaults(config: Configuration) -> dict[str, Any]:
    """Return a destination with AWS's defaults; `Enabled` defaults to false."""
    hints = PARTITIONED_HINTS if is_partitioned(config) else DEFAULT_HINTS
    processing = config.get("ProcessingConfiguration", {})
    logging = config.get("CloudWatchLoggingOptions", {})
    role = config["RoleARN"]
    return {
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "S3BackupMode": "Disabled",
        **config,
        "BufferingHints": dict(config.get("BufferingHints") or hints),
        "CloudWatchLoggingOptions": {"Enabled": False, **logging},
        "ProcessingConfiguration": {
            "Enabled": processing.get("Enabled", False),
            "Processors": [
                _lambda_with_defaults(processor, role)
                for processor in processing.get("Processors", [])
            ],
        },
    }


def _lambda_with_defaults(processor: Configuration, role: str) -> dict[str, Any]:
    parameters = {
        "LambdaArn": "",
        "NumberOfRetries": "3",
        "RoleArn": role,
        "BufferSizeInMBs": "1.0",
        "BufferIntervalInSeconds": "60",
        **processor_parameters(processor),
    }
    return {
        "Type": processor["Type"],
        "Parameters": [
            {"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    }


def processor_parameters(processor: Configuration) -> dict[str, str]:
    """Return a processor's parameters by name."""
    return {
        parameter["ParameterName"]: parameter["ParameterValue"]
        for parameter in processor.get("Parameters", [])
    }


def invalid_argument(message: str) -> AwsError:
    """Return the error with which Firehose rejects an argument."""
    return AwsError("InvalidArgumentException", message)


def not_modelled(feature: str) -> AwsError:
    """Return the error for a feature of Firehose that the laptop cloud does not have."""
    return invalid_argument(not_modelled_message(feature))
