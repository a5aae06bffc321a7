"""Create the alarms on changes that are late, lost or not read, and a dashboard of all hops.

If ALARM_EMAIL is set, the alarms notify that address, once its owner has confirmed the
subscription.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.alarm_topic import ensure_topic
from setup.lib.cli import run_script
from setup.lib.comparison import find_differences, matches_desired, note
from setup.lib.dashboard import dashboard_body
from setup.lib.resources import describe_or_none
from setup.lib.tags import ensure_tags
from setup.names import PIPELINE, arn, location

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

PIPE = ("PipeName", names.PIPE)
KINESIS = ("StreamName", names.STREAM)
FIREHOSE = ("DeliveryStreamName", names.DELIVERY)
FUNCTION = ("FunctionName", names.FUNCTION)
QUEUE = ("QueueName", names.DEAD_LETTERS)
ITERATOR_AGE = "GetRecords.IteratorAgeMilliseconds"
FRESHNESS = "DeliveryToS3.DataFreshness"
QUEUE_LENGTH = "ApproximateNumberOfMessagesVisible"

# Name, namespace, metric, dimension, statistic and threshold; the metric may not exceed it.
ALARMS = (
    ("pipe-failed", "AWS/EventBridge/Pipes", "ExecutionFailed", PIPE, "Sum", 0),
    ("pipe-failed-in-part", "AWS/EventBridge/Pipes", "ExecutionPartiallyFailed", PIPE, "Sum", 0),
    ("dead-letters", "AWS/SQS", QUEUE_LENGTH, QUEUE, "Maximum", 0),
    ("kinesis-late", "AWS/Kinesis", ITERATOR_AGE, KINESIS, "Maximum", 300_000),  # milliseconds
    ("firehose-late", "AWS/Firehose", FRESHNESS, FIREHOSE, "Maximum", 900),  # seconds
    ("firehose-days", "AWS/Firehose", "PartitionCountExceeded", FIREHOSE, "Maximum", 0),
    ("function-failed", "AWS/Lambda", "Errors", FUNCTION, "Sum", 0),
    ("records-failed", PIPELINE, names.FAILED_RECORDS, None, "Sum", 0),
    ("expectations-unmet", PIPELINE, names.UNMET_EXPECTATIONS, None, "Sum", 0),
)
# Kinesis publishes the age with each read, also of an empty stream: without it nobody reads.
HEARTBEATS = ("kinesis-late",)

# Metrics of the records that pass each place. A service publishes none while nothing passes.
WRITES = ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", ("TableName", names.TABLE))
IN_KINESIS = ("AWS/Kinesis", "IncomingRecords", KINESIS)
READ = ("AWS/Firehose", "DataReadFromKinesisStream.Records", FIREHOSE)
DELIVERED = ("AWS/Firehose", "DeliveryToS3.Records", FIREHOSE)
# Name, what came in, and what must have passed meanwhile.
SILENCE_ALARMS = (
    ("pipe-silent", WRITES, IN_KINESIS),
    ("firehose-silent", IN_KINESIS, READ),
    ("lake-silent", IN_KINESIS, DELIVERED),
)
SILENCE = "IF(FILL(came_in, 0) > 0 AND FILL(passed, 0) == 0, 1, 0)"
# A record of one period has left the buffers before the end of the next, so two periods in a row
# with input and without output are no delay, even at the longest FLUSH_SECONDS of 900.
SILENCE_PERIOD = 1800
ALARM_NAMES = [f"{PIPELINE}-{name}" for name, *_ in (*ALARMS, *SILENCE_ALARMS)]


def create() -> str:
    """Create or update the alarms and the dashboard, and return a line about them."""
    cloudwatch = boto3.client("cloudwatch")
    topic = ensure_topic(os.environ.get("ALARM_EMAIL"))
    for desired in (*threshold_alarms(), *silence_alarms()):
        put_alarm(cloudwatch, desired, topic)
    put_dashboard(cloudwatch)
    alarms = f"{len(ALARM_NAMES)} alarms"
    dashboard = f"dashboard {location().dashboard()}"
    if topic is None:
        return f"{alarms} (no notifications; set ALARM_EMAIL), {dashboard}"
    return f"{alarms} notify {topic}, {dashboard}"


def threshold_alarms() -> Iterator[dict[str, Any]]:
    """Yield the alarms on one metric each, as PutMetricAlarm takes them."""
    for name, namespace, metric, dimension, statistic, threshold in ALARMS:
        is_heartbeat = name in HEARTBEATS
        yield {
            "AlarmName": f"{PIPELINE}-{name}",
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}] if dimension else [],
            "Statistic": statistic,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "Period": 300,
            # One period of five minutes is enough, but a heartbeat may be published late.
            "EvaluationPeriods": 3 if is_heartbeat else 1,
            "TreatMissingData": "breaching" if is_heartbeat else "notBreaching",
        }


def silence_alarms() -> Iterator[dict[str, Any]]:
    """Yield the alarms on records that came in and did not pass, as PutMetricAlarm takes them."""
    for name, came_in, passed in SILENCE_ALARMS:
        yield {
            "AlarmName": f"{PIPELINE}-{name}",
            "Metrics": [
                {"Id": "silence", "Expression": SILENCE, "ReturnData": True},
                metric_query("came_in", *came_in),
                metric_query("passed", *passed),
            ],
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 2,
            "TreatMissingData": "notBreaching",  # An idle table is no fault.
        }


def metric_query(
    query_id: str, namespace: str, metric: str, dimension: tuple[str, str]
) -> dict[str, Any]:
    """Return the sum of a metric in each period, as an operand of an alarm's expression."""
    dimensions = [{"Name": dimension[0], "Value": dimension[1]}]
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions},
            "Period": SILENCE_PERIOD,
            "Stat": "Sum",
        },
        "ReturnData": False,
    }


