"""Firehose's error objects in S3: downloaded, and archived once their records are sent.

An object is copied to `replayed/` before it is deleted or replaced by what remains of it, under
the same key and in one step. So each record is at any time under `errors/`, or acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING

from operations.object_content import Content, object_errors
from operations.tempfiles import SpooledFiles
from setup.names import ERRORS, REPLAYED

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """An object as S3 lists it."""

    key: str
    etag: str

    @property
    def replayed_key(self) -> str:
        """The key of its copy; unique, for what remains of an object may be replayed later."""
        version = self.etag.strip('"')[:8]
        return f"{REPLAYED}{self.key.removeprefix(ERRORS)}.{version}"


class ErrorObjects:
    """The error objects of a bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def list_objects(self) -> Iterator[ErrorObject]:
        """Yield every object under the error prefix that is not empty and not newer than the call.

        Records that fail again during a replay create new objects: they are for the next replay.
        """
        pages = self._s3.get_paginator("list_objects_v2")
        started_at = None
        for page in pages.paginate(Bucket=self._bucket, Prefix=ERRORS):
            started_at = started_at or response_time(page)
            for entry in page.get("Contents", ()):
                if entry["Size"] and entry["LastModified"].replace(microsecond=0) <= started_at:
                    yield ErrorObject(entry["Key"], entry["ETag"])

    def uri(self, key: str) -> str:
        """Return the S3 URI of an object."""
        return f"s3://{self._bucket}/{key}"

    def download(self, error_object: ErrorObject, files: SpooledFiles) -> Content:
        """Return the content of an object, completely downloaded.

        Like `archive`, raise ObjectChanged if another replay, or an erase, has changed it since.
        """
        with object_errors():
            response = self._s3.get_object(
                Bucket=self._bucket, Key=error_object.key, IfMatch=error_object.etag
            )
        return Content.read(response, files)

    def archive(
        self, error_object: ErrorObject, audit: IO[bytes], remaining: Content | None
    ) -> None:
        """Copy an object and its audit to `replayed/`; then replace it by what remains of it.

        If an erase rewrites the object in between, it also finds the copy, which is older.
        """
        with object_errors():
            self._s3.copy_object(
                Bucket=self._bucket,
                Key=error_object.replayed_key,
                CopySource={"Bucket": self._bucket, "Key": error_object.key},
                CopySourceIfMatch=error_object.etag,
            )
            self.write(f"{error_object.replayed_key}.audit.jsonl", Content(audit))
            self._replace(error_object, remaining)

    def _replace(self, error_object: ErrorObject, remaining: Content | None) -> None:
        """Write what remains of an object, or delete it, if it is still as it was listed."""
        key, etag = error_object.key, error_object.etag
        if remaining is None:
            self._s3.delete_object(Bucket=self._bucket, Key=key, IfMatch=etag)
        else:
            remaining.write(self._s3, self._bucket, key, replaced_etag=etag)

    def write(self, key: str, content: Content) -> None:
        """Write an object."""
        content.write(self._s3, self._bucket, key)


def response_time(response: ListObjectsV2OutputTypeDef) -> datetime:
    """Return when S3 sent a response, by S3's clock."""
    return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
