"""Objects of the lake that were deleted or damaged, found in the versions that S3 keeps.

The bucket is versioned. So a deleted object is a delete marker on top of its versions, and an
object that was overwritten has more than one version. Firehose writes each object once and under a
name of its own: an object with one version and such a name is as Firehose wrote it. The others are
read, or all with `read_all`.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase, BufferedReader, RawIOBase
from itertools import groupby
from typing import TYPE_CHECKING, cast

from operations.json_objects import parse_object
from setup.names import DELIVERY, LAKE

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef, ObjectTypeDef

FIREHOSE_NAME = re.compile(rf"{re.escape(DELIVERY)}-\d+-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}(\.gz)?")
BUFFER_BYTES = 256 * 1024
MAX_LINE_BYTES = 32 * 1024 * 1024  # Firehose's rows have at most 6 MB
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker."""

    key: str
    version_id: str
    modified_at: datetime
    size: int
    is_latest: bool
    is_delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class DamagedObject:
    """An object that queries cannot read; its newest good version is None if it has none."""

    key: str
    problem: str
    good_version: ObjectVersion | None

    @property
    def is_deleted(self) -> bool:
        """Whether the object is missing from the lake, so that queries succeed without it."""
        return self.problem == DELETED


class LakeVersions:
    """The versions of the lake's objects."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def find_damaged(
        self, prefix: str = LAKE, *, read_all: bool = False
    ) -> Iterator[DamagedObject]:
        """Yield the deleted and damaged objects under a prefix, in order of their keys."""
        for _, group in groupby(
            list_versions(self._s3, self._bucket, prefix), key=lambda version: version.key
        ):
            versions = sorted(group, key=_recency, reverse=True)
            damaged_object = self._inspect(versions, read_all)
            if damaged_object:
                yield damaged_object

    def restore(self, damaged_object: DamagedObject) -> None:
        """Copy the good version of an object over its present state, which stays a version."""
        version = damaged_object.good_version
        if version is None:
            raise ValueError(f"{damaged_object.key} has no good version")
        self._s3.copy_object(
            Bucket=self._bucket,
            Key=version.key,
            CopySource={
                "Bucket": self._bucket,
                "Key": version.key,
                "VersionId": version.version_id,
            },
        )

    def _inspect(self, versions: list[ObjectVersion], read_all: bool) -> DamagedObject | None:
        """Return what is wrong with an object, given its versions, the latest first."""
        latest, *older = versions
        name = latest.key.rpartition("/")[2]
        is_folder = not name and not latest.size
        if is_folder or name.startswith((".", "_")):  # Athena ignores both.
            return None
        if latest.is_delete_marker:
            return DamagedObject(latest.key, DELETED, self._find_good_version(older))
        is_as_written = not older and FIREHOSE_NAME.fullmatch(name) is not None
        if is_as_written and latest.size and not read_all:
            return None
        problem = self._read_problem(latest)
        if problem is None:
            return None
        return DamagedObject(latest.key, problem, self._find_good_version(older))

    def _find_good_version(self, versions: Iterable[ObjectVersion]) -> ObjectVersion | None:
        for version in versions:
            if not version.is_delete_marker and self._read_problem(version) is None:
                return version
        return None

    def _read_problem(self, version: ObjectVersion) -> str | None:
        """Return why queries cannot read a version, or None if they can."""
        response = self._s3.get_object(
            Bucket=self._bucket, Key=version.key, VersionId=version.version_id
        )
        raw_body = cast("RawIOBase", response["Body"])  # boto3's stream has no such class.
        with BufferedReader(raw_body, BUFFER_BYTES) as body:
            return find_problem(body, is_compressed=version.key.endswith(".gz"))


def list_objects(s3: S3Client, bucket: str, prefix: str) -> Iterator[ObjectTypeDef]:
    """Yield all objects below a prefix, as S3 describes them."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def list_versions(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
    """Yield all versions; those of a key are adjacent, also if they are on two pages."""
    pages = s3.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        yield from sorted(_page_versions(page), key=lambda version: version.key.encode())


def find_problem(body: BufferedIOBase, is_compressed: bool) -> str | None:
    """Return why an object's content is not rows of JSON, or None if it is."""
    try:
        if not is_compressed:
            return _find_invalid_line(body)
        with gzip.GzipFile(fileobj=body, mode="rb") as file:
            return _find_invalid_line(file)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return f"cannot be decompressed: {error}"


def _find_invalid_line(file: BufferedIOBase) -> str | None:
    row_count = 0
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), start=1):
        if line.strip():
            row_count += 1
            if parse_object(line) is None:
                return f"line {number} is not a JSON object"
    return None if row_count else "has no rows"


def _page_versions(page: ListObjectVersionsOutputTypeDef) -> Iterator[ObjectVersion]:
    for entry in page.get("Versions", ()):
        yield ObjectVersion(
            key=entry["Key"],
            version_id=entry["VersionId"],
            modified_at=entry["LastModified"],
            size=entry["Size"],
            is_latest=entry["IsLatest"],
        )
    for marker in page.get("DeleteMarkers", ()):
        yield ObjectVersion(
            key=marker["Key"],
            version_id=marker["VersionId"],
            modified_at=marker["LastModified"],
            size=0,
            is_latest=marker["IsLatest"],
            is_delete_marker=True,
        )


def _recency(version: ObjectVersion) -> tuple[bool, datetime]:
    return version.is_latest, version.modified_at
