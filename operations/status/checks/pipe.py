"""The pipe: whether it runs, reads the table's current stream, and passes on what it reads.

AWS reports a pipe as RUNNING whatever its role may do, so its state is no evidence. The evidence
that it reads are DynamoDB's metrics of the stream's reads, which AWS publishes also when a read
returns no change.
"""

from __future__ import annotations

from dataclasses import replace

import boto3

from operations.status.check import CHECK_AGAIN, TRANSITIONAL_STATES, with_reason
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import (
    PIPE_EVENTS,
    PIPE_FAILURES,
    PIPE_INVOCATIONS,
    PIPE_PARTIAL_FAILURES,
    MetricHistory,
)
from operations.status.pipe_log import newest_failure
from setup.names import PIPE, TABLE
from terminal.text import count

MINUTES = "the last 15 minutes"
TARGET_REMEDY = "python setup/04_iam.py and python setup/02_kinesis.py"


def check(history: MetricHistory | None) -> CheckResult:
    """Check that the pipe runs, reads the table's current stream, and delivers."""
    pipe = boto3.client("pipes").describe_pipe(Name=PIPE)
    state = pipe["CurrentState"]
    # AWS gives a healthy pipe a reason too: that a user started it.
    reason = pipe.get("StateReason", "").removeprefix("USER_INITIATED")
    message = with_reason(state, reason)
    if state in TRANSITIONAL_STATES:
        return CheckResult("pipe", message, Status.UNKNOWN, CHECK_AGAIN)
    if state != "RUNNING":
        script = "07_pipe" if state.startswith(("CREATE", "UPDATE")) else "08_start_pipe"
        return CheckResult("pipe", message, Status.PROBLEM, f"python setup/{script}.py")
    if reason:
        return CheckResult("pipe", message, Status.PROBLEM, "python setup --check")
    if pipe["Source"] != _current_stream():
        message = f"reads {pipe['Source']}, which is no longer the table's stream"
        remedy = "python setup/07_pipe.py explains how to recreate it"
        return CheckResult("pipe", message, Status.PROBLEM, remedy)
    result = check_deliveries(history)
    if result.status != Status.PROBLEM:
        return result
    return replace(result, message=f"{result.message}; {newest_failure()}")


def check_deliveries(history: MetricHistory | None) -> CheckResult:
    """Check that a running pipe reads its stream, and that Kinesis accepts what it reads."""
    if history is None:
        return _unknown("RUNNING, but without metrics it is not known whether it delivers")
    failures = [*history.recent(PIPE_FAILURES), *history.recent(PIPE_PARTIAL_FAILURES)]
    if any(failures):
        calls = max(int(sum(history.recent(PIPE_INVOCATIONS))), int(sum(failures)))
        message = f"RUNNING, but {sum(failures):.0f} of {count(calls, 'execution')} failed"
        return CheckResult("pipe", f"{message} in {MINUTES}", Status.PROBLEM, TARGET_REMEDY)
    seen_calls = [*history.recent(history.stream.calls), *history.recent(PIPE_INVOCATIONS)]
    if not any(seen_calls):
        return _unknown(f"RUNNING, but no read of the table's stream was seen in {MINUTES}")
    read_count = history.settled_total(history.stream.records)
    if read_count and not history.total(PIPE_EVENTS):
        message = f"RUNNING, but of {count(read_count, 'change')} read it delivered none"
        return CheckResult("pipe", message, Status.PROBLEM, TARGET_REMEDY)
    return CheckResult("pipe", "RUNNING, and reads the table's stream")


def _unknown(message: str) -> CheckResult:
    return CheckResult("pipe", message, Status.UNKNOWN, "python setup --check; then check again")


def _current_stream() -> str | None:
    """Return the ARN of the table's stream, or None if either is missing."""
    dynamodb = boto3.client("dynamodb")
    try:
        return dynamodb.describe_table(TableName=TABLE)["Table"].get("LatestStreamArn")
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
