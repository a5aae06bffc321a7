"""CloudWatch metrics of the last hours, and what they say of each hop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from setup.lib.text import format_table
from setup.names import DELIVERY, FAILED_RECORDS, FUNCTION, PIPE, PIPELINE, STREAM

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef

PERIOD = 300  # seconds; CloudWatch keeps finer data for 15 days only
RECENT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one resource; `statistic`, Sum or Maximum, combines its data points."""

    namespace: str
    name: str
    dimension: tuple[str, str] | None = None
    statistic: str = "Sum"

    def query(self, query_id: str) -> MetricDataQueryTypeDef:
        """Return the metric as GetMetricData expects it."""
        dimensions: list[DimensionTypeDef] = []
        if self.dimension:
            name, value = self.dimension
            dimensions.append({"Name": name, "Value": value})
        return {
            "Id": query_id,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.name,
                    "Dimensions": dimensions,
                },
                "Period": PERIOD,
                "Stat": self.statistic,
            },
        }

    def combine(self, points: Iterable[float]) -> float:
        """Return the sum of the data points, or the greatest of them."""
        return sum(points) if self.statistic == "Sum" else max(points, default=0.0)


_PIPE = ("PipeName", PIPE)
_STREAM = ("StreamName", STREAM)
_FIREHOSE = ("DeliveryStreamName", DELIVERY)
_LAMBDA = ("FunctionName", FUNCTION)
PIPE_EVENTS = Metric("AWS/EventBridge/Pipes", "EventCount", _PIPE)
PIPE_FAILURES = Metric("AWS/EventBridge/Pipes", "ExecutionFailed", _PIPE)
KINESIS_RECORDS = Metric("AWS/Kinesis", "IncomingRecords", _STREAM)
FIREHOSE_READS = Metric("AWS/Firehose", "DataReadFromKinesisStream.Records", _FIREHOSE)
TRANSFORMED_ROWS = Metric("AWS/Firehose", "SucceedProcessing.Records", _FIREHOSE)
DELIVERED_ROWS = Metric("AWS/Firehose", "DeliveryToS3.Records", _FIREHOSE)
FUNCTION_CALLS = Metric("AWS/Lambda", "Invocations", _LAMBDA)
FUNCTION_ERRORS = Metric("AWS/Lambda", "Errors", _LAMBDA)
TRANSFORM_FAILURES = Metric(PIPELINE, FAILED_RECORDS)
ITERATOR_AGE = Metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", _STREAM, "Maximum")
FRESHNESS = Metric("AWS/Firehose", "DeliveryToS3.DataFreshness", _FIREHOSE, "Maximum")

HOP_METRICS = (
    PIPE_EVENTS,
    PIPE_FAILURES,
    KINESIS_RECORDS,
    FIREHOSE_READS,
    TRANSFORMED_ROWS,
    DELIVERED_ROWS,
    FUNCTION_CALLS,
    FUNCTION_ERRORS,
    TRANSFORM_FAILURES,
)


class HopDefinition(NamedTuple):
    """The metrics of a hop; `failed` is None if AWS does not count its failures."""

    name: str
    received: Metric
    delivered: Metric
    failed: Metric | None = None


HOPS = (
    HopDefinition("pipe -> Kinesis", PIPE_EVENTS, KINESIS_RECORDS),
    HopDefinition("Kinesis -> Firehose", KINESIS_RECORDS, FIREHOSE_READS),
    HopDefinition("Firehose -> function", FIREHOSE_READS, TRANSFORMED_ROWS, TRANSFORM_FAILURES),
    HopDefinition("Firehose -> S3", TRANSFORMED_ROWS, DELIVERED_ROWS),
)


@dataclass(frozen=True, slots=True)
class Hop:
    """What a hop received, delivered and failed."""

    name: str
    received: int
    delivered: int
    failed: int

    @property
    def open(self) -> int:
        """Records in flight, or failed where AWS does not count failures."""
        return max(0, self.received - self.delivered - self.failed)

    def document(self) -> dict[str, object]:
        """Return the hop as JSON."""
        return {
            "hop": self.name,
            "received": self.received,
            "delivered": self.delivered,
            "failed": self.failed,
            "open": self.open,
        }


def fetch_metrics(
    cloudwatch: CloudWatchClient, metrics: Iterable[Metric], duration: timedelta
) -> dict[Metric, float | None]:
    """Return the value of each metric over the given time until now; None without data."""
    metric_by_id = {f"m{number}": metric for number, metric in enumerate(metrics)}
    queries = [metric.query(query_id) for query_id, metric in metric_by_id.items()]
    points: dict[str, list[float]] = {query_id: [] for query_id in metric_by_id}
    now = datetime.now(timezone.utc)
    for page in cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries,
        StartTime=now - duration,
        EndTime=now + timedelta(seconds=PERIOD),
    ):
        for result in page["MetricDataResults"]:
            points[result["Id"]] += result["Values"]
    return {
        metric: metric.combine(points[query_id]) if points[query_id] else None
        for query_id, metric in metric_by_id.items()
    }


def hop_counts(values: Mapping[Metric, float | None]) -> list[Hop]:
    """Return the counts of every hop."""
    return [
        Hop(
            name=hop.name,
            received=int(values[hop.received] or 0),
            delivered=int(values[hop.delivered] or 0),
            failed=int(values[hop.failed] or 0) if hop.failed else 0,
        )
        for hop in HOPS
    ]


def hop_table(hops: Iterable[Hop]) -> str:
    """Return a table of the counts, one line per hop."""
    rows: list[tuple[str, ...]] = [("hop", "received", "delivered", "failed", "open")]
    for hop in hops:
        counts = (hop.received, hop.delivered, hop.failed, hop.open)
        rows.append((hop.name, *map(str, counts)))
    return format_table(rows)
