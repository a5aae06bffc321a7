"""A pipe's configuration: what AWS allows, and of that, what the laptop cloud does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.pipes.event import PATH

PRINCIPAL = "pipes.amazonaws.com"
NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
STREAM = re.compile(r"arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/[^/]+/stream/.+")
TARGET = re.compile(r"arn:[\w-]+:kinesis:[\w-]+:\d{12}:stream/([\w.-]+)")
QUEUE = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:([\w.-]+)")
ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/.+")
TARGET_BATCH = 500  # Kinesis takes so many records in a call.
KEY_CHARACTERS = 256

# Each number of DynamoDBStreamParameters: its least and greatest value, and its default.
NUMBERS = {
    "BatchSize": (1, 10_000, 1),
    "MaximumBatchingWindowInSeconds": (0, 300, 0),
    "MaximumRecordAgeInSeconds": (-1, 604_800, -1),
    "MaximumRetryAttempts": (-1, 10_000, -1),
    "ParallelizationFactor": (1, 10, 1),
}
REMOVED = ("", {"Filters": []})  # So an update takes away what is not modelled here either.
MODELLED = {
    "": {
        *("Name", "Description", "DesiredState", "Source", "SourceParameters", "Target"),
        *("TargetParameters", "RoleArn", "Tags", "LogConfiguration"),
    },
    "SourceParameters.": {"DynamoDBStreamParameters"},
    "TargetParameters.": {"KinesisStreamParameters"},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pipe reads, batches, retries and gives up; -1 means without end, as on AWS."""

    source: str
    target: str
    role: str
    starting_position: str
    batch_size: int
    window: int
    record_age: int
    retries: int
    bisects: bool
    dead_letters: str
    partition_key: str


def complete(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipe's parameters with AWS's defaults in place of those not given."""
    source = params.get("SourceParameters", {})
    defaults = {name: default for name, (_, _, default) in NUMBERS.items()}
    stream = {**defaults, **source.get("DynamoDBStreamParameters", {})}
    return {**params, "SourceParameters": {**source, "DynamoDBStreamParameters": stream}}


def settings(params: Mapping[str, Any]) -> Settings:
    """Return the settings that complete parameters give, or refuse them as AWS does."""
    _check_modelled(params)
    _check_state(params)
    _check_pattern(params, "RoleArn", ROLE, "an IAM role")
    _check_pattern(params, "Source", STREAM, "a DynamoDB stream")
    _check_pattern(params, "Target", TARGET, "a Kinesis stream")
    stream = params["SourceParameters"]["DynamoDBStreamParameters"]
    _check_stream(stream)
    return Settings(
        source=params["Source"],
        target=params["Target"],
        role=params["RoleArn"],
        starting_position=stream["StartingPosition"],
        batch_size=stream["BatchSize"],
        window=stream["MaximumBatchingWindowInSeconds"],
        record_age=stream["MaximumRecordAgeInSeconds"],
        retries=stream["MaximumRetryAttempts"],
        bisects="OnPartialBatchItemFailure" in stream,
        dead_letters=stream.get("DeadLetterConfig", {}).get("Arn", ""),
        partition_key=_partition_key(params),
    )


def _check_modelled(params: Mapping[str, Any]) -> None:
    for place, known in MODELLED.items():
        found = params.get(place[:-1], {}) if place else params
        if unknown := sorted(name for name in found.keys() - known if found[name] not in REMOVED):
            raise refusal(not_modelled_message(f"{place}{unknown[0]}"))


def _check_state(params: Mapping[str, Any]) -> None:
    """Refuse states that no pipe can be asked for, and a log that nobody would write."""
    if (state := params.get("DesiredState", "RUNNING")) not in ("RUNNING", "STOPPED"):
        raise refusal(f"DesiredState: expected RUNNING or STOPPED, found {state!r}")
    if (level := params.get("LogConfiguration", {}).get("Level", "OFF")) != "OFF":
        raise refusal(not_modelled_message(f"LogConfiguration.Level={level}"))


def _check_pattern(
    params: Mapping[str, Any], member: str, pattern: re.Pattern[str], wanted: str
) -> None:
    if not pattern.fullmatch(params.get(member) or ""):
        found = params.get(member)
        raise refusal(f"{member}: expected the ARN of {wanted}, found {found!r}")


def _check_stream(stream: Mapping[str, Any]) -> None:
    if stream.get("StartingPosition") not in ("TRIM_HORIZON", "LATEST"):
        found = stream.get("StartingPosition")
        raise refusal(f"StartingPosition: expected TRIM_HORIZON or LATEST, found {found!r}")
    for name, (least, greatest, _) in NUMBERS.items():
        if not least <= stream[name] <= greatest:
            raise refusal(f"{name}: expected {least} to {greatest}, found {stream[name]}")
    if stream["BatchSize"] > TARGET_BATCH:
        raise refusal(f"BatchSize: a Kinesis stream takes at most {TARGET_BATCH} records")
    if stream.get("OnPartialBatchItemFailure", "AUTOMATIC_BISECT") != "AUTOMATIC_BISECT":
        raise refusal("OnPartialBatchItemFailure: expected AUTOMATIC_BISECT")
    queue = stream.get("DeadLetterConfig", {}).get("Arn")
    if queue is not None and not QUEUE.fullmatch(queue):
        raise refusal(not_modelled_message(f"DeadLetterConfig.Arn={queue!r}"))


def _partition_key(params: Mapping[str, Any]) -> str:
    kinesis = params.get("TargetParameters", {}).get("KinesisStreamParameters", {})
    key = kinesis.get("PartitionKey", "")
    if not 1 <= len(key) <= KEY_CHARACTERS:
        raise refusal("KinesisStreamParameters.PartitionKey: expected 1 to 256 characters")
    if key.startswith("$") and not PATH.fullmatch(key):
        raise refusal(not_modelled_message(f"KinesisStreamParameters.PartitionKey={key!r}"))
    return key


def refusal(text: str) -> AwsError:
    """Return the error with which Pipes refuses a parameter."""
    return AwsError("ValidationException", text)
