"""Kinesis: whether the stream is active, and its key usable. Nothing here reads the stream.

A read from an hour back would raise the iterator age, which the alarm `kinesis-late` watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from operations.status.check import CHECK_AGAIN
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup import names
from setup.names import STREAM

if TYPE_CHECKING:
    from types_boto3_kinesis.type_defs import StreamDescriptionSummaryTypeDef

AWS_KEY = "alias/aws/kinesis"  # AWS manages it: nobody can disable it.


def check(_: MetricHistory | None) -> CheckResult:
    """Check that the stream is active and that its key is enabled."""
    response = boto3.client("kinesis").describe_stream_summary(StreamName=STREAM)
    return check_description(response["StreamDescriptionSummary"])


def check_description(stream: StreamDescriptionSummaryTypeDef) -> CheckResult:
    """Return the result for a stream as Kinesis describes it."""
    state = stream["StreamStatus"]
    if state not in ("ACTIVE", "UPDATING"):
        return CheckResult("Kinesis", state, Status.UNKNOWN, CHECK_AGAIN)
    key = stream.get("KeyId", AWS_KEY)
    if not key.endswith(AWS_KEY):
        metadata = boto3.client("kms").describe_key(KeyId=key)["KeyMetadata"]
        if metadata["KeyState"] != "Enabled":
            message = f"{state}, but its key {key} is {metadata['KeyState']}"
            remedy = f"aws kms enable-key --key-id {key}"
            return CheckResult("Kinesis", message, Status.PROBLEM, remedy)
        if key == names.KMS_KEY:  # The policies of the roles, which status compares, allow it.
            return CheckResult("Kinesis", f"{state}, with your key")
        message = f"{state}; whether the roles may use its key {key} is not known"
        remedy = f"setup uses {AWS_KEY}, or the key that KMS_KEY_ARN names"
        return CheckResult("Kinesis", message, Status.UNKNOWN, remedy)
    return CheckResult("Kinesis", state)
