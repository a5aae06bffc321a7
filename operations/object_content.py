"""Content of an S3 object, without the gzip compression that the object may have."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import IO

from operations.tempfiles import CHUNK_BYTES, SpooledFiles, read_chunks

GZIP_MAGIC = b"\x1f\x8b"  # decides whether content is compressed, whatever its name and headers say


class UnreadableObject(Exception):
    """The content of an object cannot be read."""


@dataclass(frozen=True, slots=True)
class Content:
    """The uncompressed content of an object, and how S3 stores it."""

    file: IO[bytes]
    is_compressed: bool = False
    encoding: str = ""


def decompress(body: IO[bytes], files: SpooledFiles) -> IO[bytes]:
    """Return the content without its gzip compression, if it has any."""
    if not is_gzip(body):
        return body
    body.seek(0)
    try:
        with gzip.GzipFile(fileobj=body, mode="rb") as file:
            return files.store(iter(lambda: file.read(CHUNK_BYTES), b""))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UnreadableObject(f"invalid gzip: {error}") from None


def compress(content: IO[bytes], files: SpooledFiles) -> IO[bytes]:
    """Return the content, gzipped."""
    body = files.create()
    with gzip.GzipFile(fileobj=body, mode="wb") as file:
        file.writelines(read_chunks(content))
    return body


def is_gzip(body: IO[bytes]) -> bool:
    """Return whether the content begins as gzip does."""
    body.seek(0)
    return body.read(len(GZIP_MAGIC)) == GZIP_MAGIC
