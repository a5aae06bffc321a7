"""Content of an S3 object, without the gzip compression that the object may have.

An object is replaced on the condition that it is still as it was read.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.tempfiles import CHUNK_BYTES, SpooledFiles, read_chunks
from setup.lib.errors import UserError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

GZIP_MAGIC = b"\x1f\x8b"  # decides whether content is compressed, whatever its name and headers say
HEADERS = ("ContentType", "ContentEncoding", "Metadata")
ATTEMPTS = 10  # to rewrite an object that others change
MISSING_CODES = ("NoSuchKey", "NoSuchVersion", "404")
CHANGED_CODES = ("PreconditionFailed", "412", "ConditionalRequestConflict")


class UnreadableObject(Exception):
    """The content of an object cannot be read."""


class ObjectChanged(Exception):
    """An object is not as it was read or listed."""


class ObjectMissing(ObjectChanged):
    """An object, or a version of it, does not exist."""


class ObjectKeepsChanging(UserError):
    """An object was changed again before each attempt to rewrite it."""


@dataclass(frozen=True, slots=True)
class Content:
    """The uncompressed content of an object, and how S3 stores it."""

    file: IO[bytes]
    is_compressed: bool = False
    headers: Mapping[str, Any] = field(default_factory=dict)  # parameters of a call of boto3

    @classmethod
    def read(cls, response: GetObjectOutputTypeDef, files: SpooledFiles) -> Content:
        """Return the content of an object, completely downloaded."""
        body = files.store(response["Body"].iter_chunks(CHUNK_BYTES))
        headers = {name: value for name, value in response.items() if name in HEADERS and value}
        return cls(decompress(body, files), _is_gzip(body), headers)

    def write(self, s3: S3Client, bucket: str, key: str, *, replaced_etag: str = "") -> None:
        """Write an object with the headers, compressed if the content was.

        With `replaced_etag`, S3 rejects it unless that is what the object has now.
        """
        parameters = dict(self.headers)
        if replaced_etag:
            parameters["IfMatch"] = replaced_etag
        with SpooledFiles() as files:
            body = _compress(self.file, files) if self.is_compressed else self.file
            body.seek(0)
            s3.put_object(Bucket=bucket, Key=key, Body=body, **parameters)


def rewrite_object(
    s3: S3Client, bucket: str, key: str, rewrite: Callable[[IO[bytes], IO[bytes]], bool]
) -> str | None:
    """Replace an object by what `rewrite` writes, given its content, if it returns True.

    Return the id of the version that was replaced, or None. An object that another process changes
    meanwhile is read again.
    """
    for _ in range(ATTEMPTS):
        try:
            with SpooledFiles() as files, object_errors():
                response = s3.get_object(Bucket=bucket, Key=key)
                content = Content.read(response, files)
                new_file = files.create()
                if not rewrite(content.file, new_file):
                    return None
                new_content = replace(content, file=new_file)
                new_content.write(s3, bucket, key, replaced_etag=response["ETag"])
            return response["VersionId"]
        except ObjectMissing:
            return None
        except ObjectChanged:
            continue
    raise ObjectKeepsChanging(f"{key} keeps changing: stop what writes it, then run this again")


@contextmanager
def object_errors() -> Iterator[None]:
    """Raise ObjectMissing or ObjectChanged for what S3 answers if an object is."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in MISSING_CODES:
            raise ObjectMissing from None
        if code in CHANGED_CODES:
            raise ObjectChanged from None
        raise


def decompress(body: IO[bytes], files: SpooledFiles) -> IO[bytes]:
    """Return the content without its gzip compression, if it has any."""
    if not _is_gzip(body):
        return body
    body.seek(0)
    try:
        with gzip.GzipFile(fileobj=body, mode="rb") as file:
            return files.store(iter(lambda: file.read(CHUNK_BYTES), b""))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableObject(f"invalid gzip: {error}") from None


def _compress(content: IO[bytes], files: SpooledFiles) -> IO[bytes]:
    """Return the content, gzipped."""
    body = files.create()
    with gzip.GzipFile(fileobj=body, mode="wb") as file:
        file.writelines(read_chunks(content))
    return body


def _is_gzip(body: IO[bytes]) -> bool:
    """Return whether the content begins as gzip does."""
    body.seek(0)
    return body.read(len(GZIP_MAGIC)) == GZIP_MAGIC
