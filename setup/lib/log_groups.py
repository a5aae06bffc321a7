"""Log groups: created before their services write to them, so that their events expire."""

from typing import Any

import boto3

from setup import names
from setup.lib.comparison import differs
from setup.lib.resources import describe_or_none
from setup.lib.tags import ensure_tags
from setup.names import TAGS, arn


def ensure_log_group(group: str, retention_days: int = 30) -> None:
    """Create the log group if it is missing, and set its retention, key and tags."""
    logs = boto3.client("logs")
    matches = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    current: Any = {match["logGroupName"]: match for match in matches}.get(group)
    if current is None:
        key: Any = {"kmsKeyId": names.KMS_KEY} if names.KMS_KEY else {}
        logs.create_log_group(logGroupName=group, tags=TAGS, **key)
        current = {}
    elif names.KMS_KEY and differs("kmsKeyId", names.KMS_KEY, current.get("kmsKeyId")):
        logs.associate_kms_key(logGroupName=group, kmsKeyId=names.KMS_KEY)
    if differs("retentionInDays", retention_days, current.get("retentionInDays")):
        logs.put_retention_policy(logGroupName=group, retentionInDays=retention_days)
    ensure_tags("logs", arn("logs", f"log-group:{group}"))


def ensure_log_stream(group: str, stream: str) -> None:
    """Create a log stream in the log group if it is missing."""
    logs = boto3.client("logs")
    response = describe_or_none(
        logs.describe_log_streams, logGroupName=group, logStreamNamePrefix=stream
    )
    # With writes blocked, as for `python setup --check`, the group may still be missing.
    matches = response["logStreams"] if response else []
    if stream not in [match["logStreamName"] for match in matches]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
