"""Changes that were given up: dead letters of the pipe, and error objects of Firehose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3

from operations.lake_objects import list_objects
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.names import DEAD_LETTERS, ERRORS, bucket
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

MAX_ERROR_OBJECTS = 100_000  # more are not counted
REPLAY_COMMAND = "python -m operations.replay"
QUEUE_COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def check_dead_letters(_: MetricHistory | None) -> CheckResult:
    """Count the batches that the pipe gave up on."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=QUEUE_COUNTS)
    batch_count = sum(map(int, response["Attributes"].values()))
    if not batch_count:
        return CheckResult("dead letters", "none")
    message = f"{count(batch_count, 'batch', 'batches')} that the pipe gave up on"
    remedy = f"{REPLAY_COMMAND} (within 24 h of the change)"
    return CheckResult("dead letters", message, Status.PROBLEM, remedy)


def check_error_objects(_: MetricHistory | None) -> CheckResult:
    """Count the error objects in the lake's bucket, and find the oldest."""
    object_count = 0
    oldest = datetime.now(UTC)
    for modified_at in _error_object_times():
        object_count += 1
        oldest = min(oldest, modified_at)
        if object_count == MAX_ERROR_OBJECTS:
            break
    if not object_count:
        return CheckResult("error objects", "none")
    or_more = " or more" if object_count == MAX_ERROR_OBJECTS else ""
    message = f"{object_count}{or_more}; the oldest is from {oldest:%Y-%m-%d %H:%M} UTC"
    remedy = f"{REPLAY_COMMAND} --dry-run shows the causes; then {REPLAY_COMMAND}"
    return CheckResult("error objects", message, Status.PROBLEM, remedy)


def _error_object_times() -> Iterator[datetime]:
    for entry in list_objects(boto3.client("s3"), bucket(), ERRORS):
        if entry["Size"]:
            yield entry["LastModified"]
