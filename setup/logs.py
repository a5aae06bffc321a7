"""Log groups: whoever creates one first decides how long it keeps its lines."""

import boto3
from names import TAGS


def keep_log(group: str, stream: str = "", days: int = 30) -> None:
    """Create the log group, and a stream in it where one is named; its lines expire."""
    logs = boto3.client("logs")
    alike = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if group not in [found["logGroupName"] for found in alike]:
        logs.create_log_group(logGroupName=group, tags=TAGS)
    logs.put_retention_policy(logGroupName=group, retentionInDays=days)
    if stream:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)
        if stream not in [found["logStreamName"] for found in streams["logStreams"]]:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
