"""CloudWatch metrics that the services publish about themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.literals import StandardUnitType
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

UNITS: Mapping[str, StandardUnitType] = {
    "Duration": "Milliseconds",
    "DeliveryToS3.DataFreshness": "Seconds",
    "GetRecords.IteratorAgeMilliseconds": "Milliseconds",
    "SuccessfulRequestLatency": "Milliseconds",
}


def put_metrics(
    cloudwatch: CloudWatchClient,
    namespace: str,
    dimension: tuple[str, str],
    values: Mapping[str, float],
    *other_dimensions: tuple[str, str],
) -> None:
    """Publish each value under its dimensions, each given as its name and value.

    AWS reserves the namespaces `AWS/…` for its services; moto accepts them. A service goes on
    if its metrics cannot be published, as on AWS.
    """
    dimensions: list[DimensionTypeDef] = [
        {"Name": name, "Value": value} for name, value in (dimension, *other_dimensions)
    ]
    data: list[MetricDatumTypeDef] = [
        {
            "MetricName": metric,
            "Value": measurement,
            "Unit": UNITS.get(metric, "Count"),
            "Dimensions": dimensions,
        }
        for metric, measurement in values.items()
    ]
    with suppress(BotoCoreError, ClientError):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
