"""Logs and metrics of a delivery stream."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.core.metrics import put_metrics
from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, Settings

if TYPE_CHECKING:
    from types_boto3_logs.client import CloudWatchLogsClient

PUBLICATION_INTERVAL = 60  # Seconds, as on AWS.


class Telemetry:
    """The error log and the metrics of one delivery stream."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._metrics: defaultdict[str, float] = defaultdict(float)
        self._next_publication = 0.0

    def add(self, metric: str, value: float = 1) -> None:
        """Add to a metric that is a sum."""
        self._metrics[metric] += value

    def raise_to(self, metric: str, value: float) -> None:
        """Raise a metric that is a maximum."""
        self._metrics[metric] = max(self._metrics[metric], value)

    def publish_if_due(self, settings: Settings) -> None:
        """Send CloudWatch the metrics, but not at each tick: Firehose polls at each."""
        now = self._cloud.clock.now()
        if self._metrics and now >= self._next_publication:
            self._next_publication = now + PUBLICATION_INTERVAL
            self.publish(settings)

    def publish(self, settings: Settings) -> None:
        """Send CloudWatch the metrics since the last time."""
        values = self._metrics
        self._metrics = defaultdict(float)
        cloudwatch = self._cloud.client("cloudwatch")
        put_metrics(cloudwatch, "AWS/Firehose", ("DeliveryStreamName", settings.name), values)

    def log_error(self, settings: Settings, code: str, message: str) -> None:
        """Write an error to the stream's log, if it has one and its role may write there."""
        if settings.log is None:
            return
        group, stream = settings.log
        entry = json.dumps(_log_entry(settings, code, message))
        # moto rejects future timestamps, so use the real clock, not the simulated one.
        timestamp = int(time.time() * 1000)
        with suppress(BotoCoreError, ClientError):
            logs: CloudWatchLogsClient = self._cloud.client("logs", settings.role_arn, PRINCIPAL)
            logs.put_log_events(
                logGroupName=group,
                logStreamName=stream,
                logEvents=[{"timestamp": timestamp, "message": entry}],
            )


def _log_entry(settings: Settings, code: str, message: str) -> dict[str, object]:
    partition = settings.arn.split(":")[1]
    entry: dict[str, object] = {
        "deliveryStreamARN": settings.arn,
        "destination": f"arn:{partition}:s3:::{settings.bucket}",
        "deliveryStreamVersionId": int(settings.version),
        "message": message,
        "errorCode": code,
    }
    if settings.processor and code.startswith("Lambda."):
        entry["processor"] = settings.processor.function_arn
    return entry


def error_code(error: BotoCoreError | ClientError) -> str:
    """Return a service's error code; the error's type if the service did not respond."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def should_log(failures: int) -> bool:
    """Return whether to log an error that repeats: the 1st, 2nd, 4th, 8th … time."""
    return failures & (failures - 1) == 0
