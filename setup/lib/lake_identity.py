"""Identity of a lake: a random id in its bucket, so that a bucket made again is another lake.

The id is the name of an empty object outside of the lake's prefix. It goes with the bucket. The
bucket's creation date would not do: S3 changes it when the bucket's policy is edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import boto3

from setup.names import LAKE_ID, bucket

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def find_lake_id() -> str | None:
    """Return the lake's id, or None if it has none yet."""
    return _find_lake_id(boto3.client("s3"))


def ensure_lake_id() -> str:
    """Return the lake's id, after creating it if the lake has none."""
    s3 = boto3.client("s3")
    lake_id = _find_lake_id(s3)
    if lake_id is None:
        lake_id = uuid4().hex
        s3.put_object(Bucket=bucket(), Key=f"{LAKE_ID}{lake_id}", Body=b"")
    return lake_id


def _find_lake_id(s3: S3Client) -> str | None:
    response = s3.list_objects_v2(Bucket=bucket(), Prefix=LAKE_ID)
    keys = [entry["Key"] for entry in response.get("Contents", ())]
    return min(keys).removeprefix(LAKE_ID) if keys else None
