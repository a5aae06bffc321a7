"""Firehose checks that senders need: is it ACTIVE, and how long does it buffer."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import boto3

from setup.lib.errors import UserError
from setup.names import DELIVERY

if TYPE_CHECKING:
    from types_boto3_firehose.type_defs import (
        DeliveryStreamDescriptionTypeDef,
        ExtendedS3DestinationDescriptionTypeDef,
        ProcessorOutputTypeDef,
    )

FLUSH_MARGIN = 1.5  # buffering intervals: AWS calls them hints, and may exceed them by half
DEFAULT_LAMBDA_INTERVAL = 60  # seconds, of a processor that does not name its interval


class PipelineNotReady(UserError):
    """Records put into Kinesis now would not reach the lake; the message says what to run."""


def require_active() -> None:
    """Raise PipelineNotReady unless Firehose is ACTIVE.

    Firehose never delivers what Kinesis received before the delivery stream became ACTIVE.
    """
    status = _describe()["DeliveryStreamStatus"]
    if status != "ACTIVE":
        raise PipelineNotReady(
            f"delivery stream {DELIVERY} is {status}: run python setup/06_firehose.py"
        )


def max_delay_seconds() -> float:
    """Return the longest time that Firehose buffers a change: for the function, then for S3."""
    return buffer_seconds(_describe()["Destinations"][0]["ExtendedS3DestinationDescription"])


def buffer_seconds(destination: ExtendedS3DestinationDescriptionTypeDef) -> float:
    """Return for how long at most a destination buffers a change."""
    processing = destination.get("ProcessingConfiguration", {})
    lambda_interval = 0
    if processing.get("Enabled"):
        lambda_interval = max(map(_lambda_interval, processing.get("Processors", [])), default=0)
    return FLUSH_MARGIN * (lambda_interval + destination["BufferingHints"]["IntervalInSeconds"])


def _lambda_interval(processor: ProcessorOutputTypeDef) -> int:
    """Return for how long Firehose gathers records for a processor."""
    if processor["Type"] != "Lambda":
        return 0
    parameters = {
        parameter["ParameterName"]: parameter["ParameterValue"]
        for parameter in processor.get("Parameters", [])
    }
    return int(parameters.get("BufferIntervalInSeconds", DEFAULT_LAMBDA_INTERVAL))


def describe_creation() -> str:
    """Return the delivery stream's ARN with its creation time, which tells it from its successor.

    One that was made again never delivers what Kinesis received before.
    """
    stream = _describe()
    created_at = stream["CreateTimestamp"].astimezone(UTC).isoformat()
    return f"{stream['DeliveryStreamARN']}, created at {created_at}"


def _describe() -> DeliveryStreamDescriptionTypeDef:
    response = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=DELIVERY)
    return response["DeliveryStreamDescription"]
