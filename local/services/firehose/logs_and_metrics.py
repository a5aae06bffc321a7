"""What a delivery stream tells its operators: error lines in its log, and its metrics."""

import json
import time
from collections import Counter
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from local.core.metrics import put_metrics
from local.core.server import Cloud
from local.services.firehose.config import PRINCIPAL, Settings


class Report:
    """The log and the metrics of one delivery stream."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._metrics: Counter[str] = Counter()

    def count(self, metric: str, value: float = 1) -> None:
        """Add to a metric that is a sum."""
        self._metrics[metric] += value

    def peak(self, metric: str, value: float) -> None:
        """Raise a metric that is a maximum."""
        self._metrics[metric] = max(self._metrics[metric], value)

    def publish(self, of: Settings) -> None:
        """Give CloudWatch all that came together since the last time."""
        values, self._metrics = self._metrics, Counter()
        cloudwatch = self._cloud.client("cloudwatch")
        put_metrics(cloudwatch, "AWS/Firehose", ("DeliveryStreamName", of.name), values)

    def error(self, of: Settings, code: str, message: str) -> None:
        """Write an error to the stream's log, if it has one that its role may write to."""
        if of.log is None:
            return
        # Logs has its own sense of time: it refuses events of a future that is only skipped to.
        line = {
            "timestamp": int(time.time() * 1000),
            "message": json.dumps(_entry(of, code, message)),
        }
        group, stream = of.log
        with suppress(BotoCoreError, ClientError):
            logs = self._cloud.client("logs", of.role, PRINCIPAL)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[line])


def _entry(of: Settings, code: str, message: str) -> dict[str, object]:
    entry = {
        "deliveryStreamARN": of.arn,
        "destination": f"{':'.join(of.arn.split(':')[:2])}:s3:::{of.bucket}",
        "deliveryStreamVersionId": int(of.version),
        "message": message,
        "errorCode": code,
    }
    if of.transform and code.startswith("Lambda."):
        entry["processor"] = of.transform.function
    return entry


def code_of(error: BotoCoreError | ClientError) -> str:
    """Return the code of an error that a service answered; the kind of one that kept silent."""
    return (
        error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    )


def worth_a_line(times: int) -> bool:
    """Return whether an error that keeps happening is logged again: at 1, 2, 4, 8, … times."""
    return times & (times - 1) == 0
