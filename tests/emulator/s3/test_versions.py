"""Versions of objects on the laptop's S3: listed as moto does, without a copy of each object."""

from typing import Any

import boto3
import pytest
from moto.s3.models import FakeKey

from local.services.s3.service import S3
from tests.support.laptop_cloud import laptop


def test_versions_are_listed_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    with laptop(S3):
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="lake")
        s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
        for key in ("kept", "replaced", "replaced", "deleted"):
            s3.put_object(Bucket="lake", Key=key, Body=b"x")
        monkeypatch.setattr(FakeKey, "__setstate__", None)
        assert latest_versions(s3) == ["deleted", "kept", "replaced"]
        s3.put_object(Bucket="lake", Key="kept", Body=b"y")
        s3.delete_object(Bucket="lake", Key="deleted")
        assert latest_versions(s3) == ["kept", "replaced"]
        versions = s3.list_object_versions(Bucket="lake")
        assert len(versions["Versions"]) == 5
        assert [marker["IsLatest"] for marker in versions["DeleteMarkers"]] == [True]


def latest_versions(s3: Any) -> list[str]:
    """Return the keys of the versions that are the latest."""
    versions = s3.list_object_versions(Bucket="lake")["Versions"]
    return [version["Key"] for version in versions if version["IsLatest"]]
