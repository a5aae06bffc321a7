"""CloudWatch metrics: what each service published of the pipeline, as time series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from setup.names import DELIVERY, FAILED_RECORDS, FUNCTION, PIPE, PIPELINE, STREAM, TABLE

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef

PERIOD = timedelta(minutes=5)  # CloudWatch keeps finer data for 15 days only.
RECENT = timedelta(minutes=15)
HISTORY = timedelta(days=15)
HISTORY_PERIOD = timedelta(hours=1)
PUBLISHING_DELAY = timedelta(minutes=6)  # Firehose's guide has said: every five minutes.


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one resource; the statistic combines the values of a period."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    statistic: str = "Sum"

    def query(self, query_id: str, period: timedelta) -> MetricDataQueryTypeDef:
        """Return the metric as GetMetricData expects it."""
        dimensions: list[DimensionTypeDef] = [
            {"Name": name, "Value": value} for name, value in self.dimensions
        ]
        return {
            "Id": query_id,
            "MetricStat": {
                "Metric": {
                    "Namespace": self.namespace,
                    "MetricName": self.name,
                    "Dimensions": dimensions,
                },
                "Period": int(period.total_seconds()),
                "Stat": self.statistic,
            },
        }


_PIPE = (("PipeName", PIPE),)
_STREAM = (("StreamName", STREAM),)
_FIREHOSE = (("DeliveryStreamName", DELIVERY),)
_LAMBDA = (("FunctionName", FUNCTION),)
PIPE_EVENTS = Metric("AWS/EventBridge/Pipes", "EventCount", _PIPE)
PIPE_INVOCATIONS = Metric("AWS/EventBridge/Pipes", "Invocations", _PIPE)
PIPE_FAILURES = Metric("AWS/EventBridge/Pipes", "ExecutionFailed", _PIPE)
PIPE_PARTIAL_FAILURES = Metric("AWS/EventBridge/Pipes", "ExecutionPartiallyFailed", _PIPE)
KINESIS_RECORDS = Metric("AWS/Kinesis", "IncomingRecords", _STREAM)
KINESIS_BYTES = Metric("AWS/Kinesis", "IncomingBytes", _STREAM)
FIREHOSE_READS = Metric("AWS/Firehose", "DataReadFromKinesisStream.Records", _FIREHOSE)
FIREHOSE_LAG = Metric("AWS/Firehose", "KinesisMillisBehindLatest", _FIREHOSE, "Maximum")
TRANSFORMED_ROWS = Metric("AWS/Firehose", "SucceedProcessing.Records", _FIREHOSE)
DELIVERED_ROWS = Metric("AWS/Firehose", "DeliveryToS3.Records", _FIREHOSE)
FRESHNESS = Metric("AWS/Firehose", "DeliveryToS3.DataFreshness", _FIREHOSE, "Maximum")
PARTITION_OVERFLOW = Metric("AWS/Firehose", "PartitionCountExceeded", _FIREHOSE, "Maximum")
FUNCTION_CALLS = Metric("AWS/Lambda", "Invocations", _LAMBDA)
FUNCTION_ERRORS = Metric("AWS/Lambda", "Errors", _LAMBDA)
FUNCTION_THROTTLES = Metric("AWS/Lambda", "Throttles", _LAMBDA)
TRANSFORM_FAILURES = Metric(PIPELINE, FAILED_RECORDS)

PIPELINE_METRICS = (
    PIPE_EVENTS,
    PIPE_INVOCATIONS,
    PIPE_FAILURES,
    PIPE_PARTIAL_FAILURES,
    KINESIS_RECORDS,
    FIREHOSE_READS,
    FIREHOSE_LAG,
    TRANSFORMED_ROWS,
    DELIVERED_ROWS,
    FRESHNESS,
    PARTITION_OVERFLOW,
    FUNCTION_CALLS,
    FUNCTION_ERRORS,
    FUNCTION_THROTTLES,
    TRANSFORM_FAILURES,
)


class StreamMetrics(NamedTuple):
    """The metrics of the reads of a table's stream: calls that succeeded, and their records."""

    calls: Metric
    records: Metric


