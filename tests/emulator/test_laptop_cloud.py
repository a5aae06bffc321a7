"""Laptop clouds of the tests: they leave no variable, client or resource behind."""

import os

import boto3
import pytest

from tests.support.laptop_cloud import aws, laptop


def buckets() -> list[str]:
    return [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_environment_is_restored_after_failure(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError):
        fail_in(region)
    assert dict(os.environ) == before


def fail_in(region: str) -> None:
    with laptop(region=region) as cloud:
        assert cloud.region == region == boto3.client("sqs").meta.region_name
        assert "AWS_PROFILE" not in os.environ
        os.environ["LEFT_BY_THE_TEST"] = "1"
        raise ZeroDivisionError


def test_every_client_uses_the_new_empty_cloud() -> None:
    for _ in range(2):
        with laptop() as cloud:
            assert aws("s3").meta.endpoint_url == cloud.endpoint
            assert buckets() == []
            aws("s3").create_bucket(Bucket="lake")
            assert buckets() == ["lake"]
