"""Bucket policies of the laptop's S3: stored but not enforced, as loopback counts as TLS."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.services.s3.service import S3
from tests.support.iam_roles import policy
from tests.support.laptop_cloud import code_of, empty_account, laptop


@pytest.fixture(scope="module")
def shared_client() -> Iterator[Any]:
    with laptop(S3):
        yield boto3.client("s3")


@pytest.fixture
def s3(shared_client: Any) -> Any:
    """An S3 client, in an account with one empty bucket, `lake`."""
    empty_account()
    shared_client.create_bucket(Bucket="lake")
    return shared_client


def tls_only(bucket: str = "lake", **members: Any) -> str:
    """Return a policy that denies plain HTTP; `members` replace those of its statement."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return policy({**statement, **members})


def test_tls_only_bucket_works_over_loopback(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    s3.put_object(Bucket="lake", Key="policy/one", Body=b"1")
    assert s3.get_object(Bucket="lake", Key="policy/one")["Body"].read() == b"1"
    listing = s3.list_objects_v2(Bucket="lake", Prefix="policy")
    assert [entry["Key"] for entry in listing["Contents"]] == ["policy/one"]


def test_policy_is_returned_unchanged(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    assert s3.get_bucket_policy(Bucket="lake")["Policy"] == tls_only()
    assert s3.get_bucket_policy_status(Bucket="lake")["PolicyStatus"] == {"IsPublic": False}
    s3.delete_bucket_policy(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucketPolicy"


def test_policy_is_deleted_with_its_bucket(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    s3.delete_bucket(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucket"
    s3.create_bucket(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucketPolicy"


def test_policy_that_allows_everyone_is_public(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only(Effect="Allow", Condition={}))
    assert s3.get_bucket_policy_status(Bucket="lake")["PolicyStatus"] == {"IsPublic": True}


@pytest.mark.parametrize("document", ["{", "[]", "{}", tls_only("other"), '{"Statement": [{}]}'])
def test_malformed_policy_is_rejected(s3: Any, document: str) -> None:
    assert code_of(s3.put_bucket_policy, Bucket="lake", Policy=document) == "MalformedPolicy"
