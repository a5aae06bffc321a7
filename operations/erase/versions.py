"""Versions of the bucket's objects: found if they hold what is to be erased, rewritten, deleted.

Every version is read. A current one is rewritten on the condition that it is still what was read;
another one is deleted, and so are objects of the copy and all results of queries, which anyone can
have again.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice
from typing import IO, TYPE_CHECKING

from tqdm import tqdm

from operations.erase.erasing import Limits, Piece
from operations.lake_copy.rows import rows_of_copy
from operations.lake_objects import ObjectVersion, list_versions
from operations.object_content import (
    Content,
    ObjectMissing,
    UnreadableObject,
    object_errors,
    rewrite_object,
)
from operations.replay.error_documents import split_pieces
from operations.tempfiles import CHUNK_BYTES, SpooledFiles, read_chunks
from setup.names import ERRORS, LAKE, QUERIES, RATES, REPLAYED, TABLES

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

THREADS = 8
REWRITTEN_PREFIXES = (LAKE, ERRORS, REPLAYED)
READ_PREFIXES = (*REWRITTEN_PREFIXES, TABLES, RATES)  # What else has content may hold anything.
BATCH_SIZE = 1000  # versions whose names are in memory
AUDIT_SUFFIX = ".audit.jsonl"  # of replays: keys and reasons


@dataclass
class BucketVersions:
    """The versions of a bucket, of which those that hold rows of some keys are erased.

    `texts` are of what was erased. An object that has one where it names no key is `suspicious`.
    """

    s3: S3Client
    bucket: str
    limits: Limits
    texts: set[bytes] = field(default_factory=set)
    suspicious: set[str] = field(default_factory=set)
    rewritten: int = 0
    deleted: int = 0
    read: int = 0

    def erase_version(self, version: ObjectVersion) -> None:
        """Rewrite an object, or delete the version of it that is not the current one."""
        if version.is_latest and version.key.startswith(REWRITTEN_PREFIXES):
            self.rewrite(version.key)
        else:
            self._delete(version.key, version.version_id)

    def find_holding(self) -> Iterator[ObjectVersion]:
        """Yield every version that holds what is to be erased, after reading every version."""
        self.read = 0
        versions = list_versions(self.s3, self.bucket)
        counted = iter(tqdm(versions, "read", unit=" versions", disable=None))
        with ThreadPoolExecutor(THREADS) as pool:
            while batch := list(islice(counted, BATCH_SIZE)):
                are_held = list(pool.map(self.holds, batch))
                self.read += sum(not version.key.startswith(QUERIES) for version in batch)
                yield from compress(batch, are_held)

    def holds(self, version: ObjectVersion) -> bool:
        """Return whether a version holds what is to be erased; a result of a query may."""
        if version.key.startswith(QUERIES):
            return True
        if version.is_delete_marker or not version.size:
            return False
        if not version.key.startswith(READ_PREFIXES):
            self.suspicious.add(version.key)
            return False
        try:
            return self._read_and_search(version)
        except ObjectMissing:  # It was deleted after it was listed.
            return False
        except UnreadableObject:
            self.suspicious.add(version.key)
            return False

    @object_errors()
    def _read_and_search(self, version: ObjectVersion) -> bool:
        response = self.s3.get_object(
            Bucket=self.bucket, Key=version.key, VersionId=version.version_id
        )
        with SpooledFiles() as files:
            if version.key.startswith(TABLES):
                chunks = response["Body"].iter_chunks(CHUNK_BYTES)
                pieces: Iterator[Piece] = map(Piece, rows_of_copy(chunks, self.limits.keys()))
            else:
                pieces = _pieces(version.key, Content.read(response, files).file)
            return any(self._is_held(version.key, piece) for piece in pieces)

    def _is_held(self, key: str, piece: Piece) -> bool:
        if not key.endswith(AUDIT_SUFFIX) and piece.has_any(self.texts):
            self.suspicious.add(key)
        return piece.holds(self.limits)

    def rewrite(self, key: str) -> None:
        """Replace an object by what remains of it, and delete the version that it replaces."""
        write_remaining = partial(self._write_remaining, key)
        replaced_id = rewrite_object(self.s3, self.bucket, key, write_remaining)
        if replaced_id:
            self.rewritten += 1
            self._delete(key, replaced_id)

    def _write_remaining(self, key: str, content: IO[bytes], remaining: IO[bytes]) -> bool:
        """Write what remains of the content of an object; return whether that differs."""
        is_changed = False
        for piece in _pieces(key, content):
            if piece.holds(self.limits):
                is_changed = True
                self.texts |= piece.texts
            remaining.write(piece.erased(self.limits))
        return is_changed

    def _delete(self, key: str, version_id: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        self.deleted += 1


def _pieces(key: str, content: IO[bytes]) -> Iterator[Piece]:
    """Yield the lines of an object of the lake, or the documents of another, each on a line."""
    if key.startswith(LAKE):
        content.seek(0)
        yield from map(Piece, content)
    else:
        yield from (Piece(text + b"\n") for text in split_pieces(read_chunks(content)))
