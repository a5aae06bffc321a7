"""What Firehose refuses of a delivery stream, in its own words, and what it fills in.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
"""

import re
from collections.abc import Mapping
from datetime import timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local.core.errors import constraint_violation, not_modelled_message
from local.core.request import AwsError
from local.services.firehose.s3_prefix import LAMBDA_KEY, QUERY_KEY, check_prefixes

DESTINATION = "ExtendedS3DestinationConfiguration"
COMPRESSIONS = ("ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED")
MODELLED_COMPRESSIONS = ("UNCOMPRESSED", "GZIP")
RANGES = {
    ("BufferingHints", "SizeInMBs"): (1, 128),
    ("BufferingHints", "IntervalInSeconds"): (0, 900),
}
RETRY_SECONDS = (0, 7200)
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
NEEDED_PROCESSORS = {
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
    """Refuse a delivery stream that Firehose would not create, or that is not modelled here."""
    name = params["DeliveryStreamName"]
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name):
        pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise constraint_violation(name, "deliveryStreamName", pattern)
    given = [member for member in params if member.endswith("DestinationConfiguration")]
    if len(given) != 1:
        raise refusal("Exactly one destination configuration is supported for a Firehose")
    if given != [DESTINATION]:
        raise not_modelled(given[0])
    _check_source(params)
    check_destination(params[DESTINATION], "extendedS3DestinationConfiguration")


def _check_source(params: Configuration) -> None:
    source = "KinesisStreamSourceConfiguration" in params
    if params.get("DeliveryStreamType", "DirectPut") != "KinesisStreamAsSource":
        if source:
            text = (
                "KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type"
            )
            raise refusal(text)
        raise not_modelled(f"DeliveryStreamType={params.get('DeliveryStreamType', 'DirectPut')}")
    if not source:
        text = "KinesisSourceStreamConfig is required for KinesisStreamAsSource stream type"
        raise refusal(text)


def check_destination(config: Configuration, shape: str) -> None:
    """Refuse an S3 destination; `shape` is the name by which AWS calls what holds it."""
    _check_members(config, shape)
    _check_hints(config.get("BufferingHints") or DEFAULT_HINTS, shape)
    check_prefixes(config.get("Prefix", ""), config.get("ErrorOutputPrefix", ""))
    _check_processing(config.get("ProcessingConfiguration", {}))
    _check_retries(config.get("DynamicPartitioningConfiguration", {}), shape)
    _check_partitioning(config)
    _check_modelled(config)
    logging = config.get("CloudWatchLoggingOptions", {})
    if logging.get("Enabled") and not (
        logging.get("LogGroupName") and logging.get("LogStreamName")
    ):
        raise refusal("LogGroupName and LogStreamName are required when logging is enabled")


def _check_members(config: Configuration, shape: str) -> None:
    compression = config.get("CompressionFormat", "UNCOMPRESSED")
    if compression not in COMPRESSIONS:
        wanted = f"Member must satisfy enum value set: [{', '.join(COMPRESSIONS)}]"
        raise constraint_violation(compression, f"{shape}.compressionFormat", wanted)
    extension = config.get("FileExtension", "")
    pattern = r"^(|\.[0-9a-z!\-_.*'()]+)$"
    if len(extension) > 128 or not re.fullmatch(pattern, extension):
        wanted = f"Member must satisfy regular expression pattern: {pattern}"
        raise constraint_violation(extension, f"{shape}.fileExtension", wanted)
    _check_zone(config.get("CustomTimeZone", "UTC"))