def put_alarm(cloudwatch: CloudWatchClient, desired: dict[str, Any], topic: str | None) -> None:
    """Create the alarm, or update it if its settings differ or it does not notify the topic."""
    alarms = cloudwatch.describe_alarms(AlarmNames=[desired["AlarmName"]])["MetricAlarms"]
    current = alarms[0] if alarms else {}
    is_notifying = topic is None or topic in current.get("AlarmActions", [])
    if not matches_desired(desired, current) or not is_notifying:
        actions = merged_actions(current, topic)
        cloudwatch.put_metric_alarm(**desired, **actions, Tags=names.TAG_LIST)
    ensure_tags("cloudwatch", arn("cloudwatch", f"alarm:{desired['AlarmName']}"))


def put_dashboard(cloudwatch: CloudWatchClient) -> None:
    """Create the dashboard, or update it if its body differs."""
    name = location().dashboard()
    desired = dashboard_body(location(), ALARM_NAMES)
    response = describe_or_none(cloudwatch.get_dashboard, DashboardName=name)
    current = json.loads(response["DashboardBody"]) if response else None
    if current != desired:
        note(find_differences(desired, current))
        cloudwatch.put_dashboard(
            DashboardName=name, DashboardBody=json.dumps(desired), Tags=names.TAG_LIST
        )
    ensure_tags("cloudwatch", location().dashboard_arn())


def merged_actions(current: MetricAlarmTypeDef, topic: str | None) -> dict[str, Any]:
    """Return the actions that the user gave the alarm, which an update would drop, and ours."""
    alarm_actions = {*current.get("AlarmActions", []), *([topic] if topic else [])}
    return {
        "AlarmActions": sorted(alarm_actions),
        "OKActions": current.get("OKActions", []),
        "InsufficientDataActions": current.get("InsufficientDataActions", []),
    }


if __name__ == "__main__":
    run_script(create, __doc__)
