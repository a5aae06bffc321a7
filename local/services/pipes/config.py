"""Configuration of a pipe: what AWS allows, and how much of it the laptop cloud models."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.pipes.event import JSON_PATH

PRINCIPAL = "pipes.amazonaws.com"
PIPE_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
STREAM_ARN = re.compile(r"arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[^/]+/stream/.+")
TARGET_ARN = re.compile(r"arn:[\w-]+:kinesis:[\w-]+:\d{12}:stream/([\w.-]+)")
QUEUE_ARN = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:([\w.-]+)")
LOG_GROUP_ARN = re.compile(r"arn:[\w-]+:logs:[\w-]+:\d{12}:log-group:([^:*]+)(:\*)?")
ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/.+")
MAX_PUT_RECORDS = 500  # The limit of PutRecords.
MAX_KEY_CHARACTERS = 256

# Numbers of DynamoDBStreamParameters: minimum, maximum and default.
NUMBERS = {
    "BatchSize": (1, 10_000, 1),
    "MaximumBatchingWindowInSeconds": (0, 300, 0),
    "MaximumRecordAgeInSeconds": (-1, 604_800, -1),
    "MaximumRetryAttempts": (-1, 10_000, -1),
    "ParallelizationFactor": (1, 10, 1),
}
# An update removes a member by giving it one of these values, even a member not modelled here.
REMOVED: tuple[object, ...] = ("", {"Filters": []})
MODELLED_MEMBERS = {
    "": {
        "Name",
        "Description",
        "DesiredState",
        "Source",
        "SourceParameters",
        "Target",
        "TargetParameters",
        "RoleArn",
        "Tags",
        "LogConfiguration",
    },
    "SourceParameters.": {"DynamoDBStreamParameters"},
    "TargetParameters.": {"KinesisStreamParameters"},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pipe reads, batches, retries and gives up; -1 means no limit, as on AWS."""

    source_arn: str
    target_arn: str
    role_arn: str
    starting_position: str
    batch_size: int
    batching_window: int
    max_record_age: int
    max_retries: int
    bisects_batches: bool
    dead_letter_queue_arn: str
    partition_key: str
    log_group: str


def with_defaults(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipe's parameters, with AWS's defaults for those that are missing."""
    source = params.get("SourceParameters", {})
    defaults = {name: default for name, (_, _, default) in NUMBERS.items()}
    stream = {**defaults, **source.get("DynamoDBStreamParameters", {})}
    return {**params, "SourceParameters": {**source, "DynamoDBStreamParameters": stream}}


def parse_settings(params: Mapping[str, Any]) -> Settings:
    """Validate parameters that have their defaults, as AWS does, and return the settings."""
    _check_members(params)
    _check_state(params)
    _check_arn(params, "RoleArn", ROLE_ARN, "an IAM role")
    _check_arn(params, "Source", STREAM_ARN, "a DynamoDB stream")
    _check_arn(params, "Target", TARGET_ARN, "a Kinesis stream")
    stream = params["SourceParameters"]["DynamoDBStreamParameters"]
    _check_stream(stream)
    return Settings(
        source_arn=params["Source"],
        target_arn=params["Target"],
        role_arn=params["RoleArn"],
        starting_position=stream["StartingPosition"],
        batch_size=stream["BatchSize"],
        batching_window=stream["MaximumBatchingWindowInSeconds"],
        max_record_age=stream["MaximumRecordAgeInSeconds"],
        max_retries=stream["MaximumRetryAttempts"],
        bisects_batches="OnPartialBatchItemFailure" in stream,
        dead_letter_queue_arn=stream.get("DeadLetterConfig", {}).get("Arn", ""),
        partition_key=_partition_key(params),
        log_group=_log_group(params.get("LogConfiguration", {})),
    )


def _check_members(params: Mapping[str, Any]) -> None:
    for prefix, modelled in MODELLED_MEMBERS.items():
        members = params.get(prefix[:-1], {}) if prefix else params
        for name in sorted(members.keys() - modelled):
            if members[name] not in REMOVED:
                raise validation_error(not_modelled_message(f"{prefix}{name}"))


def _check_state(params: Mapping[str, Any]) -> None:
    if (state := params.get("DesiredState", "RUNNING")) not in ("RUNNING", "STOPPED"):
        raise validation_error(f"DesiredState: expected RUNNING or STOPPED, found {state!r}")


def _check_arn(
    params: Mapping[str, Any], member: str, pattern: re.Pattern[str], resource: str
) -> None:
    arn = params.get(member)
    if not pattern.fullmatch(arn or ""):
        raise validation_error(f"{member}: expected the ARN of {resource}, found {arn!r}")


def _check_stream(stream: Mapping[str, Any]) -> None:
    position = stream.get("StartingPosition")
    if position not in ("TRIM_HORIZON", "LATEST"):
        raise validation_error(
            f"StartingPosition: expected TRIM_HORIZON or LATEST, found {position!r}"
        )
    for name, (minimum, maximum, _) in NUMBERS.items():
        if not minimum <= stream[name] <= maximum:
            raise validation_error(f"{name}: expected {minimum} to {maximum}, found {stream[name]}")
    if stream["BatchSize"] > MAX_PUT_RECORDS:
        raise validation_error(
            f"BatchSize: a Kinesis stream takes at most {MAX_PUT_RECORDS} records"
        )
    if stream.get("OnPartialBatchItemFailure", "AUTOMATIC_BISECT") != "AUTOMATIC_BISECT":
        raise validation_error("OnPartialBatchItemFailure: expected AUTOMATIC_BISECT")
    queue_arn = stream.get("DeadLetterConfig", {}).get("Arn")
    if queue_arn is not None and not QUEUE_ARN.fullmatch(queue_arn):
        raise validation_error(not_modelled_message(f"DeadLetterConfig.Arn={queue_arn!r}"))


def _partition_key(params: Mapping[str, Any]) -> str:
    kinesis = params.get("TargetParameters", {}).get("KinesisStreamParameters", {})
    key: str = kinesis.get("PartitionKey", "")
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise validation_error("KinesisStreamParameters.PartitionKey: expected 1 to 256 characters")
    if key.startswith("$") and not JSON_PATH.fullmatch(key):
        feature = f"KinesisStreamParameters.PartitionKey={key!r}"
        raise validation_error(not_modelled_message(feature))
    return key


def _log_group(logging: Mapping[str, Any]) -> str:
    """Return the log group that errors are written to, or an empty string."""
    level = logging.get("Level", "OFF")
    if level == "OFF":
        return ""
    others = sorted(logging.keys() - {"Level", "CloudwatchLogsLogDestination"})
    if level != "ERROR" or others:
        feature = ", ".join([f"LogConfiguration.Level={level}", *others])
        raise validation_error(not_modelled_message(feature))
    arn = logging.get("CloudwatchLogsLogDestination", {}).get("LogGroupArn")
    group = LOG_GROUP_ARN.fullmatch(arn or "")
    if group is None:
        raise validation_error(f"LogGroupArn: expected the ARN of a log group, found {arn!r}")
    return group[1]


def validation_error(message: str) -> AwsError:
    """Return the error with which Pipes rejects a parameter."""
    return AwsError("ValidationException", message)
