"""Firehose's error objects in S3: read whole, and moved once their records are on their way.

An object is copied to `replayed/` before it goes. What stays of it takes its place under the same
key in one step, so that at any moment each record lies under `errors/`, or is acknowledged.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any

from botocore.exceptions import ClientError

from operations.replay.tempfiles import CHUNK, Spools, chunks
from setup.names import ERRORS, REPLAYED

GZIP = b"\x1f\x8b"  # how compressed content begins, whatever its name and its headers say
GONE = ("NoSuchKey", "404", "PreconditionFailed", "412")


class Unreadable(Exception):
    """An object whose content cannot be had."""


class Moved(Exception):
    """Another replay has moved or changed the object in the meantime."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as S3 lists it."""

    key: str
    etag: str

    @property
    def replayed_key(self) -> str:
        """Where its copy goes; what is left of an object later gets a name of its own."""
        version = self.etag.strip('"')[:8]
        return f"{REPLAYED}{self.key.removeprefix(ERRORS)}.{version}"


@dataclass(frozen=True, slots=True)
class Content:
    """What an object holds, without compression, and how it is kept in S3."""

    file: IO[bytes]
    is_compressed: bool = False
    encoding: str = ""


class ErrorObjects:
    """The error objects of a bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def entries(self) -> Iterator[Entry]:
        """Return every object under the error prefix that has content and was there before.

        What fails again while others are sent makes new objects: they are for another time.
        """
        pages = self._s3.get_paginator("list_objects_v2")
        asked_at = None
        for page in pages.paginate(Bucket=self._bucket, Prefix=ERRORS):
            asked_at = asked_at or answered_at(page)
            for found in page.get("Contents", ()):
                if found["Size"] and found["LastModified"].replace(microsecond=0) <= asked_at:
                    yield Entry(found["Key"], found["ETag"])

    def place(self, key: str) -> str:
        """Return where an object lies, for people."""
        return f"s3://{self._bucket}/{key}"

    def content(self, entry: Entry, spools: Spools) -> Content:
        """Return the content of an object; all of it is here when it returns."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=entry.key, IfMatch=entry.etag)
        except ClientError as error:
            raise _moved(error) from None
        body = spools.new()
        for chunk in answer["Body"].iter_chunks(CHUNK):
            body.write(chunk)
        return Content(plain(body, spools), is_compressed(body), answer.get("ContentEncoding", ""))

    def move(self, entry: Entry, audit: IO[bytes], rest: Content | None) -> None:
        """Copy an object to `replayed/`, its audit beside it; leave the rest of it, or nothing."""
        source = {"Bucket": self._bucket, "Key": entry.key}
        which = {"CopySource": source, "CopySourceIfMatch": entry.etag}
        try:
            self._s3.copy_object(Bucket=self._bucket, Key=entry.replayed_key, **which)
        except ClientError as error:
            raise _moved(error) from None
        self.write(f"{entry.replayed_key}.audit.jsonl", Content(audit))
        if rest is None:
            self._s3.delete_object(**source)
        else:
            self.write(entry.key, rest)

    def write(self, key: str, content: Content) -> None:
        """Write an object."""
        encoding = {"ContentEncoding": content.encoding} if content.encoding else {}
        with Spools() as spools:
            body = compressed(content.file, spools) if content.is_compressed else content.file
            body.seek(0)
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, **encoding)


def answered_at(answer: dict[str, Any]) -> datetime:
    """Return when S3 answered, by its own clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def plain(body: IO[bytes], spools: Spools) -> IO[bytes]:
    """Return the content of an object without its compression, if it has one."""
    if not is_compressed(body):
        return body
    body.seek(0)
    content = spools.new()
    try:
        with gzip.GzipFile(fileobj=body, mode="rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                content.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(f"not gzip: {error}") from None
    return content


def compressed(content: IO[bytes], spools: Spools) -> IO[bytes]:
    """Return content as a compressed object keeps it."""
    body = spools.new()
    with gzip.GzipFile(fileobj=body, mode="wb") as file:
        for chunk in chunks(content):
            file.write(chunk)
    return body


def is_compressed(body: IO[bytes]) -> bool:
    """Return whether an object's content is compressed."""
    body.seek(0)
    return body.read(len(GZIP)) == GZIP


def _moved(error: ClientError) -> Exception:
    return Moved() if error.response["Error"]["Code"] in GONE else error
