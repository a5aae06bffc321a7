"""Versions of the lake's objects: what was deleted, overwritten, restored or is not Firehose's."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from operations.status.check_result import Status
from operations.status.checks.objects import RESTORE, ObjectVersions, check
from setup.names import DELIVERY, bucket
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
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


def test_versions_of_a_deleted_object_are_its_own() -> None:
    versions = ObjectVersions()
    page = {"Versions": [version("a", is_latest=True), version("b", f"{KEY}-deleted")]}
    versions.add_page(page)  # type: ignore[arg-type]  # other members
    assert versions.is_changed == {}


@pytest.mark.parametrize(
    ("name", "is_foreign"),
    [(NAME, False), ("", False), ("_temporary", False), (".hidden", False), ("notes.txt", True)],
)
def test_objects_that_athena_reads_are_of_firehose(name: str, is_foreign: bool) -> None:
    versions = ObjectVersions()
    key = f"lake/dt=2026-11-29/{name}"
    versions.add_page({"Versions": [version("a", key, is_latest=True)]})  # type: ignore[typeddict-item]  # other members
    assert versions.foreign == ([key] if is_foreign else [])


@pytest.fixture(scope="module")
def s3() -> Iterator["S3Client"]:
    """S3 with the lake's bucket and an object of Firehose."""
    with laptop():
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket())
        client.put_bucket_versioning(Bucket=bucket(), VersioningConfiguration={"Status": "Enabled"})
        client.put_object(Bucket=bucket(), Key=KEY, Body=b"a")
        yield client


def test_objects_as_firehose_wrote_them_are_healthy(s3: "S3Client") -> None:
    result = check(None)
    assert result.status == Status.OK
    assert result.message == "1 object, none deleted or overwritten"


@pytest.mark.parametrize(
    ("prefix", "expiration", "status", "is_deleting"),
    [
        ("", {"Days": 3}, "Enabled", True),
        ("lake/", {"Days": 3}, "Enabled", True),
        ("lake/dt=2026-11-29/", {"Date": datetime(2026, 12, 1, tzinfo=UTC)}, "Enabled", True),
        ("lake/", {"Days": 3}, "Disabled", False),
        ("queries/", {"Days": 3}, "Enabled", False),
        ("lake/", {"ExpiredObjectDeleteMarker": True}, "Enabled", False),
    ],
)
@pytest.mark.parametrize("rule_form", ["Filter", "And", "Prefix"])
def test_rules_that_delete_rows_are_named(
    s3: "S3Client",
    prefix: str,
    expiration: dict[str, Any],
    status: str,
    is_deleting: bool,
    rule_form: str,
) -> None:
    # A rule of any form.
    rule: Any = {"ID": "tidy", "Status": status, "Expiration": expiration}
    if rule_form == "Prefix":
        rule["Prefix"] = prefix
    elif rule_form == "And":
        rule["Filter"] = {"And": {"Prefix": prefix, "Tags": [{"Key": "a", "Value": "b"}]}}
    else:
        rule["Filter"] = {"Prefix": prefix}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket(), LifecycleConfiguration={"Rules": [rule]})
    result = check(None)
    s3.delete_bucket_lifecycle(Bucket=bucket())
    assert result.status == (Status.PROBLEM if is_deleting else Status.OK)
    assert result.message.startswith("lifecycle rule 'tidy' deletes objects of") == is_deleting


def test_what_happened_to_objects_is_named(s3: "S3Client") -> None:
    foreign_key = "lake/dt=2026-11-29/notes.txt"
    s3.put_object(Bucket=bucket(), Key=foreign_key, Body=b"a")
    result = check(None)
    message = f"1 object not written by Firehose, such as {foreign_key}"
    assert (result.status, result.message) == (Status.UNKNOWN, message)
    s3.put_object(Bucket=bucket(), Key=KEY, Body=b"b")
    result = check(None)
    message = f"1 object overwritten, such as {KEY}"
    assert (result.status, result.message) == (Status.PROBLEM, message)
    assert result.remedy == RESTORE
    s3.delete_object(Bucket=bucket(), Key=KEY)
    result = check(None)
    message = f"1 object deleted, such as {KEY}"
    assert (result.status, result.message) == (Status.PROBLEM, message)
    assert result.remedy == RESTORE