def _check_zone(name: str) -> None:
    try:
        time_zone(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise refusal(f"CustomTimeZone {name} is not a valid time zone") from None


def time_zone(name: str) -> tzinfo:
    """Return a time zone; the usual one needs no database, which some systems lack."""
    return timezone.utc if name == "UTC" else ZoneInfo(name)


def _check_modelled(config: Configuration) -> None:
    if config.get("CompressionFormat", "UNCOMPRESSED") not in MODELLED_COMPRESSIONS:
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
        raise refusal(
            "Both BufferingHints.SizeInMBs and BufferingHints.IntervalInSeconds are required"
        )
    for (parent, member), bounds in RANGES.items():
        path = f"{shape}.{parent[0].lower()}{parent[1:]}.{member[0].lower()}{member[1:]}"
        _check_range(hints[member], bounds, path)


def _check_range(value: int, bounds: tuple[int, int], path: str) -> None:
    least, most = bounds
    if not least <= value <= most:
        bound = f"greater than or equal to {least}"
        bound = bound if value < least else f"less than or equal to {most}"
        raise constraint_violation(value, path, f"Member must have value {bound}")


def _check_processing(processing: Configuration) -> None:
    processors = processing.get("Processors", [])
    if processing.get("Enabled") and not 1 <= len(processors) <= 5:
        text = (
            "A maximum of 5 and a minimum of 1 processor needs to be supplied "
            "when processing is enabled."
        )
        raise refusal(text)
    types = [processor["Type"] for processor in processors]
    if types.count("Lambda") > 1:
        raise refusal("Cannot have more than 1 Lambda processor.")
    for processor in processors:
        if processor["Type"] == "Lambda":
            _check_lambda(parameters(processor))


def _check_lambda(given: Mapping[str, str]) -> None:
    if not given.get("LambdaArn"):
        raise refusal("LambdaArn is required when Lambda processor is used.")
    if ("BufferSizeInMBs" in given) != ("BufferIntervalInSeconds" in given):
        text = (
            "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure "
            "buffering for lambda processor."
        )
        raise refusal(text)
    for name, (least, most, text) in LAMBDA_RANGES.items():
        if not least <= _number(given.get(name, str(most))) <= most:
            raise refusal(text)


def _number(text: str) -> float:
    """Return the number that a processor's parameter means; -1, which is never allowed, if none."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1


def _check_retries(partitioning: Configuration, shape: str) -> None:
    seconds = partitioning.get("RetryOptions", {}).get("DurationInSeconds", RETRY_SECONDS[0])
    path = f"{shape}.dynamicPartitioningConfiguration.retryOptions.durationInSeconds"
    _check_range(seconds, RETRY_SECONDS, path)


def _check_partitioning(config: Configuration) -> None:
    prefix, processing = config.get("Prefix", ""), config.get("ProcessingConfiguration", {})
    namespaces, partitioning = "Dynamic Partitioning namespaces", "Dynamic Partitioning is enabled"
    if not partitioned(config):
        if "!{partitionKeyFrom" in prefix:
            raise refusal(f"S3 Prefix should only contain {namespaces} when {partitioning}")
        return
    _check_partitioned_hints(config.get("BufferingHints") or PARTITIONED_HINTS)
    if not processing.get("Enabled"):
        raise refusal("Processing Configuration is not enabled when DataPartitioning is enabled")
    if "!{partitionKeyFrom" not in prefix:
        raise refusal(f"S3 Prefix should contain {namespaces} when {partitioning}")
    for namespace, (kind, text) in NEEDED_PROCESSORS.items():
        kinds = [processor["Type"] for processor in processing["Processors"]]
        if f"!{{{namespace}:" in prefix and kind not in kinds:
            raise refusal(text)


def _check_partitioned_hints(hints: Configuration) -> None:
    if hints["SizeInMBs"] < 64:
        text = "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."
        raise refusal(text)
    if hints["IntervalInSeconds"] < 60:
        text = "BufferingHints.IntervalInSeconds must be at least 60 seconds"
        raise refusal(f"{text} when Dynamic Partitioning is enabled.")


def partitioned(config: Configuration) -> bool:
    """Return whether a destination partitions dynamically."""
    return bool(config.get("DynamicPartitioningConfiguration", {}).get("Enabled"))


def check_update(current: Configuration, merged: Configuration) -> None:
    """Refuse a change of a destination; dynamic partitioning stays as it was created."""
    if partitioned(current) != partitioned(merged):
        verb = "disabled on" if partitioned(current) else "enabled on"
        text = f"Dynamic Partitioning cannot be {verb} an existing Firehose"
        raise refusal(f"{text}; it can only be configured when the Firehose is created.")
    check_destination(merged, "extendedS3DestinationUpdate")


def completed(config: Configuration) -> dict[str, Any]:
    """Return a destination with all that Firehose fills in: an omitted `Enabled` is false."""
    hints = PARTITIONED_HINTS if partitioned(config) else DEFAULT_HINTS
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
                _completed_lambda(each, role) for each in processing.get("Processors", [])
            ],
        },
    }


def _completed_lambda(processor: Configuration, role: str) -> dict[str, Any]:
    given = {
        "LambdaArn": "",
        "NumberOfRetries": "3",
        "RoleArn": role,
        "BufferSizeInMBs": "1.0",
        "BufferIntervalInSeconds": "60",
        **parameters(processor),
    }
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
    return {"Type": processor["Type"], "Parameters": listed}


def parameters(processor: Configuration) -> dict[str, str]:
    """Return a processor's parameters by name."""
    given = processor.get("Parameters", [])
    return {each["ParameterName"]: each["ParameterValue"] for each in given}


def refusal(text: str) -> AwsError:
    """Return the error for an argument that Firehose does not take."""
    return AwsError("InvalidArgumentException", text)


def not_modelled(what: str) -> AwsError:
    """Return the error for what Firehose does and the laptop does not."""
    return refusal(not_modelled_message(what))
