"""What AWS already has: what a script looks for, needs from the scripts before it, or compares."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from setup.lib.waiters import SetupError
from setup.names import CRAWLER, DELIVERY, FUNCTION, PIPE, STREAM, bucket, location

Describe = Callable[..., dict[str, Any]]

MISSING = {
    "404",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "NotFoundException",
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "UnsupportedUserEditionException",  # A QuickSight that has no such things.
}


def is_missing(error: ClientError) -> bool:
    """Return whether AWS says that the thing asked for does not exist."""
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    # Athena has no code of its own for it.
    return code in MISSING or (code == "InvalidRequestException" and "is not found" in text)


def describe_or_none(describe: Describe, **which: Any) -> dict[str, Any] | None:
    """Return what AWS describes, or None where it does not exist."""
    try:
        return describe(**which)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def matches_desired(wanted: Any, found: Any) -> bool:
    """Return whether all that is wanted is found; AWS may describe more, and leaves out the empty.

    >>> matches_desired({"Tags": [{"Key": "a"}]}, {"Tags": [{"Key": "a", "Value": "b"}], "Size": 3})
    True
    >>> matches_desired({"Filter": {"Rules": []}}, {})
    True
    >>> matches_desired({"Rules": []}, {"Rules": ["a rule"]})
    False
    """
    if isinstance(wanted, Mapping):
        found = {} if found is None else found
        return isinstance(found, Mapping) and all(
            matches_desired(value, found.get(key)) for key, value in wanted.items()
        )
    if wanted in (None, "", []):
        return not found
    if isinstance(wanted, list | tuple):
        return isinstance(found, list | tuple) and all(
            any(matches_desired(value, other) for other in found) for value in wanted
        )
    return bool(wanted == found)


def require(what: str, script: str, describe: Describe, **which: Any) -> dict[str, Any]:
    """Return what AWS describes, or refuse and name the script that makes it."""
    if (found := describe_or_none(describe, **which)) is None:
        raise SetupError(f"{what} is missing: run python setup/{script}.py")
    return found


def require_role(service: str) -> str:
    """Return the ARN of a service's role."""
    name, get_role = location().role_name(service), boto3.client("iam").get_role
    return require(f"role {name}", "04_iam", get_role, RoleName=name)["Role"]["Arn"]


def require_stream() -> str:
    """Return the ARN of the Kinesis stream."""
    describe = boto3.client("kinesis").describe_stream_summary
    found = require(f"stream {STREAM}", "02_kinesis", describe, StreamName=STREAM)
    return found["StreamDescriptionSummary"]["StreamARN"]


def require_bucket() -> str:
    """Return the ARN of the lake's bucket."""
    require(f"bucket {bucket()}", "03_s3", boto3.client("s3").head_bucket, Bucket=bucket())
    return location().bucket_arn()


def state_at(describe: Describe, *path: str, **which: Any) -> str:
    """Return a thing's state, which stands in that path of its description, or `missing`."""
    found: Any = describe_or_none(describe, **which)
    for member in path:
        found = found and found[member]
    return found or "missing"


def stream_state() -> str:
    """Return `ACTIVE`, `UPDATING` and so on, or `missing`."""
    path = ("StreamDescriptionSummary", "StreamStatus")
    return state_at(boto3.client("kinesis").describe_stream_summary, *path, StreamName=STREAM)


def pipe_state() -> str:
    """Return `RUNNING`, `STOPPED` and so on, with the reason of a failure, or `missing`."""
    if (found := describe_or_none(boto3.client("pipes").describe_pipe, Name=PIPE)) is None:
        return "missing"
    if "FAILED" in found["CurrentState"]:
        return f"{found['CurrentState']}: {found.get('StateReason', 'no reason given')}"
    return found["CurrentState"]


def delivery_state() -> str:
    """Return `ACTIVE`, `CREATING` and so on, with the reason of a failure, or `missing`."""
    describe = boto3.client("firehose").describe_delivery_stream
    found = describe_or_none(describe, DeliveryStreamName=DELIVERY)
    if found is None:
        return "missing"
    stream = found["DeliveryStreamDescription"]
    if "FAILED" in stream["DeliveryStreamStatus"]:
        reason = stream.get("FailureDescription", {}).get("Details", "no reason given")
        return f"{stream['DeliveryStreamStatus']}: {reason}"
    return stream["DeliveryStreamStatus"]


def function_state() -> str:
    """Return `Successful`, or what else became of the function or its last change, or `missing`."""
    describe = boto3.client("lambda").get_function_configuration
    if (found := describe_or_none(describe, FunctionName=FUNCTION)) is None:
        return "missing"
    if (state := found.get("State")) == "Failed":
        return f"CREATE_FAILED: {found.get('StateReason', 'no reason given')}"
    now = found.get("LastUpdateStatus", "Successful") if state != "Pending" else state
    return f"{now}: {found.get('LastUpdateStatusReason', '')}" if now == "Failed" else now


def crawler_state() -> str:
    """Return `READY`, `RUNNING`, `STOPPING` or `missing`."""
    return state_at(boto3.client("glue").get_crawler, "Crawler", "State", Name=CRAWLER)
