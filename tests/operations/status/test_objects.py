"""Versions of the lake's objects: what was deleted, overwritten, restored or is not Firehose's."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from operations.status.checks.objects import ObjectVersions
from setup.names import DELIVERY

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectVersionTypeDef

NAME = f"{DELIVERY}-1-2026-11-29-08-00-00-{'0' * 8}-0000-0000-0000-{'0' * 12}.gz"
KEY = f"lake/dt=2026-11-29/{NAME}"


def version(etag: str, key: str = KEY, *, is_latest: bool = False) -> "ObjectVersionTypeDef":
    """Return a version as S3 lists it; its size follows from its content, the ETag."""
    return {
        "Key": key,
        "ETag": f'"{etag}"',
        "Size": len(etag.partition("-")[0]),
        "IsLatest": is_latest,
        "VersionId": "v",
        "LastModified": datetime(2026, 11, 29, tzinfo=UTC),
        "StorageClass": "STANDARD",
    }


@pytest.mark.parametrize(
    ("etags", "is_changed"),
    [
        (["a"], {}),
        (["b", "a"], {KEY: True}),
        (["a", "b", "a"], {KEY: False}),  # Restored.
        (["aa-1", "aa-2"], {KEY: False}),  # A copy of an object that was written in parts.
        (["aaa-1", "aa-2"], {KEY: True}),
    ],
)
def test_overwritten_objects_are_told_from_restored(
    etags: list[str], is_changed: dict[str, bool]
) -> None:
    versions = ObjectVersions()
    for number, etag in enumerate(etags):  # Each version on a page of its own.
        versions.add_page({"Versions": [version(etag, is_latest=number == 0)]})  # type: ignore[typeddict-item]  # other members
    assert versions.is_changed == is_changed
    assert (versions.object_count, versions.deleted, versions.foreign) == (1, [], [])


@pytest.mark.parametrize(
    ("name", "is_foreign"),
    [(NAME, False), ("", False), ("_temporary", False), (".hidden", False), ("notes.txt", True)],
)
def test_objects_that_athena_reads_are_of_firehose(name: str, is_foreign: bool) -> None:
    versions = ObjectVersions()
    key = f"lake/dt=2026-11-29/{name}"
    versions.add_page({"Versions": [version("a", key, is_latest=True)]})  # type: ignore[typeddict-item]  # other members
    assert versions.foreign == ([key] if is_foreign else [])
