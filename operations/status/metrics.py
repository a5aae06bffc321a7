"""What CloudWatch measured over the last hours, and what it says of each hop."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from setup.names import DELIVERY, FAILED_RECORDS, FUNCTION, PIPE, PIPELINE, STREAM

PERIOD = 300  # seconds; CloudWatch keeps finer points for fifteen days only
RECENT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one resource; `statistic` says how its points become one number."""

    namespace: str
    name: str
    of: tuple[str, str] | None = None
    statistic: str = "Sum"

    @property
    def query(self) -> dict[str, Any]:
        """The metric as GetMetricData asks for it."""
        dimensions = [{"Name": self.of[0], "Value": self.of[1]}] if self.of else []
        metric = {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": dimensions,
        }
        return {"Metric": metric, "Period": PERIOD, "Stat": self.statistic}

    def total(self, points: Iterable[float]) -> float:
        """Return one number of all points: their sum, or the greatest."""
        return sum(points) if self.statistic == "Sum" else max(points, default=0.0)


FIREHOSE, LAMBDA = ("DeliveryStreamName", DELIVERY), ("FunctionName", FUNCTION)
PIPE_TAKEN = Metric("AWS/EventBridge/Pipes", "EventCount", ("PipeName", PIPE))
PIPE_FAILED = Metric("AWS/EventBridge/Pipes", "ExecutionFailed", ("PipeName", PIPE))
KINESIS_TAKEN = Metric("AWS/Kinesis", "IncomingRecords", ("StreamName", STREAM))
READ = Metric("AWS/Firehose", "DataReadFromKinesisStream.Records", FIREHOSE)
ROWS = Metric("AWS/Firehose", "SucceedProcessing.Records", FIREHOSE)
DELIVERED = Metric("AWS/Firehose", "DeliveryToS3.Records", FIREHOSE)
CALLS = Metric("AWS/Lambda", "Invocations", LAMBDA)
ERRORS = Metric("AWS/Lambda", "Errors", LAMBDA)
FAILED = Metric(PIPELINE, FAILED_RECORDS)
AGE = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", ("StreamName", STREAM), "Maximum")
FRESHNESS = Metric("AWS/Firehose", "DeliveryToS3.DataFreshness", FIREHOSE, "Maximum")

COUNTED = (PIPE_TAKEN, PIPE_FAILED, KINESIS_TAKEN, READ, ROWS, DELIVERED, CALLS, ERRORS, FAILED)
# Each hop: what came in, what went on, and what failed where AWS counts that.
HOPS = (
    ("pipe -> Kinesis", PIPE_TAKEN, KINESIS_TAKEN, None),
    ("Kinesis -> Firehose", KINESIS_TAKEN, READ, None),
    ("Firehose -> function", READ, ROWS, FAILED),
    ("Firehose -> S3", ROWS, DELIVERED, None),
)


@dataclass(frozen=True, slots=True)
class Hop:
    """What a hop took in, delivered and failed; the rest is on its way, or AWS does not say."""

    hop: str
    came_in: int
    delivered: int
    failed: int

    @property
    def open(self) -> int:
        """How many are neither delivered nor counted as failed."""
        return max(0, self.came_in - self.delivered - self.failed)

    def document(self) -> dict[str, object]:
        """Return the hop for programs."""
        counts = {"in": self.came_in, "delivered": self.delivered, "failed": self.failed}
        return {"hop": self.hop, **counts, "open": self.open}


def measured(
    cloudwatch: Any, metrics: Iterable[Metric], over: timedelta
) -> dict[Metric, float | None]:
    """Return each metric's number over the time that ends now; None where nothing was measured."""
    asked = {f"m{number}": metric for number, metric in enumerate(metrics)}
    now = datetime.now(timezone.utc)
    queries = [{"Id": name, "MetricStat": metric.query} for name, metric in asked.items()]
    points: dict[str, list[float]] = {name: [] for name in asked}
    for page in cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=now - over, EndTime=now + timedelta(seconds=PERIOD)
    ):
        for result in page["MetricDataResults"]:
            points[result["Id"]] += result["Values"]
    return {
        metric: metric.total(points[name]) if points[name] else None
        for name, metric in asked.items()
    }


def hops(counts: Mapping[Metric, float | None]) -> list[Hop]:
    """Return every hop's counts."""
    return [
        Hop(name, *(int(counts[each] or 0) if each else 0 for each in metrics))
        for name, *metrics in HOPS
    ]


def table(found: Iterable[Hop]) -> Iterator[str]:
    """Return the hops in words."""
    yield f"  {'hop':20}  {'in':>9}  {'delivered':>9}  {'failed':>9}  {'open':>9}"
    for hop in found:
        counts = (hop.came_in, hop.delivered, hop.failed, hop.open)
        yield "  ".join([f"  {hop.hop:20}", *(f"{count:9}" for count in counts)])
