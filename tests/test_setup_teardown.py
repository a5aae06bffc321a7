"""Teardown: all that is the pipeline's goes, after what is on its way has arrived, and no more."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import boto3
import pytest

from tests.setup_world import SCRIPTS, World, a_world, inventory, names, removed


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize("last", [4, 7])
def test_teardown_clears_up_after_a_setup_that_was_never_finished(world: World, last: int) -> None:
    before = inventory()
    world.run(*SCRIPTS[:last])
    removed(delete_data=True)
    assert inventory() == before


def test_teardown_keeps_the_data_unless_told(world: World) -> None:
    before = inventory()
    world.run(*SCRIPTS[:8])
    assert "are kept" in removed(delete_data=False)
    assert inventory() - before == Counter(tables=1, buckets=1)
    world.run("01_dynamodb", "03_s3")  # The pipeline can be built again over them.


def test_firehose_gets_the_time_to_write_what_it_took(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    draining = import_module("draining")
    world.run("02_kinesis")
    kinesis = boto3.client("kinesis")
    assert not draining.moves(kinesis)
    kinesis.put_record(StreamName=names.STREAM, Data=b"{}", PartitionKey="a")
    assert draining.moves(kinesis)
    monkeypatch.setattr(draining, "QUIET", -timedelta(seconds=5))
    assert "is quiet" in "".join(draining.drained())


def test_what_does_not_carry_the_pipelines_tag_stays_and_is_said(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = inventory()
    client, here = boto3.client, names.place()
    pipe = client("sns").create_topic(Name=names.ALARM_TOPIC)["TopicArn"]
    client("sqs").create_queue(QueueName=names.DEAD_LETTERS)
    client("kinesis").create_stream(StreamName=names.STREAM, ShardCount=1)
    client("logs").create_log_group(logGroupName=names.FUNCTION_LOGS, tags={"pipeline": "other"})
    trust = json.dumps(import_module("policies").trusts(here)["lambda"])
    client("iam").create_role(RoleName=here.role_name("lambda"), AssumeRolePolicyDocument=trust)
    client("glue").create_database(DatabaseInput={"Name": names.DATABASE})
    client("athena").create_work_group(Name=names.WORKGROUP, Configuration=RESULTS)
    client("s3").create_bucket(Bucket=names.bucket())
    client("dynamodb").create_table(
        TableName=names.TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made = inventory()
    removed(delete_data=True)
    assert inventory() == made
    lines = [line for line in capsys.readouterr().out.splitlines() if " stays: " in line]
    assert len(lines) == (made - before).total() == 9
    assert pipe.rpartition(":")[2] in "".join(lines)


RESULTS = {"ResultConfiguration": {"OutputLocation": "s3://elsewhere/"}}


def test_a_pipe_of_somebody_else_is_not_even_stopped(world: World) -> None:
    world.run(*SCRIPTS[:8])
    pipes = boto3.client("pipes")
    where = pipes.describe_pipe(Name=names.PIPE)["Arn"]
    pipes.untag_resource(resourceArn=where, tagKeys=["pipeline"])
    removed(delete_data=False)
    assert pipes.describe_pipe(Name=names.PIPE)["CurrentState"] == "RUNNING"
