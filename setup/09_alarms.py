"""Create the alarms on changes that are late or at risk of being lost.

If ALARM_EMAIL is set, they notify that address, once its owner has confirmed the subscription.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import run_script
from setup.lib.resources import describe_or_none, matches_desired
from setup.names import PIPELINE, arn

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from types_boto3_sns.client import SNSClient

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
)


def create() -> str:
    """Create or update the alarms, and return a line that says whom they notify."""
    cloudwatch = boto3.client("cloudwatch")
    topic = ensure_topic(os.environ.get("ALARM_EMAIL"))
    for name, namespace, metric, dimension, statistic, threshold in ALARMS:
        desired = {
            "AlarmName": f"{PIPELINE}-{name}",
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}] if dimension else [],
            "Statistic": statistic,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "Period": 300,
            "EvaluationPeriods": 1,  # One period of five minutes above the threshold is enough.
            "TreatMissingData": "notBreaching",
        }
        put_alarm(cloudwatch, desired, topic)
    if topic is None:
        return f"{len(ALARMS)} alarms (no notifications; set ALARM_EMAIL)"
    return f"{len(ALARMS)} alarms notify {topic}"


def put_alarm(cloudwatch: CloudWatchClient, desired: dict[str, Any], topic: str | None) -> None:
    """Create the alarm, or update it if its settings differ or it does not notify the topic."""
    alarms = cloudwatch.describe_alarms(AlarmNames=[desired["AlarmName"]])["MetricAlarms"]
    current = alarms[0] if alarms else {}
    is_notifying = topic is None or topic in current.get("AlarmActions", [])
    if not matches_desired(desired, current) or not is_notifying:
        actions = merged_actions(current, topic)
        cloudwatch.put_metric_alarm(**desired, **actions, Tags=names.TAG_LIST)


def merged_actions(current: MetricAlarmTypeDef, topic: str | None) -> dict[str, Any]:
    """Return the actions that the user gave the alarm, which an update would drop, and ours."""
    alarm_actions = {*current.get("AlarmActions", []), *([topic] if topic else [])}
    return {
        "AlarmActions": sorted(alarm_actions),
        "OKActions": current.get("OKActions", []),
        "InsufficientDataActions": current.get("InsufficientDataActions", []),
    }


def ensure_topic(email: str | None) -> str | None:
    """Return the topic's ARN, with the address subscribed; None without topic and address."""
    sns = boto3.client("sns")
    topic = arn("sns", names.ALARM_TOPIC)
    if describe_or_none(sns.get_topic_attributes, TopicArn=topic) is None:
        if not email:
            return None
        sns.create_topic(Name=names.ALARM_TOPIC, Tags=names.TAG_LIST)
    if email and email not in subscribed_addresses(sns, topic):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=email)
    return topic


def subscribed_addresses(sns: SNSClient, topic: str) -> list[str]:
    """Return the topic's addresses, including those that have not confirmed yet."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [subscription["Endpoint"] for page in pages for subscription in page["Subscriptions"]]


if __name__ == "__main__":
    run_script(create, __doc__)
