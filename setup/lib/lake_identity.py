"""Identity of a lake: a random id in its bucket, so that a bucket made again is another lake.

The id is the name of an empty object outside of the lake's prefix. It goes with the bucket. The
bucket's creation date would not do: S3 changes it when the bucket's policy is edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3

from setup.names import LAKE_ID, bucket

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True, slots=True)
class LakeIdentity:
    """The lake that a document is about; the id is None if the lake has none yet."""

    bucket: str
    lake_id: str | None

    @classmethod
    def fetch(cls) -> LakeIdentity:
        """Return the identity of this pipeline's lake."""
        return cls(bucket(), find_lake_id())

    def mismatch(self, document: Mapping[str, object]) -> str | None:
        """Return why a document is not about this lake, with the fix; None if it is."""
        if document["bucket"] != self.bucket:
            return f"it is about another lake: {document['bucket']}, not {self.bucket}"
        if self.lake_id is None:
            return (
                f"it may be about an earlier lake, since bucket {self.bucket} has no id: "
                f"run python setup/03_s3.py, then python -m operations.verify --json FILE"
            )
        if document.get("lake_id") != self.lake_id:
            return (
                f"it is about an earlier lake in bucket {self.bucket}: "
                f"run python -m operations.verify --json FILE"
            )
        return None


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
