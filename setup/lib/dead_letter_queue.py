"""The queue of the changes that the pipe gives up: dead letters, kept for as long as SQS can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import boto3

from setup import names
from setup.lib.comparison import matches_desired
from setup.lib.resources import describe_or_none
from setup.lib.tags import ensure_tags
from setup.lib.waiters import retry_until_accepted
from setup.names import DEAD_LETTERS, TAGS, arn

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

QueueAttributes = dict["QueueAttributeNameType", str]
RETENTION: QueueAttributes = {"MessageRetentionPeriod": "1209600"}  # 14 days


def put_queue() -> str:
    """Create the dead-letter queue or update its attributes, and return its ARN."""
    sqs = boto3.client("sqs")
    queue = describe_or_none(sqs.get_queue_url, QueueName=DEAD_LETTERS)
    url = queue["QueueUrl"] if queue else ""
    response = None
    if url:
        # AWS may still return the URL of a queue that was deleted less than a minute ago.
        response = describe_or_none(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
    if response is None:
        retry_until_accepted(
            lambda: sqs.create_queue(
                QueueName=DEAD_LETTERS, Attributes=queue_attributes({}), tags=TAGS
            )
        )
        return arn("sqs", DEAD_LETTERS)
    desired = queue_attributes(response["Attributes"])
    if not matches_desired(desired, response["Attributes"]):
        sqs.set_queue_attributes(QueueUrl=url, Attributes=desired)
    ensure_tags("sqs", url)
    return arn("sqs", DEAD_LETTERS)


def queue_attributes(current: Mapping[QueueAttributeNameType, str]) -> QueueAttributes:
    """Return the queue's attributes; a key that a user gave it stays."""
    if names.KMS_KEY:
        return {**RETENTION, "KmsMasterKeyId": names.KMS_KEY}
    if current.get("KmsMasterKeyId"):
        return RETENTION
    return {**RETENTION, "SqsManagedSseEnabled": "true"}
