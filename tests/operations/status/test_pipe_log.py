"""The pipe's log: the newest reason is shown, or why there is no reason."""

from datetime import UTC, datetime, timedelta

import boto3

from operations.status.pipe_log import newest_failure
from setup.names import PIPE_LOGS
from tests.support.laptop_cloud import laptop


def put_record(stream: str, time: datetime, message: str) -> None:
    """Add a record to a stream of the pipe's log."""
    timestamp = int(time.timestamp() * 1000)
    boto3.client("logs").put_log_events(
        logGroupName=PIPE_LOGS,
        logStreamName=stream,
        logEvents=[{"timestamp": timestamp, "message": message}],
    )


def test_the_newest_record_is_shown() -> None:
    now = datetime.now(UTC)
    older = now - timedelta(minutes=1)
    with laptop():
        logs = boto3.client("logs")
        assert newest_failure() == f"no reason is logged: log group {PIPE_LOGS} is missing"
        logs.create_log_group(logGroupName=PIPE_LOGS)
        assert newest_failure() == "no reason is logged yet"
        logs.create_log_stream(logGroupName=PIPE_LOGS, logStreamName="b")
        assert newest_failure() == "no reason is logged yet"
        put_record("b", older, "older")
        assert newest_failure() == f"at {older:%H:%M} UTC: older"
        logs.create_log_stream(logGroupName=PIPE_LOGS, logStreamName="a")
        put_record("a", older, "older")
        put_record("a", now, "x" * 301)
        assert newest_failure() == f"at {now:%H:%M} UTC: {'x' * 300}"
