"""Teardown: deletes what carries the pipeline's tag, after in-flight changes have arrived."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from analytics.cost import monthly, prices
from local.core.server import ACCOUNT
from setup import names, teardown
from setup.lib import drain
from setup.lib.iam_policies import trust_policies
from setup.lib.teardown_steps import delete_stream
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import create_table
from tests.support.profile import IS_THOROUGH, sampled
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
    aws_error,
    count_resources,
    setup_sandbox,
    tear_down,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


# Each number of scripts needs a cloud of its own, which is slow; a thorough run tries all.
SCRIPT_COUNTS = range(1, 12) if IS_THOROUGH else (7,)


@pytest.mark.slow
@pytest.mark.parametrize("script_count", SCRIPT_COUNTS)
def test_an_unfinished_setup_is_cleaned_up(sandbox: SetupSandbox, script_count: int) -> None:
    before = count_resources()
    sandbox.run(*SCRIPTS[:script_count])
    tear_down(delete_data=True)
    assert count_resources() == before
    sandbox.calls.clear()
    tear_down(delete_data=True)
    assert sandbox.writes() == []


def test_the_data_is_kept_by_default(sandbox: SetupSandbox) -> None:
    before = count_resources()
    sandbox.run(*SCRIPTS[:8])
    assert "; kept bucket" in tear_down(delete_data=False)
    assert count_resources() - before == Counter(tables=1, buckets=1)
    sandbox.run("01_dynamodb", "03_s3")  # The pipeline can be set up again on top of them.


def test_every_page_of_shards_is_drained(sandbox: SetupSandbox) -> None:
    """AWS lists 1,000 shards on a page, and takes the next page's token only alone."""
    sandbox.run("02_kinesis")
    kinesis = aws_client("kinesis")
    *_, last_shard = kinesis.list_shards(StreamName=names.STREAM)["Shards"]
    first_page = kinesis.list_shards(StreamName=names.STREAM, MaxResults=2)
    kinesis.put_record(
        StreamName=names.STREAM,
        Data=b"{}",
        PartitionKey="k",
        ExplicitHashKey=last_shard["HashKeyRange"]["StartingHashKey"],
    )
    sandbox.stub("ListShards", first_page)
    assert drain.has_recent_records(kinesis)


