"""What Firehose does with what is put into Kinesis, as far as who puts it there must know."""

from typing import Any

import boto3

from setup.names import DELIVERY

PATIENCE = 1.5  # Firehose's intervals: dynamic partitioning may delay a change for so long


class NotReady(Exception):
    """What would be put into Kinesis would not reach the lake; the text says what to run."""


def check_active() -> None:
    """Refuse while Firehose does not read: what Kinesis has before it does is never delivered."""
    status = _described()["DeliveryStreamStatus"]
    if status != "ACTIVE":
        raise NotReady(f"delivery stream {DELIVERY} is {status}: run python setup/06_firehose.py")


def delay() -> float:
    """Return for how many seconds Firehose may hold a change back."""
    destination = _described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    return PATIENCE * destination["BufferingHints"]["IntervalInSeconds"]


def _described() -> dict[str, Any]:
    firehose = boto3.client("firehose")
    return firehose.describe_delivery_stream(DeliveryStreamName=DELIVERY)[
        "DeliveryStreamDescription"
    ]