def stream_metrics(stream_label: str) -> StreamMetrics:
    """Return the metrics of a stream of the table; every reader of the stream counts."""
    dimensions = (("TableName", TABLE), ("Operation", "GetRecords"), ("StreamLabel", stream_label))
    return StreamMetrics(
        Metric("AWS/DynamoDB", "SuccessfulRequestLatency", dimensions, "SampleCount"),
        Metric("AWS/DynamoDB", "ReturnedRecordsCount", dimensions),
    )


class Point(NamedTuple):
    """The value of a metric in the period that begins at a time."""

    start: datetime
    value: float


Series = list[Point]


def fetch_series(
    cloudwatch: CloudWatchClient,
    metrics: Iterable[Metric],
    duration: timedelta,
    period: timedelta,
    now: datetime,
) -> dict[Metric, Series]:
    """Return the points of each metric over the given time until now, oldest first."""
    metric_by_id = {f"m{number}": metric for number, metric in enumerate(metrics)}
    points: dict[Metric, Series] = {metric: [] for metric in metric_by_id.values()}
    end = _next_boundary(now, period)
    for page in cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[metric.query(name, period) for name, metric in metric_by_id.items()],
        StartTime=end - duration - period,
        EndTime=end,
    ):
        for result in page["MetricDataResults"]:
            values = zip(result["Timestamps"], result["Values"], strict=True)
            points[metric_by_id[result["Id"]]] += [Point(*value) for value in values]
    return {metric: sorted(series) for metric, series in points.items()}


def _next_boundary(now: datetime, period: timedelta) -> datetime:
    """Return the end of the current period: CloudWatch's periods begin at multiples of it."""
    seconds = period.total_seconds()
    return datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, UTC)


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """The metrics of the last hours until `now`, and coarser ones of the stream's reads before.

    What a hop received before `settled_at` has had the time to reach the lake, and to be counted.
    """

    now: datetime
    started_at: datetime
    settled_at: datetime
    series: Mapping[Metric, Series]
    old_reads: Series
    stream: StreamMetrics

    def total(self, metric: Metric) -> int:
        """Return the sum of a metric's values; 0 without data."""
        return int(sum(point.value for point in self.series[metric]))

    def settled_total(self, metric: Metric) -> int:
        """Return the sum of a metric's values in the periods that have settled."""
        return int(sum(point.value for point in self._settled_points(metric)))

    def recent(self, metric: Metric) -> list[float]:
        """Return the values of the last minutes; none if the service published none."""
        since = self.now - RECENT - PERIOD
        return [point.value for point in self.series[metric] if point.start > since]

    def newest_read(self) -> datetime | None:
        """Return the start of the newest settled period in which changes were read.

        None if no change was read within HISTORY.
        """
        old_reads = [point for point in self.old_reads if point.start < self.started_at]
        points = [*old_reads, *self._settled_points(self.stream.records)]
        return max((point.start for point in points if point.value), default=None)

    def _settled_points(self, metric: Metric) -> Series:
        return [point for point in self.series[metric] if point.start + PERIOD <= self.settled_at]


def fetch_history(
    cloudwatch: CloudWatchClient,
    stream_label: str,
    hours: int,
    delay: timedelta,
    now: datetime,
) -> MetricHistory:
    """Return the metrics; `delay` is how long a change may take from the table to the lake."""
    stream = stream_metrics(stream_label)
    duration = timedelta(hours=hours)
    metrics = (*PIPELINE_METRICS, *stream)
    series = fetch_series(cloudwatch, metrics, duration, PERIOD, now)
    reads = fetch_series(cloudwatch, [stream.records], HISTORY, HISTORY_PERIOD, now)
    return MetricHistory(
        now=now,
        started_at=now - duration,
        settled_at=now - delay - PUBLISHING_DELAY,
        series=series,
        old_reads=reads[stream.records],
        stream=stream,
    )