@pytest.mark.slow
def test_firehose_buffers_are_written_first(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SandboxTime(datetime):
        """The time, plus what teardown has waited."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "SandboxTime":
            return cls.fromtimestamp(time.time() + sandbox.seconds_waited, tz)

    monkeypatch.setattr(drain, "datetime", SandboxTime)
    sandbox.run(*SCRIPTS[:8])
    order = {"order_id": {"S": "buffered"}}
    aws_client("dynamodb").put_item(TableName=names.TABLE, Item=order)
    while not drain.has_recent_records(aws_client("kinesis")):
        sandbox.sleep(0.1)
    sandbox.sleep(1.0)
    lake = {"Bucket": names.bucket(), "Prefix": names.LAKE}
    assert aws_client("s3").list_objects_v2(**lake)["KeyCount"] == 0
    tear_down(delete_data=False)
    assert aws_client("s3").list_objects_v2(**lake)["KeyCount"] == 1


@pytest.mark.slow
def test_a_lake_of_many_versions_is_deleted(sandbox: SetupSandbox) -> None:
    before = count_resources()
    sandbox.run("03_s3")
    bucket = s3_backends[ACCOUNT]["aws"].buckets[names.bucket()]
    put = s3_backends[ACCOUNT]["aws"].put_object  # Faster than the API.
    delete = aws_client("s3").delete_object
    for number in range(1100):  # AWS lists, and deletes, a thousand at a time.
        put(bucket.name, f"lake/{number % 400}", b"")
    for number in range(3):
        delete(Bucket=bucket.name, Key=f"lake/{number}")
    tear_down(delete_data=True)
    assert count_resources() == before


@pytest.mark.slow
def test_teardown_goes_on_after_an_error(
    sandbox: SetupSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """What costs money would stay after the first unforeseen answer of any service."""
    before = count_resources()
    sandbox.run(*SCRIPTS[:11])
    operations = ("StopPipe", "ListTagsForResource", "DeleteQueue", "DeleteRole", "DeleteStream")
    for operation in operations:
        sandbox.stub(operation, aws_error("AccessDeniedException", "you may not"))
    with pytest.raises(SetupError) as raised:
        tear_down(delete_data=True)
    assert not sandbox.has_unused_stubs()
    remaining = count_resources() - before
    assert remaining == Counter(workgroups=1, queues=1, roles=1, streams=1)
    for name in (names.WORKGROUP, names.DEAD_LETTERS, "role of pipe", f"{names.STREAM} (29 USD)"):
        assert name in str(raised.value)
    assert capsys.readouterr().err.count("access denied") == len(operations)
    tear_down(delete_data=True)
    assert count_resources() == before


@pytest.mark.parametrize("operation", sampled(["ListShards", "StopPipe"], step=2))
def test_undelivered_changes_are_not_deleted(sandbox: SetupSandbox, operation: str) -> None:
    before = count_resources()
    sandbox.run(*SCRIPTS[:9])
    sandbox.stub(operation, aws_error("InternalException", "something else"))
    with pytest.raises(SetupError, match="monthly cost: pipe "):
        tear_down(delete_data=False)
    remaining = count_resources() - before
    assert remaining["pipes"] == remaining["deliveries"] == remaining["streams"] == 1
    assert (remaining["roles"], remaining["functions"], remaining["alarms"]) == (4, 1, 0)


def test_teardown_ends_without_credentials(sandbox: SetupSandbox) -> None:
    sandbox.run("01_dynamodb")
    sandbox.stub("DescribePipe", aws_error("ExpiredTokenException", "it has expired"))
    with pytest.raises(ClientError, match="it has expired"):
        tear_down(delete_data=True)


def test_the_cost_of_what_remains_is_the_plans() -> None:
    [stream] = [step for step in teardown.DELIVERY_STEPS if step.run is delete_stream]
    assert stream.monthly_cost == f"{prices.KINESIS_HOURS.cost(monthly.HOURS):.0f} USD"


def test_untagged_resources_are_kept(
    sandbox: SetupSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    before = count_resources()
    client = boto3.client
    here = names.location()
    topic = client("sns").create_topic(Name=names.ALARM_TOPIC)["TopicArn"]
    client("sqs").create_queue(QueueName=names.DEAD_LETTERS)
    client("kinesis").create_stream(StreamName=names.STREAM, ShardCount=1)
    client("logs").create_log_group(logGroupName=names.FUNCTION_LOGS, tags={"pipeline": "other"})
    trust = json.dumps(trust_policies(here)["lambda"])
    client("iam").create_role(RoleName=here.role_name("lambda"), AssumeRolePolicyDocument=trust)
    client("glue").create_database(DatabaseInput={"Name": names.DATABASE})
    client("athena").create_work_group(Name=names.WORKGROUP, Configuration=RESULTS)
    client("s3").create_bucket(Bucket=names.bucket())
    create_table(client("dynamodb"), names.TABLE, {"id": "S"})
    untagged = count_resources()
    tear_down(delete_data=True)
    assert count_resources() == untagged
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept ")]
    assert len(lines) == (untagged - before).total() == 9
    assert topic.rpartition(":")[2] in "".join(lines)


RESULTS: Any = {"ResultConfiguration": {"OutputLocation": "s3://elsewhere/"}}


@pytest.mark.slow
def test_an_untagged_pipe_is_not_stopped(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:8])
    pipes = aws_client("pipes")
    pipe_arn = pipes.describe_pipe(Name=names.PIPE)["Arn"]
    pipes.untag_resource(resourceArn=pipe_arn, tagKeys=["pipeline"])
    tear_down(delete_data=False)
    assert pipes.describe_pipe(Name=names.PIPE)["CurrentState"] == "RUNNING"


@pytest.mark.slow
def test_a_pipe_on_a_disabled_stream_is_not_stopped(
    sandbox: SetupSandbox,
) -> None:
    """AWS refuses to stop a pipe whose source is disabled."""
    sandbox.run(*SCRIPTS[:8])
    disabled = {"StreamEnabled": False}
    aws_client("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=disabled)
    sandbox.calls.clear()
    tear_down(delete_data=False)
    operations = [operation for service, operation in sandbox.calls if service == "pipes"]
    assert "StopPipe" not in operations
    assert "DeletePipe" in operations


def test_a_function_without_listed_tags_is_deleted(sandbox: SetupSandbox) -> None:
    """GetFunction omits the tags, without an error, for callers that may not list them."""
    sandbox.run("04_iam", "05_lambda")
    response = aws_client("lambda").get_function(FunctionName=names.FUNCTION)
    response.pop("Tags")
    sandbox.stub("GetFunction", response)
    tear_down(delete_data=True)
    assert count_resources()["functions"] == 0


# For resources that an interrupted setup was still creating: the operation that describes them, the
# path of their state, and the operation that AWS refuses meanwhile.
UNFINISHED = {
    "DescribeTable": (("Table", "TableStatus"), "UpdateTable"),
    "DescribeStreamSummary": (("StreamDescriptionSummary", "StreamStatus"), "DeleteStream"),
    "DescribeDeliveryStream": (
        ("DeliveryStreamDescription", "DeliveryStreamStatus"),
        "DeleteDeliveryStream",
    ),
}


@pytest.mark.slow
def test_unfinished_creations_are_awaited(sandbox: SetupSandbox) -> None:
    before = count_resources()
    sandbox.run(*SCRIPTS[:6])
    sandbox.calls.clear()
    for describe, ((member, state), _) in UNFINISHED.items():
        sandbox.stub(describe, *[{member: {state: "CREATING"}}] * 3)
    tear_down(delete_data=True)
    assert count_resources() == before
    operations = [operation for _, operation in sandbox.calls]
    for describe, (_, change) in UNFINISHED.items():
        assert operations[: operations.index(change)].count(describe) > 3


def test_a_pipe_being_deleted_is_awaited(sandbox: SetupSandbox) -> None:
    deleting = {"CurrentState": "DELETING", "Tags": names.TAGS}
    not_found = {"Error": {"Code": "NotFoundException", "Message": "Pipe does not exist."}}
    sandbox.stub("DescribePipe", *[deleting] * 3, *[not_found] * 1000)
    assert "; kept bucket" in tear_down(delete_data=False)
    assert sandbox.seconds_waited < 60


def test_an_unprotected_table_is_only_deleted(
    sandbox: SetupSandbox,
) -> None:
    """Another teardown may have been interrupted between the two calls."""
    sandbox.run("01_dynamodb")
    dynamodb = aws_client("dynamodb")
    dynamodb.update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
    sandbox.calls.clear()
    tear_down(delete_data=True)
    assert ("dynamodb", "DeleteTable") in sandbox.calls
    assert ("dynamodb", "UpdateTable") not in sandbox.calls


@pytest.mark.slow
def test_a_table_without_tags_is_kept(sandbox: SetupSandbox) -> None:
    sandbox.run("01_dynamodb")
    unknown = {"Error": {"Code": "UnknownOperationException", "Message": ""}}
    sandbox.stub("ListTagsOfResource", unknown)
    tear_down(delete_data=True)
    assert ("dynamodb", "DeleteTable") not in sandbox.calls


@pytest.mark.slow
def test_a_deleted_queue_with_a_url_is_skipped(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:7])
    code = "AWS.SimpleQueueService.NonExistentQueue"
    sandbox.stub("ListQueueTags", {"Error": {"Code": code, "Message": "It does not exist."}})
    tear_down(delete_data=False)
    assert sandbox.stubs == {"ListQueueTags": []}
    assert ("sqs", "DeleteQueue") not in sandbox.calls
