"""Roles on the laptop: who may assume them, how long they are cached, and their limits."""

from contextlib import closing
from functools import partial
from typing import Any

import boto3
import pytest

from local.core.server import Cloud
from local.services.iam.roles import is_assumable
from local.services.iam.service import Iam
from tests.support.iam_client import (
    ACCOUNT,
    REGION,
    Connect,
    create_role,
    denial,
    guarded_client,
)
from tests.support.iam_roles import allow, policy, trust
from tests.support.laptop_cloud import aws, code_of, laptop

EXTERNAL = {"Condition": {"StringEquals": {"sts:ExternalId": ACCOUNT}}}


FROM_PIPE = {
    "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/p"}}
}


@pytest.mark.parametrize(
    ("trusted_service", "condition", "principal", "source", "is_allowed"),
    [
        ("pipes", {}, "pipes", "", True),
        ("pipes", {}, "firehose", "", False),
        ("firehose", EXTERNAL, "firehose", "", True),
        ("pipes", EXTERNAL, "pipes", "", False),
        ("pipes", FROM_PIPE, "pipes", f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/p", True),
        ("pipes", FROM_PIPE, "pipes", f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/other", False),
        ("pipes", FROM_PIPE, "pipes", "", False),
    ],
)
def test_only_trusted_service_assumes_the_role(
    connect: Connect,
    trusted_service: str,
    condition: Any,
    principal: str,
    source: str,
    is_allowed: bool,
) -> None:
    role = create_role(allow("s3:*", "*"), trust_policy=trust(trusted_service, **condition))
    context = {"aws:SourceArn": source} if source else {}
    client = connect("s3", role, principal, **context)
    aws("s3").create_bucket(Bucket="lake")
    message = denial(client, "list_objects_v2", Bucket="lake")
    if is_allowed:
        assert message == ""
    else:
        assert "sts:AssumeRole" in message


@pytest.mark.parametrize("role", ["mover", f"arn:aws:iam::{ACCOUNT}:role/mover"])
def test_missing_role_cannot_be_assumed(cloud: Cloud, role: str) -> None:
    iam = aws("iam")
    service = "pipes.amazonaws.com"
    assert not is_assumable(iam, role, service, {})
    create_role()
    assert is_assumable(iam, role, service, {})
    assert not is_assumable(iam, f"arn:aws:iam::{ACCOUNT}:role/path/mover", service, {})
    assert not is_assumable(iam, role, "glue.amazonaws.com", {})


def test_deleted_role_denies_its_service_at_once(connect: Connect) -> None:
    aws("s3").create_bucket(Bucket="lake")
    client = connect("s3", create_role(allow("s3:*", "*")))
    iam = aws("iam")
    assert denial(client, "list_objects_v2", Bucket="lake") == ""
    iam.delete_role_policy(RoleName="mover", PolicyName="p")
    iam.delete_role(RoleName="mover")
    assert "sts:AssumeRole" in denial(client, "list_objects_v2", Bucket="lake")


def test_unchanged_role_is_read_once(
    cloud: Cloud, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.services.iam.roles.CACHE_SECONDS", 0.0)
    aws("s3").create_bucket(Bucket="lake")
    role = create_role(allow("s3:*", "*"))
    client = connect("s3", role)
    iam = cloud.client("iam")
    operations: list[str] = []
    iam.meta.events.register("before-call", lambda model, **_: operations.append(model.name))
    for _ in range(5):
        client.list_objects_v2(Bucket="lake")
    assert sorted(operations) == sorted(set(operations))


def test_cached_role_of_foreign_iam_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.services.iam.roles.CACHE_SECONDS", 60.0)
    with laptop(Iam) as cloud, closing(Cloud(())) as foreign_iam:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", foreign_iam.endpoint)
        boto3.client("s3").create_bucket(Bucket="lake")
        client = guarded_client(cloud, "s3", create_role(allow("s3:*", "*")))
        iam = boto3.client("iam")
        assert denial(client, "list_objects_v2", Bucket="lake") == ""
        iam.delete_role_policy(RoleName="mover", PolicyName="p")
        assert denial(client, "list_objects_v2", Bucket="lake") == ""
        monkeypatch.setattr("local.services.iam.roles.CACHE_SECONDS", 0.0)
        assert "s3:ListBucket" in denial(client, "list_objects_v2", Bucket="lake")


@pytest.mark.parametrize("region", [REGION, "cn-north-1", "us-gov-west-1"])
def test_roles_and_policies_have_aws_limits(cloud: Cloud, region: str) -> None:
    iam = boto3.client("iam", region_name=region)
    create = partial(iam.create_role, AssumeRolePolicyDocument=trust("pipes"))
    assert code_of(create, RoleName="r" * 65) == "ValidationError"
    create(RoleName="mover")
    assert code_of(create, RoleName="Mover") == "EntityAlreadyExists"
    resources = [f"arn:aws:s3:::{number:0500}" for number in range(19)]
    long_policy = policy(allow("s3:GetObject", *resources))
    put = partial(iam.put_role_policy, RoleName="mover", PolicyDocument=long_policy)
    put(PolicyName="p")
    assert code_of(put, PolicyName="q") == "LimitExceeded"
