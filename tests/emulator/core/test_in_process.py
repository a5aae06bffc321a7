"""Calls of the cloud to itself: the same as a user's, but without a connection."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from hypothesis import given
from hypothesis import strategies as st

from local.core.server import Cloud
from setup.lib import drift
from tests.support.laptop_cloud import laptop

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda key: len(key.encode()) <= 1024 and not key.startswith("/")
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(has_connections=True) as cloud:
        cloud.client("s3").create_bucket(Bucket="objects")
        yield cloud


def forbidden_connections() -> Any:
    return patch.object(URLLib3Session, "send", side_effect=AssertionError("a connection"))


@given(key=KEYS, body=st.binary(max_size=50), value=st.text("aZ09-_.", min_size=1, max_size=9))
def test_objects_are_those_of_a_user(cloud: Cloud, key: str, body: bytes, value: str) -> None:
    own, user = cloud.client("s3"), boto3.client("s3")
    with forbidden_connections():
        own.put_object(Bucket="objects", Key=key, Body=body, Metadata={"name": value})
    for client in (own, user):
        response = client.get_object(Bucket="objects", Key=key)
        assert response["Body"].read() == body
        assert response["Metadata"] == {"name": value}
        assert client.head_object(Bucket="objects", Key=key)["ContentLength"] == len(body)
    user.delete_object(Bucket="objects", Key=key)


def test_errors_are_those_of_a_user(cloud: Cloud) -> None:
    errors = []
    for client in (cloud.client("kinesis"), boto3.client("kinesis")):
        with pytest.raises(ClientError) as raised:
            client.describe_stream_summary(StreamName="missing")
        errors.append(raised.value.response["Error"])
    assert errors[0] == errors[1]
    assert errors[0]["Code"] == "ResourceNotFoundException"


def test_headers_are_those_of_a_user(cloud: Cloud) -> None:
    own, user = (
        set(client.list_buckets()["ResponseMetadata"]["HTTPHeaders"])
        for client in (cloud.client("s3"), boto3.client("s3"))
    )
    assert user - own == {"connection"}
    assert "date" in own


def test_another_endpoint_gets_its_calls(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Cloud(())
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", other.endpoint)
        client = cloud._create_client("sqs", "", "", "")
        with forbidden_connections(), pytest.raises(AssertionError, match="a connection"):
            client.list_queues()
        assert "QueueUrls" not in client.list_queues()
    finally:
        other.close()


def test_a_dry_run_does_not_block_the_clouds_writes() -> None:
    with laptop() as cloud:
        with drift._writes_blocked():
            cloud.client("sqs").create_queue(QueueName="letters")
        assert len(cloud.client("sqs").list_queues()["QueueUrls"]) == 1
