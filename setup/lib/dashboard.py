"""The CloudWatch dashboard: what passes each hop, what is late or failed, and what costs money."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from setup import names
from setup.names import Location

# A part of the dashboard, as JSON.
Widget = dict[str, Any]

PIPES = "AWS/EventBridge/Pipes"
PIPE = ("PipeName", names.PIPE)
KINESIS = ("StreamName", names.STREAM)
FIREHOSE = ("DeliveryStreamName", names.DELIVERY)
FUNCTION = ("FunctionName", names.FUNCTION)
TABLE = ("TableName", names.TABLE)
QUEUE = ("QueueName", names.DEAD_LETTERS)
WORKGROUP = ("WorkGroup", names.WORKGROUP)

# Title, statistic, and metrics of each graph; a metric is a namespace, a name and dimensions.
GRAPHS = (
    (
        "Hops: records in and out",
        "Sum",
        (
            (PIPES, "EventCount", *PIPE),
            ("AWS/Kinesis", "IncomingRecords", *KINESIS),
            ("AWS/Firehose", "DataReadFromKinesisStream.Records", *FIREHOSE),
            ("AWS/Firehose", "SucceedProcessing.Records", *FIREHOSE),
            ("AWS/Firehose", "DeliveryToS3.Records", *FIREHOSE),
        ),
    ),
    (
        "Lag: milliseconds, and seconds until S3",
        "Maximum",
        (
            ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", *KINESIS),
            ("AWS/Firehose", "KinesisMillisBehindLatest", *FIREHOSE),
            ("AWS/Firehose", "DeliveryToS3.DataFreshness", *FIREHOSE),
        ),
    ),
    (
        "Failures",
        "Sum",
        (
            (PIPES, "ExecutionFailed", *PIPE),
            (PIPES, "ExecutionPartiallyFailed", *PIPE),
            (PIPES, "ExecutionThrottled", *PIPE),
            ("AWS/Lambda", "Errors", *FUNCTION),
            ("AWS/Lambda", "Throttles", *FUNCTION),
            (names.PIPELINE, names.FAILED_RECORDS),
            (names.PIPELINE, names.UNMET_EXPECTATIONS),
            ("AWS/Firehose", "PartitionCountExceeded", *FIREHOSE),
        ),
    ),
    (
        "Dead letters",
        "Maximum",
        (("AWS/SQS", "ApproximateNumberOfMessagesVisible", *QUEUE),),
    ),
    (
        "Cost: requests and objects",
        "Sum",
        (
            ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", *TABLE),
            ("AWS/Lambda", "Invocations", *FUNCTION),
            ("AWS/Lambda", "Duration", *FUNCTION),
            ("AWS/Firehose", "DeliveryToS3.ObjectCount", *FIREHOSE),
        ),
    ),
    (
        "Cost: bytes",
        "Sum",
        (
            ("AWS/Kinesis", "IncomingBytes", *KINESIS),
            ("AWS/Firehose", "DataReadFromKinesisStream.Bytes", *FIREHOSE),
            ("AWS/Firehose", "DeliveryToS3.Bytes", *FIREHOSE),
            ("AWS/Athena", "ProcessedBytes", *WORKGROUP),
        ),
    ),
)
COLUMNS = 2
GRID_WIDTH = 24  # CloudWatch's grid of a dashboard.
WIDTH = GRID_WIDTH // COLUMNS
HEIGHT = 6
HEADER_HEIGHT = 3


def dashboard_body(location: Location, alarm_names: Iterable[str]) -> dict[str, Any]:
    """Return the dashboard as CloudWatch stores it, as JSON."""
    graphs = [
        {
            "type": "metric",
            "x": number % COLUMNS * WIDTH,
            "y": HEADER_HEIGHT + number // COLUMNS * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": graph_properties(location, *graph),
        }
        for number, graph in enumerate(GRAPHS)
    ]
    return {"widgets": [*header(location, alarm_names), *graphs]}


def header(location: Location, alarm_names: Iterable[str]) -> list[Widget]:
    """Return the first row: what the dashboard is, and the states of the alarms."""
    alarms = [location.arn("cloudwatch", f"alarm:{name}") for name in alarm_names]
    text = (
        f"**{names.PIPELINE}** in {location.region}, made by setup/09_alarms.py, which replaces "
        f"changes. `python -m operations.status` says more, and what to do."
    )
    position = {"y": 0, "width": WIDTH, "height": HEADER_HEIGHT}
    return [
        {"type": "text", "x": 0, **position, "properties": {"markdown": text}},
        {
            "type": "alarm",
            "x": WIDTH,
            **position,
            "properties": {"title": "Alarms", "alarms": alarms},
        },
    ]


def graph_properties(
    location: Location, title: str, statistic: str, metrics: Iterable[tuple[str, ...]]
) -> dict[str, Any]:
    """Return the properties of a graph over time."""
    return {
        "title": title,
        "region": location.region,
        "view": "timeSeries",
        "stat": statistic,
        "period": 300,
        "metrics": [list(metric) for metric in metrics],
    }
