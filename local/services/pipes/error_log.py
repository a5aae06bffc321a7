"""Error log of a pipe: one record in CloudWatch Logs for each execution that failed."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud

if TYPE_CHECKING:
    from types_boto3_logs.client import CloudWatchLogsClient

LOG_STREAM = "pipe"  # AWS makes up the names of its streams.


class ErrorLog:
    """The log group of a pipe; a pipe may have none. AWS writes to it, not the pipe's role."""

    def __init__(self, cloud: Cloud, pipe_arn: str, group: str) -> None:
        self._cloud = cloud
        self._pipe_arn = pipe_arn
        self._group = group

    def write(self, kind: str, message: str) -> None:
        """Write the record of an execution that `Failed` or `PartiallyFailed`, and its reason."""
        if self._group:
            record = json.dumps(self._record(kind, message))
            with suppress(BotoCoreError, ClientError):
                self._put(record)

    def _record(self, kind: str, message: str) -> dict[str, object]:
        step = "PARTIALLY_FAILED" if kind == "PartiallyFailed" else "FAILED"
        return {
            "executionId": str(uuid4()),
            "timestamp": int(self._cloud.clock.now() * 1000),
            "messageType": f"TARGET_INVOCATION_{step}",
            "resourceArn": self._pipe_arn,
            "logLevel": "ERROR",
            "error": {
                "httpStatusCode": 400,
                "message": message,
                "details": "",
                "awsService": "kinesis",
                "requestId": str(uuid4()),
            },
        }

    def _put(self, record: str) -> None:
        logs: CloudWatchLogsClient = self._cloud.client("logs")
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=self._group, logStreamName=LOG_STREAM)
        # moto rejects future timestamps, so use the real clock, not the simulated one.
        timestamp = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName=self._group,
            logStreamName=LOG_STREAM,
            logEvents=[{"timestamp": timestamp, "message": record}],
        )
