"""Resources that exist with other settings: the setup scripts reject what they cannot change.

And answers of AWS that no document promises: the scripts cope with them, or explain them.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from local.core.request import AwsError
from local.services.glue import crawler_api
from setup import names
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import create_table
from tests.support.profile import sampled
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
    aws_error,
    setup_sandbox,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


def test_another_stream_view_type_is_rejected(sandbox: SetupSandbox) -> None:
    keys_only = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    dynamodb = aws_client("dynamodb")
    create_table(dynamodb, names.TABLE, {"order_id": "S"}, StreamSpecification=keys_only)
    with pytest.raises(
        SetupError, match="expected a stream of NEW_AND_OLD_IMAGES, found KEYS_ONLY"
    ):
        sandbox.run("01_dynamodb")


@pytest.mark.slow
def test_a_pipe_on_a_former_stream_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:8])
    dynamodb = aws_client("dynamodb")
    disabled = {"StreamEnabled": False}
    dynamodb.update_table(TableName=names.TABLE, StreamSpecification=disabled)
    with pytest.raises(SetupError, match="is disabled or deleted"):
        sandbox.run("08_start_pipe")
    sandbox.run("01_dynamodb")
    with pytest.raises(SetupError, match="aws pipes delete-pipe"):
        sandbox.run("07_pipe")
    aws_client("pipes").delete_pipe(Name=names.PIPE)
    sandbox.run("07_pipe")


@pytest.mark.parametrize(
    ("current", "advice"), [("2026-01-02", "enable the stream"), ("2026-01-01", "delete-pipe")]
)
def test_older_stream_is_not_adopted(current: str, advice: str) -> None:
    message = import_module("setup.07_pipe").other_stream_message(
        f"arn:aws:dynamodb:us-east-1:1:table/b/stream/{current}T00:00:00.000",
        "arn:aws:dynamodb:us-east-1:1:table/c/stream/2026-01-01T12:00:00.000",
    )
    assert advice in message


@pytest.mark.parametrize(
    "message",
    sampled(
        ["Service is unable to assume provided role", "Please verify the role's TrustPolicy"],
        step=2,
    ),
)
def test_glue_may_not_present_the_account(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    monkeypatch.setattr(crawler_api, "assume_role_context", lambda *_: {})
    error = AwsError("InvalidInputException", message, 400)
    monkeypatch.setattr(crawler_api, "invalid_input", lambda _: error)
    sandbox.run("03_s3", "04_iam")
    [line] = sandbox.run("10_glue")
    assert line.endswith(import_module("setup.10_glue").RELAXED_TRUST)
    sandbox.calls.clear()
    sandbox.run("04_iam", "10_glue")
    assert sandbox.writes() == []
    role = names.location().role_name("crawler")
    trust = aws_client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert "Condition" not in json.dumps(trust)


def test_ttl_cannot_be_changed_at_once(sandbox: SetupSandbox) -> None:
    message = "Time to live has been modified multiple times within a fixed interval"
    sandbox.stub("UpdateTimeToLive", aws_error("ValidationException", message))
    with pytest.raises(SetupError, match="half an hour: run this again later"):
        sandbox.run("01_dynamodb")


@pytest.mark.slow
def test_other_readers_of_the_stream_are_named(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS throttles a third reader of a shard."""
    sandbox.run(*SCRIPTS[:7])
    monkeypatch.setattr(import_module("setup.07_pipe"), "TABLE_IS_ADOPTED", True)
    pipes = aws_client("pipes")
    pipe = pipes.describe_pipe(Name=names.PIPE)
    members = ("Source", "SourceParameters", "Target", "TargetParameters", "RoleArn")
    other = {member: pipe[member] for member in members}
    pipes.create_pipe(Name="audit", DesiredState="STOPPED", **other)
    [line] = sandbox.run("07_pipe")
    assert "audit" not in line
    function = {"FunctionArn": names.arn("lambda", "function:search")}
    sandbox.stub("ListEventSourceMappings", {"EventSourceMappings": [function]})
    [line] = sandbox.run("07_pipe")
    assert "; the stream is also read by function search and pipe audit, and AWS" in line


def test_an_unpartitioned_firehose_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:5])
    stream_arn = names.arn("kinesis", f"stream/{names.STREAM}")
    role_arn = names.role_arn("firehose")
    aws_client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": stream_arn, "RoleARN": role_arn},
        ExtendedS3DestinationConfiguration={
            "RoleARN": role_arn,
            "BucketARN": names.location().bucket_arn(),
        },
    )
    with pytest.raises(
        SetupError, match=r"cannot be changed: run aws pipes stop-pipe .*delete-delivery-stream"
    ):
        sandbox.run("06_firehose")


def test_another_ttl_attribute_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run("01_dynamodb")
    dynamodb = aws_client("dynamodb")
    for enabled, name in ((False, names.TTL_ATTRIBUTE), (True, "ends_at")):
        dynamodb.update_time_to_live(
            TableName=names.TABLE,
            TimeToLiveSpecification={"Enabled": enabled, "AttributeName": name},
        )
    with pytest.raises(SetupError, match="expected TTL attribute expires_at, found ends_at"):
        sandbox.run("01_dynamodb")
