"""Create the alarms: each tells of changes that are late, or on their way to being lost.

With ALARM_EMAIL they write to that address, once it has confirmed.
"""

import os
from dataclasses import dataclass
from typing import Any

import boto3
import names
from finding import agrees, existing
from names import ALARM_TOPIC, FAILED_RECORDS, PIPELINE, arn
from script import run


@dataclass(frozen=True, slots=True)
class Alarm:
    """A metric of one resource that is wrong once it is above the threshold."""

    name: str
    namespace: str
    metric: str
    of: tuple[str, str] | None
    statistic: str = "Sum"
    threshold: float = 0

    def described(self) -> dict[str, Any]:
        """Return the alarm in AWS's words: five minutes above the threshold are enough."""
        return {
            "AlarmName": f"{PIPELINE}-{self.name}",
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": self.of[0], "Value": self.of[1]}] if self.of else [],
            "Statistic": self.statistic,
            "Threshold": self.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "Period": 300,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
        }


PIPE, KINESIS = ("PipeName", names.PIPE), ("StreamName", names.STREAM)
FIREHOSE = ("DeliveryStreamName", names.DELIVERY)
FUNCTION, QUEUE = ("FunctionName", names.FUNCTION), ("QueueName", names.DEAD_LETTERS)
AGE, FRESHNESS = "GetRecords.IteratorAgeMilliseconds", "DeliveryToS3.DataFreshness"
LETTERS = "ApproximateNumberOfMessagesVisible"

ALARMS = (
    Alarm("pipe-failed", "AWS/EventBridge/Pipes", "ExecutionFailed", PIPE),
    Alarm("pipe-failed-in-part", "AWS/EventBridge/Pipes", "ExecutionPartiallyFailed", PIPE),
    Alarm("dead-letters", "AWS/SQS", LETTERS, QUEUE, "Maximum"),
    Alarm("kinesis-late", "AWS/Kinesis", AGE, KINESIS, "Maximum", 300_000),  # milliseconds
    Alarm("firehose-late", "AWS/Firehose", FRESHNESS, FIREHOSE, "Maximum", 900),  # seconds
    Alarm("firehose-days", "AWS/Firehose", "PartitionCountExceeded", FIREHOSE, "Maximum"),
    Alarm("function-failed", "AWS/Lambda", "Errors", FUNCTION),
    Alarm("records-failed", PIPELINE, FAILED_RECORDS, None),
)


def create() -> str:
    """Create or update the alarms, and say whom they tell."""
    cloudwatch, topic = boto3.client("cloudwatch"), alarm_topic(os.environ.get("ALARM_EMAIL"))
    for alarm in ALARMS:
        wanted = alarm.described() | {"AlarmActions": [topic] if topic else []}
        found = cloudwatch.describe_alarms(AlarmNames=[wanted["AlarmName"]])["MetricAlarms"]
        if not agrees([wanted], found):
            cloudwatch.put_metric_alarm(**wanted, Tags=names.TAG_LIST)
    return f"{len(ALARMS)} alarms" + (f" tell {topic}" if topic else ", which tell nobody")


def alarm_topic(email: str | None) -> str | None:
    """Return the topic that the alarms tell, with the address subscribed; None without either."""
    sns, topic = boto3.client("sns"), arn("sns", ALARM_TOPIC)
    if not existing(sns.get_topic_attributes, TopicArn=topic):
        if not email:
            return None
        sns.create_topic(Name=ALARM_TOPIC, Tags=names.TAG_LIST)
    if email and email not in subscribers(sns, topic):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=email)
    return topic


def subscribers(sns: Any, topic: str) -> list[str]:
    """Return the addresses that the topic writes to, or has asked to confirm."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [found["Endpoint"] for page in pages for found in page["Subscriptions"]]


if __name__ == "__main__":
    run(create, __doc__)
