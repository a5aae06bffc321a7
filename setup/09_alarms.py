"""Create the alarms: each tells of changes that are late, or on their way to being lost.

With ALARM_EMAIL they write to that address, once it has confirmed.
"""

import os
import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup import names
from setup.lib.cli import run
from setup.lib.resources import describe_or_none, matches_desired
from setup.names import PIPELINE, arn

PIPE, KINESIS = ("PipeName", names.PIPE), ("StreamName", names.STREAM)
FIREHOSE = ("DeliveryStreamName", names.DELIVERY)
FUNCTION, QUEUE = ("FunctionName", names.FUNCTION), ("QueueName", names.DEAD_LETTERS)
AGE, FRESHNESS = "GetRecords.IteratorAgeMilliseconds", "DeliveryToS3.DataFreshness"
LETTERS = "ApproximateNumberOfMessagesVisible"

# Name; namespace, metric and dimension; statistic, and the threshold that is too much.
ALARMS = (
    ("pipe-failed", "AWS/EventBridge/Pipes", "ExecutionFailed", PIPE, "Sum", 0),
    ("pipe-failed-in-part", "AWS/EventBridge/Pipes", "ExecutionPartiallyFailed", PIPE, "Sum", 0),
    ("dead-letters", "AWS/SQS", LETTERS, QUEUE, "Maximum", 0),
    ("kinesis-late", "AWS/Kinesis", AGE, KINESIS, "Maximum", 300_000),  # milliseconds
    ("firehose-late", "AWS/Firehose", FRESHNESS, FIREHOSE, "Maximum", 900),  # seconds
    ("firehose-days", "AWS/Firehose", "PartitionCountExceeded", FIREHOSE, "Maximum", 0),
    ("function-failed", "AWS/Lambda", "Errors", FUNCTION, "Sum", 0),
    ("records-failed", PIPELINE, names.FAILED_RECORDS, None, "Sum", 0),
)


def create() -> str:
    """Create or update the alarms, and say whom they tell."""
    cloudwatch, topic = boto3.client("cloudwatch"), alarm_topic(os.environ.get("ALARM_EMAIL"))
    ours = [topic] if topic else []
    for name, namespace, metric, dimension, statistic, threshold in ALARMS:
        wanted = {
            "AlarmName": f"{PIPELINE}-{name}",
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}] if dimension else [],
            "Statistic": statistic,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "Period": 300,
            "EvaluationPeriods": 1,  # Five minutes above the threshold are enough.
            "TreatMissingData": "notBreaching",
        }
        found = cloudwatch.describe_alarms(AlarmNames=[wanted["AlarmName"]])["MetricAlarms"]
        [now] = found or [{}]
        if not matches_desired(wanted, now) or not {*ours} <= {*now.get("AlarmActions", [])}:
            cloudwatch.put_metric_alarm(**wanted | told(now, ours), Tags=names.TAG_LIST)
    return f"{len(ALARMS)} alarms" + (f" tell {topic}" if topic else ", which tell nobody")


def told(alarm: dict[str, Any], ours: list[str]) -> dict[str, list[str]]:
    """Return whom the alarm tells: those that the user has it tell already, and ours."""
    kinds = ("AlarmActions", "OKActions", "InsufficientDataActions")
    others = {kind: alarm.get(kind, []) for kind in kinds}
    return others | {"AlarmActions": sorted({*others["AlarmActions"], *ours})}


def alarm_topic(email: str | None) -> str | None:
    """Return the topic that the alarms tell, with the address subscribed; None without either."""
    sns, topic = boto3.client("sns"), arn("sns", names.ALARM_TOPIC)
    if not describe_or_none(sns.get_topic_attributes, TopicArn=topic):
        if not email:
            return None
        sns.create_topic(Name=names.ALARM_TOPIC, Tags=names.TAG_LIST)
    if email and email not in subscribers(sns, topic):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=email)
    return topic


def subscribers(sns: Any, topic: str) -> list[str]:
    """Return the addresses that the topic writes to, or has asked to confirm."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [found["Endpoint"] for page in pages for found in page["Subscriptions"]]


if __name__ == "__main__":
    run(create, __doc__)
