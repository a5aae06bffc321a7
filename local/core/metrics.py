"""CloudWatch metrics that the services publish about themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.literals import StandardUnitType
    from types_boto3_cloudwatch.type_defs import MetricDatumTypeDef

UNITS: Mapping[str, StandardUnitType] = {
    "Duration": "Milliseconds",
    "DeliveryToS3.DataFreshness": "Seconds",
    "GetRecords.IteratorAgeMilliseconds": "Milliseconds",
}


def put_metrics(
    cloudwatch: CloudWatchClient,
    namespace: str,
    dimension: tuple[str, str],
    values: Mapping[str, float],
) -> None:
    """Publish each value under one dimension, given as its name and value.

    AWS reserves the namespaces `AWS/…` for its services; moto accepts them. A service goes on
    if its metrics cannot be published, as on AWS.
    """
    name, value = dimension
    data: list[MetricDatumTypeDef] = [
        {
            "MetricName": metric,
            "Value": measurement,
            "Unit": UNITS.get(metric, "Count"),
            "Dimensions": [{"Name": name, "Value": value}],
        }
        for metric, measurement in values.items()
    ]
    with suppress(BotoCoreError, ClientError):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
