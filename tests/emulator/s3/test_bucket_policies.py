"""The laptop's S3 keeps bucket policies without enforcing them: loopback counts as TLS."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.services.s3.service import S3
from tests.support.iam_roles import policy
from tests.support.laptop_cloud import code_of, empty_account, laptop


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with laptop(S3):
        yield boto3.client("s3")


@pytest.fixture
def s3(running: Any) -> Any:
    """A client that sees one bucket, `lake`, and nothing in it."""
    empty_account()
    running.create_bucket(Bucket="lake")
    return running


def tls_only(bucket: str = "lake", **given: Any) -> str:
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return policy({**statement, **given})


def test_a_bucket_that_wants_tls_can_be_used_over_loopback(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    s3.put_object(Bucket="lake", Key="policy/one", Body=b"1")
    assert s3.get_object(Bucket="lake", Key="policy/one")["Body"].read() == b"1"
    listed = s3.list_objects_v2(Bucket="lake", Prefix="policy")
    assert [each["Key"] for each in listed["Contents"]] == ["policy/one"]


def test_a_policy_is_kept_as_it_was_put(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    assert s3.get_bucket_policy(Bucket="lake")["Policy"] == tls_only()
    assert s3.get_bucket_policy_status(Bucket="lake")["PolicyStatus"] == {"IsPublic": False}
    s3.delete_bucket_policy(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucketPolicy"


def test_a_policy_goes_with_its_bucket(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only())
    s3.delete_bucket(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucket"
    s3.create_bucket(Bucket="lake")
    assert code_of(s3.get_bucket_policy, Bucket="lake") == "NoSuchBucketPolicy"


def test_a_policy_that_allows_everybody_is_public(s3: Any) -> None:
    s3.put_bucket_policy(Bucket="lake", Policy=tls_only(Effect="Allow", Condition={}))
    assert s3.get_bucket_policy_status(Bucket="lake")["PolicyStatus"] == {"IsPublic": True}


@pytest.mark.parametrize("document", ["{", "[]", "{}", tls_only("other"), '{"Statement": [{}]}'])
def test_a_malformed_policy_is_refused(s3: Any, document: str) -> None:
    assert code_of(s3.put_bucket_policy, Bucket="lake", Policy=document) == "MalformedPolicy"
