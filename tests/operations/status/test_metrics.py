"""Metrics of the pipeline, as they are read from CloudWatch."""

from datetime import datetime, timedelta

import boto3

from operations.status.metrics import KINESIS_RECORDS, PIPE_EVENTS, Metric, fetch_history
from tests.support.laptop_cloud import laptop
from tests.support.metric_history import NOW, STREAM

LABEL = "2026-11-29T08:00:00.000"


def publish(metric: Metric, time: datetime, value: float) -> None:
    """Publish one value of a metric."""
    boto3.client("cloudwatch").put_metric_data(
        Namespace=metric.namespace,
        MetricData=[
            {
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": text} for name, text in metric.dimensions],
                "Timestamp": time,
                "Value": value,
            }
        ],
    )


def test_counts_are_of_hours_and_reads_of_days() -> None:
    with laptop():
        publish(STREAM.records, NOW - timedelta(days=20), 1)
        publish(STREAM.records, NOW - timedelta(days=14, hours=1), 2)
        publish(PIPE_EVENTS, NOW - timedelta(hours=4), 3)
        publish(PIPE_EVENTS, NOW - timedelta(hours=3), 8)
        publish(PIPE_EVENTS, NOW - timedelta(hours=2), 4)
        publish(PIPE_EVENTS, NOW - timedelta(minutes=9), 5)  # settles at 11:55
        publish(PIPE_EVENTS, NOW, 6)
        publish(KINESIS_RECORDS, NOW, 7)
        delay = timedelta(minutes=1)
        history = fetch_history(boto3.client("cloudwatch"), LABEL, 3, delay, NOW)
    assert (history.total(PIPE_EVENTS), history.settled_total(PIPE_EVENTS)) == (23, 17)
    assert history.recent(PIPE_EVENTS) == [5, 6]
    assert history.total(KINESIS_RECORDS) == 7
    assert history.newest_read() == (NOW - timedelta(days=14, hours=1)).replace(minute=0)
    assert (history.now, history.started_at) == (NOW, NOW - timedelta(hours=3))
    assert history.settled_at == NOW - delay - timedelta(minutes=6)
