"""Resources that exist with other settings: the setup scripts reject what they cannot change."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from setup import names
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import create_table
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
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


def test_a_pipe_on_a_former_stream_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:7])
    dynamodb = aws_client("dynamodb")
    disabled = {"StreamEnabled": False}
    dynamodb.update_table(TableName=names.TABLE, StreamSpecification=disabled)
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
