"""Completion of a backfill: an empty object in the lake's bucket, named by table and stream.

It goes with the bucket, so a lake made again is known to lack the backfill.
"""

from __future__ import annotations

import boto3

from setup.names import BACKFILLS, bucket


def record_completion(stream: str) -> None:
    """Record that every item was sent in the order of a stream (its ARN)."""
    boto3.client("s3").put_object(Bucket=bucket(), Key=_object_key(stream), Body=b"")


def is_completed(stream: str) -> bool:
    """Return whether the lake has a complete backfill in the order of a stream (its ARN)."""
    key = _object_key(stream)
    response = boto3.client("s3").list_objects_v2(Bucket=bucket(), Prefix=key)
    return any(entry["Key"] == key for entry in response.get("Contents", ()))


def _object_key(stream: str) -> str:
    return f"{BACKFILLS}{stream.partition(':table/')[2]}"
