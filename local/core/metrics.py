"""Metrics of the services themselves, where CloudWatch's readers look for them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

UNITS = {
    "Duration": "Milliseconds",
    "DeliveryToS3.DataFreshness": "Seconds",
    "GetRecords.IteratorAgeMilliseconds": "Milliseconds",
}


def put_metrics(
    cloudwatch: Any, namespace: str, of: tuple[str, str], values: Mapping[str, float]
) -> None:
    """Note each value, for the one thing that the dimension `of` (its name and value) means.

    The real service keeps the namespaces `AWS/…` to itself; moto takes them. A metric that
    cannot be noted stops nothing, as on AWS.
    """
    dimensions = [{"Name": of[0], "Value": of[1]}]
    data = [
        {
            "MetricName": name,
            "Value": value,
            "Unit": UNITS.get(name, "Count"),
            "Dimensions": dimensions,
        }
        for name, value in values.items()
    ]
    with suppress(BotoCoreError, ClientError):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
