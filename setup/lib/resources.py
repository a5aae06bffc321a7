"""Resources on AWS: their states, what a script requires of the scripts before it, comparisons."""

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import boto3
from botocore.exceptions import ClientError

from setup.lib.iam_policies import Policy, role_policies
from setup.lib.waiters import SetupError
from setup.names import CRAWLER, DELIVERY, FUNCTION, LAKE, PIPE, STREAM, TABLE, bucket, location

P = ParamSpec("P")
T = TypeVar("T")

MISSING_CODES = {
    "404",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "NotFoundException",
    "ResourceNotFound",  # A dashboard.
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "UnknownOperationException",  # A server without the operation, such as the laptop.
    "UnsupportedUserEditionException",  # A QuickSight edition without data sets.
}


def is_missing(error: ClientError) -> bool:
    """Return whether AWS says that the resource does not exist."""
    code = error.response["Error"]["Code"]
    if code == "InvalidRequestException":  # Athena has no code of its own for it.
        return "is not found" in error.response["Error"].get("Message", "")
    return code in MISSING_CODES


def describe_or_none(describe: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Return what AWS describes, or None if it does not exist."""
    try:
        return describe(*args, **kwargs)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def is_supported(call: Callable[[], object]) -> bool:
    """Make the call, and return whether the server knows it; a server other than AWS may not."""
    try:
        call()
    except ClientError as error:
        if _is_unknown(error):
            return False
        raise
    return True


def _is_unknown(error: ClientError) -> bool:
    code = error.response["Error"]["Code"]
    message = error.response["Error"].get("Message", "")
    # A server that does not know the one parameter of an update finds no parameter at all.
    is_empty_update = message.startswith(("Nothing to update", "At least one of"))
    return code == "UnknownOperationException" or (
        code == "ValidationException" and is_empty_update
    )


def unsupported_note(features: Sequence[str]) -> str:
    """Return the end of a line that names what the resource's server does not support.

    >>> unsupported_note(["TTL", "encryption"])
    ', without TTL and encryption, which its server does not support'
    >>> unsupported_note([])
    ''
    """
    if not features:
        return ""
    *others, last = features
    listed = f"{', '.join(others)} and {last}" if others else last
    return f", without {listed}, which its server does not support"


def require(
    label: str, script: str, describe: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Return what AWS describes; if it is missing, raise an error naming the script to run."""
    description = describe_or_none(describe, *args, **kwargs)
    if description is None:
        raise SetupError(f"{label} is missing: run python setup/{script}.py")
    return description


def require_role(service: str) -> str:
    """Return the ARN of a service's role."""
    name = location().role_name(service)
    role = require(f"role {name}", "04_iam", boto3.client("iam").get_role, RoleName=name)
    return str(role["Role"]["Arn"])


def require_stream() -> str:
    """Return the ARN of the Kinesis stream."""
    describe = boto3.client("kinesis").describe_stream_summary
    stream = require(f"stream {STREAM}", "02_kinesis", describe, StreamName=STREAM)
    return str(stream["StreamDescriptionSummary"]["StreamARN"])


def table_arn() -> str | None:
    """Return the ARN that the table's server reports, or None."""
    response = describe_or_none(boto3.client("dynamodb").describe_table, TableName=TABLE)
    return response["Table"].get("TableArn") if response else None


def stream_arn() -> str | None:
    """Return the ARN that the Kinesis stream's server reports, or None."""
    describe = boto3.client("kinesis").describe_stream_summary
    response = describe_or_none(describe, StreamName=STREAM)
    return response["StreamDescriptionSummary"].get("StreamARN") if response else None


def current_role_policies() -> dict[str, Policy]:
    """Return each role's permissions policy, for the table and the stream as they are."""
    return role_policies(location(), table_arn(), stream_arn())


def require_bucket() -> str:
    """Return the ARN of the lake's bucket."""
    require(f"bucket {bucket()}", "03_s3", boto3.client("s3").head_bucket, Bucket=bucket())
    return location().bucket_arn()


def has_lake_rows() -> bool:
    """Return whether the lake has rows: then what is created now was there before."""
    list_objects = boto3.client("s3").list_objects_v2
    response = describe_or_none(list_objects, Bucket=bucket(), Prefix=LAKE, MaxKeys=1)
    return response is not None and response["KeyCount"] > 0


# Descriptions have a different type for each operation.
def state_at(path: tuple[str, ...], describe: Callable[..., Any], **kwargs: str) -> str:
    """Return the state at a path of what AWS describes, or `missing`."""
    value = describe_or_none(describe, **kwargs)
    if value is None:
        return "missing"
    for member in path:
        value = value[member]
    return str(value)


def stream_state() -> str:
    """Return the Kinesis stream's `ACTIVE`, `UPDATING` and so on, or `missing`."""
    path = ("StreamDescriptionSummary", "StreamStatus")
    return state_at(path, boto3.client("kinesis").describe_stream_summary, StreamName=STREAM)


def pipe_state() -> str:
    """Return the pipe's `RUNNING`, `STOPPED` and so on, with a failure's reason, or `missing`."""
    pipe = describe_or_none(boto3.client("pipes").describe_pipe, Name=PIPE)
    if pipe is None:
        return "missing"
    return _with_reason(pipe["CurrentState"], pipe.get("StateReason"))


def delivery_state() -> str:
    """Return the Firehose stream's `ACTIVE` and so on, with a failure's reason, or `missing`."""
    describe = boto3.client("firehose").describe_delivery_stream
    response = describe_or_none(describe, DeliveryStreamName=DELIVERY)
    if response is None:
        return "missing"
    stream = response["DeliveryStreamDescription"]
    failure = stream.get("FailureDescription", {})
    return _with_reason(stream["DeliveryStreamStatus"], failure.get("Details"))


def _with_reason(state: str, reason: str | None) -> str:
    return f"{state}: {reason or 'no reason given'}" if "FAILED" in state else state


def function_state() -> str:
    """Return the state of the function's last change, or `missing`.

    It is `Successful`, `Pending` or `InProgress`, or `Failed` and `CREATE_FAILED` with a reason.
    """
    describe = boto3.client("lambda").get_function_configuration
    config = describe_or_none(describe, FunctionName=FUNCTION)
    if config is None:
        return "missing"
    if config.get("State") == "Failed":
        return f"CREATE_FAILED: {config.get('StateReason', 'no reason given')}"
    if config.get("State") == "Pending":
        return "Pending"
    update = str(config.get("LastUpdateStatus", "Successful"))
    if update == "Failed":
        return f"Failed: {config.get('LastUpdateStatusReason', '')}"
    return update


def is_stream_enabled(arn: str) -> bool:
    """Return whether a table's stream exists and records changes."""
    describe = boto3.client("dynamodbstreams").describe_stream
    state = state_at(("StreamDescription", "StreamStatus"), describe, StreamArn=arn)
    return state in ("ENABLING", "ENABLED")


def crawler_state() -> str:
    """Return the crawler's `READY`, `RUNNING` or `STOPPING`, or `missing`."""
    return state_at(("Crawler", "State"), boto3.client("glue").get_crawler, Name=CRAWLER)
