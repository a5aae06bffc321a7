"""The pipe's log: the newest reason why an execution failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import boto3
from botocore.exceptions import ClientError

from operations.status.check import failed_call, is_not_found
from setup.names import PIPE_LOGS

MAX_CHARACTERS = 300


def newest_failure() -> str:
    """Return the newest failure as text: its time and reason, or why it cannot be read."""
    try:
        event = _newest_event()
    except ClientError as error:
        if is_not_found(error):
            return f"no reason is logged: log group {PIPE_LOGS} is missing"
        return failed_call(error)
    if event is None:
        return "no reason is logged yet"
    timestamp, message = event
    logged_at = datetime.fromtimestamp(timestamp / 1000, UTC)
    return f"at {logged_at:%H:%M} UTC: {failure_reason(message)[:MAX_CHARACTERS]}"


def failure_reason(record: str) -> str:
    """Return the reason in a record of the pipe's log, in one line; the record if it has none.

    >>> failure_reason('{"error": {"awsService": "kinesis", "message": "not authorized"}}')
    'kinesis: not authorized'
    >>> failure_reason("no JSON")
    'no JSON'
    """
    try:
        error = json.loads(record)["error"]
        reason = f"{error['awsService']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        reason = record
    return " ".join(reason.split())


def _newest_event() -> tuple[int, str] | None:
    """Return the time and text of the newest record, or None if the log is empty."""
    logs = boto3.client("logs")
    streams = logs.describe_log_streams(
        logGroupName=PIPE_LOGS, orderBy="LastEventTime", descending=True, limit=1
    )["logStreams"]
    if not streams:
        return None
    events = logs.get_log_events(
        logGroupName=PIPE_LOGS,
        logStreamName=streams[0]["logStreamName"],
        limit=1,
        startFromHead=False,
    )["events"]
    return (events[0]["timestamp"], events[0]["message"]) if events else None
