"""Log groups: whoever creates one first decides how long it keeps its lines."""

import boto3

from setup.lib.resources import describe_or_none
from setup.names import TAGS


def ensure_log_group(group: str, stream: str = "", days: int = 30) -> None:
    """Create the log group, and a stream in it where one is named; its lines expire."""
    logs = boto3.client("logs")
    alike = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    kept = {found["logGroupName"]: found.get("retentionInDays") for found in alike}
    if group not in kept:
        logs.create_log_group(logGroupName=group, tags=TAGS)
    if kept.get(group) != days:
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)
    if stream:
        which = {"logGroupName": group, "logStreamNamePrefix": stream}
        found = describe_or_none(logs.describe_log_streams, **which) or {"logStreams": []}
        if stream not in [one["logStreamName"] for one in found["logStreams"]]:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
