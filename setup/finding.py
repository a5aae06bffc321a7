"""What AWS already has: a description, the lack of one, and whether it is as wanted."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

MISSING = {
    "404",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "NotFoundException",
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
}


def is_missing(error: ClientError) -> bool:
    """Return whether AWS says that the thing asked for does not exist."""
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    # Athena has no code of its own for it.
    return code in MISSING or (code == "InvalidRequestException" and "is not found" in text)


def existing(describe: Callable[..., dict[str, Any]], **which: Any) -> dict[str, Any] | None:
    """Return what AWS describes, or None where it does not exist."""
    try:
        return describe(**which)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def agrees(wanted: Any, found: Any) -> bool:
    """Return whether all that is wanted is found; AWS may describe more than it was told.

    >>> agrees({"Size": 1, "Of": [{"Name": "a"}]}, {"Size": 1, "Of": [{"Name": "a", "Age": 3}]})
    True
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and agrees(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(found, list | tuple) and all(
            any(agrees(value, other) for other in found) for value in wanted
        )
    return bool(wanted == found)
