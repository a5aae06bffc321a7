"""The setup scripts on the laptop cloud: their order, and what they create in any location."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup import names
from setup.lib.waiters import SetupError
from tests.support.profile import IS_THOROUGH
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
    count_resources,
    setup_sandbox,
    tear_down,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


LOCATIONS = [
    ("cn-north-1", "111122223333", "aws-cn"),
    ("eu-central-1", "123456789012", "aws"),
    ("us-gov-west-1", "123456789012", "aws-us-gov"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("region", "account", "partition"), LOCATIONS if IS_THOROUGH else LOCATIONS[:1]
)
def test_setup_works_in_any_location(
    tmp_path: Path, region: str, account: str, partition: str
) -> None:
    with setup_sandbox(tmp_path, region, account=account) as sandbox:
        before = count_resources()
        sandbox.run()
        sandbox.calls.clear()
        sandbox.run()
        assert sandbox.writes() == []
        bucket_location = aws_client("s3").get_bucket_location(Bucket=names.bucket())
        assert bucket_location["LocationConstraint"] == region
        pipe = aws_client("pipes").describe_pipe(Name=names.PIPE)
        for member in ("Arn", "Source", "Target"):
            prefix, arn_partition, _, *arn_location = pipe[member].split(":")[:5]
            assert (prefix, arn_partition) == ("arn", partition)
            assert arn_location == [region, account]
        assert pipe["RoleArn"].startswith(f"arn:{partition}:iam::{account}:role/")
        tear_down(delete_data=True)
        assert count_resources() == before


@pytest.mark.parametrize(
    ("script", "prerequisite"),
    [
        ("05_lambda", "04_iam"),
        ("06_firehose", "02_kinesis"),
        ("07_pipe", "01_dynamodb"),
        ("08_start_pipe", "06_firehose"),
        ("10_glue", "04_iam"),
        ("11_athena", "10_glue"),
    ],
)
def test_a_script_names_its_prerequisite(
    sandbox: SetupSandbox, script: str, prerequisite: str
) -> None:
    with pytest.raises(SetupError, match=rf"is missing: run python setup/{prerequisite}\.py"):
        sandbox.run(script)
    assert count_resources().total() - count_resources()["workgroups"] == 0


@pytest.mark.slow
def test_the_pipe_is_started_after_firehose_only(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:7])
    assert pipe_state() == "STOPPED"
    aws_client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    with pytest.raises(SetupError, match=r"run python setup/06_firehose\.py"):
        sandbox.run("08_start_pipe")
    assert pipe_state() == "STOPPED"
    sandbox.run("06_firehose", "08_start_pipe")
    assert pipe_state() == "RUNNING"
    sandbox.run("07_pipe")
    assert pipe_state() == "RUNNING"


def pipe_state() -> str:
    return str(aws_client("pipes").describe_pipe(Name=names.PIPE)["CurrentState"])


@pytest.mark.slow
def test_orders_of_any_time_arrive(sandbox: SetupSandbox) -> None:
    sandbox.run("01_dynamodb")
    put_order("before")
    sandbox.run(*SCRIPTS[1:7])
    put_order("during")
    sandbox.run("08_start_pipe")
    put_order("after")
    sandbox.cloud.run_until_idle()
    assert {"before", "during", "after"} == order_ids_in_lake()


def put_order(name: str) -> None:
    order = {"order_id": {"S": name}}
    aws_client("dynamodb").put_item(TableName=names.TABLE, Item=order)


def order_ids_in_lake() -> set[str]:
    """Return the ids of the orders in the lake's rows."""
    s3 = aws_client("s3")
    order_ids = set()
    listing = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    for entry in listing.get("Contents", []):
        body = s3.get_object(Bucket=names.bucket(), Key=entry["Key"])["Body"].read()
        order_ids |= {json.loads(line)["order_id"] for line in gzip.decompress(body).splitlines()}
    return order_ids


@pytest.mark.slow
def test_what_is_created_again_names_what_is_missing(sandbox: SetupSandbox) -> None:
    """On first setup nothing is missing; later the fix is named, but only by what is new."""
    assert not any("operations." in line for line in sandbox.run(*SCRIPTS[:8]))
    put_order("before")
    sandbox.cloud.run_until_idle()
    assert not any("operations." in line for line in sandbox.run(*SCRIPTS[:8]))
    aws_client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    aws_client("pipes").stop_pipe(Name=names.PIPE)
    sandbox.cloud.run_until_idle()
    [firehose_line, pipe_line] = sandbox.run("06_firehose", "08_start_pipe")
    assert "python -m operations.replay --from-kinesis 24h" in firehose_line
    assert "did not run for more than 24 hours" in pipe_line
    aws_client("kinesis").delete_stream(StreamName=names.STREAM)
    [kinesis_line] = sandbox.run("02_kinesis")
    assert "what Firehose had not read before is missing" in kinesis_line
