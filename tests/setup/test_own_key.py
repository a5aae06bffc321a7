"""KMS_KEY_ARN: the user's key encrypts what setup creates, and everyone who needs it may use it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.services.iam import Iam
from setup import deployer_policy, key_policy, names, operator_policy
from setup.lib.iam_policies import role_policies
from setup.names import Location
from tests.support.paths import PROJECT
from tests.support.setup_fixture import SetupSandbox, aws_client, setup_sandbox

HERE = Location("aws", "us-east-1", "123456789012")
KEY = HERE.arn("kms", "key/11111111-2222-3333-4444-555555555555")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetupSandbox]:
    monkeypatch.setattr(names, "KMS_KEY", KEY)
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


def keys_in_use() -> dict[str, Any]:
    """Return the key of each resource that is encrypted."""
    sqs, sns, s3 = aws_client("sqs"), aws_client("sns"), aws_client("s3")
    queue = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    topic = names.arn("sns", names.ALARM_TOPIC)
    stream = aws_client("kinesis").describe_stream_summary(StreamName=names.STREAM)
    encryption = s3.get_bucket_encryption(Bucket=names.bucket())
    [rule] = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    workgroup = aws_client("athena").get_work_group(WorkGroup=names.WORKGROUP)["WorkGroup"]
    results = workgroup["Configuration"]["ResultConfiguration"]
    groups = aws_client("logs").describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    return {
        "queue": sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"][
            "KmsMasterKeyId"
        ],
        "topic": sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"],
        "stream": stream["StreamDescriptionSummary"]["KeyId"],
        "bucket": rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"],
        "results": results["EncryptionConfiguration"]["KmsKey"],
        **{group["logGroupName"]: group.get("kmsKeyId") for group in groups},
    }


@pytest.mark.slow
def test_the_key_encrypts_what_setup_creates(sandbox: SetupSandbox) -> None:
    sandbox.run()
    keys = keys_in_use()
    assert set(keys.values()) == {KEY}
    assert {names.PIPE_LOGS, names.FUNCTION_LOGS, names.DELIVERY_LOGS} <= keys.keys()
    sandbox.calls.clear()
    sandbox.run()
    assert sandbox.writes() == []
    item = {"order_id": {"S": "SO-1"}}
    aws_client("dynamodb").put_item(TableName=names.TABLE, Item=item)
    sandbox.cloud.run_until_idle()
    listing = aws_client("s3").list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    assert listing["KeyCount"] == 1
    assert sandbox.cloud.service(Iam).denials() == []  # The roles may use the stream's key.


@pytest.mark.slow
def test_a_key_can_be_set_later(sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "KMS_KEY", "")
    sandbox.run()
    monkeypatch.setattr(names, "KMS_KEY", KEY)
    sandbox.stub("AssociateKmsKey", {}, {}, {})  # moto does not have it.
    sandbox.run()
    assert not sandbox.has_unused_stubs()
    keys = keys_in_use()
    assert {keys[name] for name in ("queue", "topic", "stream", "bucket", "results")} == {KEY}


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("pipe", {"kms:GenerateDataKey", "kms:Decrypt"}),
        ("firehose", {"kms:GenerateDataKey", "kms:Decrypt"}),
        ("crawler", {"kms:Decrypt"}),
        ("lambda", set()),
    ],
)
def test_a_role_may_use_the_key(
    monkeypatch: pytest.MonkeyPatch, role: str, actions: set[str]
) -> None:
    monkeypatch.setattr(names, "KMS_KEY", KEY)
    assert key_actions(role_policies(HERE)[role]) == actions


def test_callers_may_use_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "KMS_KEY", KEY)
    for policy in (
        deployer_policy.build_policy(HERE),
        operator_policy.build_policy(HERE, ["gaps"]),
    ):
        assert {"kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"} <= key_actions(policy)


# A policy's JSON.
def key_actions(policy: dict[str, Any]) -> set[str]:
    """Return what a policy allows on the key; it may not allow anything on other keys."""
    statements = [
        statement
        for statement in policy["Statement"]
        if any(action.startswith("kms:") for action in statement["Action"])
    ]
    assert all(statement["Resource"] == [KEY] for statement in statements)
    return {action for statement in statements for action in statement["Action"]}


def test_the_keys_policy_names_its_services() -> None:
    logs, alarms = key_policy.build_statements(HERE)
    assert logs["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    groups = logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    assert HERE.arn("logs", f"log-group:{names.PIPE_LOGS}") in groups
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}


def test_an_invalid_key_exits_with_2() -> None:
    environment = {**os.environ, "KMS_KEY_ARN": "alias/mine"}
    command = [sys.executable, "-c", "import setup.names"]
    process = subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert process.stderr.startswith("KMS_KEY_ARN: expected the ARN of a key")
