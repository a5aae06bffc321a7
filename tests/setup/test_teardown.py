"""Teardown: all that is the pipeline's goes, after what is on its way has arrived, and no more."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path

import boto3
import pytest
from hypothesis import settings
from moto.s3.models import s3_backends

from local.core.server import ACCOUNT
from tests.support.setup_fixture import SCRIPTS, World, a_world, changes, inventory, names, removed


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


# Each stop has a world of its own, which takes its time; a thorough run tries every one.
STOPS = range(1, 12) if settings().max_examples > 1000 else (3, 7)


@pytest.mark.parametrize("last", STOPS)
def test_teardown_clears_up_after_a_setup_that_was_never_finished(world: World, last: int) -> None:
    before = inventory()
    world.run(*SCRIPTS[:last])
    removed(delete_data=True)
    assert inventory() == before
    del world.asked[:]
    removed(delete_data=True)
    assert changes(world.asked) == []


def test_teardown_keeps_the_data_unless_told(world: World) -> None:
    before = inventory()
    world.run(*SCRIPTS[:8])
    assert "are kept" in removed(delete_data=False)
    assert inventory() - before == Counter(tables=1, buckets=1)
    world.run("01_dynamodb", "03_s3")  # The pipeline can be built again over them.


def test_what_firehose_still_holds_is_written_before_it_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Now(datetime):
        """The time that passes while teardown waits."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=world.passed)

    monkeypatch.setattr(import_module("setup.lib.drain"), "datetime", Now)
    world.run(*SCRIPTS[:8])
    order = {"order_id": {"S": "held"}}
    boto3.client("dynamodb").put_item(TableName=names.TABLE, Item=order)
    while not import_module("setup.lib.drain").has_recent_records(boto3.client("kinesis")):
        world.sleep(0.1)
    world.sleep(1.0)
    lake = {"Bucket": names.bucket(), "Prefix": names.LAKE}
    assert boto3.client("s3").list_objects_v2(**lake)["KeyCount"] == 0
    removed(delete_data=False)
    assert boto3.client("s3").list_objects_v2(**lake)["KeyCount"] == 1


def test_a_lake_of_many_versions_and_delete_markers_goes_whole(world: World) -> None:
    before = inventory()
    world.run("03_s3")
    bucket = s3_backends[ACCOUNT]["aws"].buckets[names.bucket()]
    put, delete = s3_backends[ACCOUNT]["aws"].put_object, boto3.client("s3").delete_object
    for number in range(1100):  # AWS lists, and deletes, a thousand at a time.
        put(bucket.name, f"lake/{number % 400}", b"")
    for number in range(3):
        delete(Bucket=bucket.name, Key=f"lake/{number}")
    removed(delete_data=True)
    assert inventory() == before


def test_what_does_not_carry_the_pipelines_tag_stays_and_is_said(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = inventory()
    client, here = boto3.client, names.location()
    pipe = client("sns").create_topic(Name=names.ALARM_TOPIC)["TopicArn"]
    client("sqs").create_queue(QueueName=names.DEAD_LETTERS)
    client("kinesis").create_stream(StreamName=names.STREAM, ShardCount=1)
    client("logs").create_log_group(logGroupName=names.FUNCTION_LOGS, tags={"pipeline": "other"})
    trust = json.dumps(import_module("setup.lib.iam_policies").trusts(here)["lambda"])
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


def test_a_pipe_on_a_stream_that_was_disabled_goes_without_being_stopped(world: World) -> None:
    """AWS stops no pipe whose source is disabled."""
    world.run(*SCRIPTS[:8])
    off = {"StreamEnabled": False}
    boto3.client("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=off)
    del world.asked[:]
    removed(delete_data=False)
    asked = [operation for service, operation in world.asked if service == "pipes"]
    assert "StopPipe" not in asked
    assert "DeletePipe" in asked


def test_a_function_goes_whose_description_leaves_its_tags_out(world: World) -> None:
    """GetFunction does so for whoever may not list them, and does not say it."""
    world.run("04_iam", "05_lambda")
    found = boto3.client("lambda").get_function(FunctionName=names.FUNCTION)
    found.pop("Tags")
    world.pretend("GetFunction", found)
    removed(delete_data=True)
    assert inventory()["functions"] == 0


# Of what setup was still making when it was interrupted: the question, and what AWS refuses then.
HALF_MADE = {
    "DescribeTable": (("Table", "TableStatus"), "UpdateTable"),
    "DescribeStreamSummary": (("StreamDescriptionSummary", "StreamStatus"), "DeleteStream"),
    "DescribeDeliveryStream": (
        ("DeliveryStreamDescription", "DeliveryStreamStatus"),
        "DeleteDeliveryStream",
    ),
}


def test_what_is_still_being_made_is_waited_for_before_it_goes(world: World) -> None:
    before = inventory()
    world.run(*SCRIPTS[:6])
    del world.asked[:]
    for question, ((member, state), _) in HALF_MADE.items():
        world.pretend(question, *[{member: {state: "CREATING"}}] * 3)
    removed(delete_data=True)
    assert inventory() == before
    operations = [operation for _, operation in world.asked]
    for question, (_, refused) in HALF_MADE.items():
        assert operations[: operations.index(refused)].count(question) > 3


def test_what_is_already_being_deleted_is_waited_for(world: World) -> None:
    deleting = {"CurrentState": "DELETING", "Tags": names.TAGS}
    gone = {"Error": {"Code": "NotFoundException", "Message": "Pipe does not exist."}}
    world.pretend("DescribePipe", *[deleting] * 3, *[gone] * 1000)
    assert "are kept" in removed(delete_data=False)
    assert world.passed < 60


def test_a_table_that_is_no_longer_protected_is_not_changed_before_it_goes(world: World) -> None:
    """Another teardown may have been interrupted between the two."""
    world.run("01_dynamodb")
    change = boto3.client("dynamodb").update_table
    change(TableName=names.TABLE, DeletionProtectionEnabled=False)
    del world.asked[:]
    removed(delete_data=True)
    assert ("dynamodb", "DeleteTable") in world.asked
    assert ("dynamodb", "UpdateTable") not in world.asked


def test_a_queue_that_is_gone_though_aws_still_tells_its_address_needs_no_removal(
    world: World,
) -> None:
    world.run(*SCRIPTS[:7])
    code = "AWS.SimpleQueueService.NonExistentQueue"
    world.pretend("ListQueueTags", {"Error": {"Code": code, "Message": "It does not exist."}})
    removed(delete_data=False)
    assert world.pretended == {"ListQueueTags": []}
    assert ("sqs", "DeleteQueue") not in world.asked
