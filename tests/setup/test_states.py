"""What is busy, failed or not known everywhere yet: the scripts wait, mend, or say so."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.setup_fixture import SCRIPTS, SetupError, World, a_world, changes, names


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


ABORTED = ("OperationAborted", "A conflicting conditional operation is in progress")
PARTS_OF_BUCKET = ("Encryption", "LifecycleConfiguration", "Policy", "Tagging", "Versioning")
# What AWS says of a thing just made, or just deleted, that it does not know everywhere yet.
BEHIND = {
    **dict.fromkeys(("CreateBucket", "PutPublicAccessBlock"), ABORTED),
    **dict.fromkeys((f"PutBucket{part}" for part in PARTS_OF_BUCKET), ABORTED),
    "CreateFunction": ("InvalidParameterValueException", "The role cannot be assumed by Lambda."),
    "CreateDeliveryStream": ("InvalidArgumentException", "Firehose is unable to assume role r."),
    "CreateQueue": ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue"),
    "CreatePipe": ("ValidationException", "The role does not have permissions for s."),
    "CreateCrawler": ("InvalidInputException", "Service is unable to assume provided role."),
    "UpdateContinuousBackups": ("ContinuousBackupsUnavailableException", "t has none yet."),
}


def test_every_script_waits_while_aws_is_behind(world: World) -> None:
    for operation, (code, text) in BEHIND.items():
        world.pretend(operation, *[{"Error": {"Code": code, "Message": text}}] * 3)
    world.run(*SCRIPTS[:10])
    assert not any(world.pretended.values())
    for operation in BEHIND:
        assert [name for _, name in world.asked].count(operation) == 4


def test_a_stream_is_waited_for_that_aws_does_not_tell_of_yet(world: World) -> None:
    dynamodb, key = boto3.client("dynamodb"), "order_id"
    dynamodb.create_table(
        TableName=names.TABLE,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    former = {"LatestStreamArn": f"{names.arn('dynamodb', 'table')}/{names.TABLE}/stream/former"}
    behind = dynamodb.describe_table(TableName=names.TABLE)["Table"] | former
    world.pretend("DescribeTable", *[{"Table": behind}] * 9)
    [line] = world.run("01_dynamodb")
    assert world.pretended == {"DescribeTable": []}
    now = dynamodb.describe_table(TableName=names.TABLE)["Table"]["LatestStreamArn"]
    assert line.endswith(now)
    assert now != former["LatestStreamArn"]


# Of each thing that AWS is long busy with: how it is asked, and where its state stands.
BUSY = {
    "DescribeTable": ("Table", "TableStatus"),
    "DescribeStreamSummary": ("StreamDescriptionSummary", "StreamStatus"),
    "DescribeDeliveryStream": ("DeliveryStreamDescription", "DeliveryStreamStatus"),
    "DescribePipe": ("CurrentState",),
}
STATES = dict.fromkeys(BUSY, ("CREATING", "UPDATING")) | {"DescribeDeliveryStream": ("CREATING",)}


def described_as(operation: str, state: str) -> dict[str, Any]:
    """Return an answer of which nothing but the state matters."""
    answer: Any = state
    for member in reversed(BUSY[operation]):
        answer = {member: answer}
    return answer


def test_what_is_being_deleted_is_waited_for_and_made_again(world: World) -> None:
    for operation in BUSY:
        world.pretend(operation, *[described_as(operation, "DELETING")] * 3)
    world.run("01_dynamodb", *SCRIPTS[2:5])
    assert world.pretended.pop("DescribeTable") == []
    world.run("02_kinesis", "06_firehose", "07_pipe")
    assert not any(world.pretended.values())
    made = {"CreateTable", "CreateStream", "CreateDeliveryStream", "CreatePipe"}
    assert made <= {operation for _, operation in world.asked}
    assert world.passed < 60
    busy_things_are_waited_for(world)


def busy_things_are_waited_for(world: World) -> None:
    """What AWS is still making or changing is neither made again nor changed meanwhile."""
    function = {"State": "Pending"}, {"State": "Active", "LastUpdateStatus": "InProgress"}
    for operation in BUSY:
        world.pretend(operation, *[described_as(operation, state) for state in STATES[operation]])
    world.pretend("GetFunctionConfiguration", *function)
    del world.asked[:]
    world.run(*SCRIPTS[:2], *SCRIPTS[4:7])
    assert not any(world.pretended.values())
    assert changes(world.asked) == []


@pytest.mark.parametrize(
    ("state", "changed"),
    [
        ({"State": "Failed"}, ["DeleteFunction", "CreateFunction"]),
        ({"LastUpdateStatus": "Failed"}, ["UpdateFunctionConfiguration"]),
        ({}, []),
    ],
)
def test_a_function_that_failed_is_made_or_changed_again(
    world: World, state: dict[str, str], changed: list[str]
) -> None:
    world.run("04_iam", "05_lambda")
    world.pretend("GetFunctionConfiguration", state)
    del world.asked[:]
    world.run("05_lambda")
    assert [operation for _, operation in changes(world.asked)] == changed


def test_a_function_that_nobody_called_for_long_is_well(world: World) -> None:
    world.run("04_iam", "05_lambda")
    found = boto3.client("lambda").get_function_configuration(FunctionName=names.FUNCTION)
    world.pretend("GetFunctionConfiguration", *[found | {"State": "Inactive"}] * 3)
    before = world.passed
    world.run("05_lambda")
    assert not any(world.pretended.values())
    assert world.passed == before


def test_a_pipe_whose_last_update_failed_is_updated_again(world: World) -> None:
    world.run(*SCRIPTS[:7])
    found = boto3.client("pipes").describe_pipe(Name=names.PIPE)
    world.pretend("DescribePipe", *[found | {"CurrentState": "UPDATE_FAILED"}] * 2)
    del world.asked[:]
    assert world.run("07_pipe")[0].endswith("is STOPPED")
    assert changes(world.asked) == [("pipes", "UpdatePipe")]


def test_a_queue_that_is_gone_though_aws_still_tells_its_address_is_made_again(
    world: World,
) -> None:
    world.run(*SCRIPTS[:7])
    code = "AWS.SimpleQueueService.NonExistentQueue"
    world.pretend("GetQueueAttributes", {"Error": {"Code": code, "Message": "It does not exist."}})
    del world.asked[:]
    world.run("07_pipe")
    assert changes(world.asked) == [("sqs", "CreateQueue")]


FILTER = {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}}
TEMPLATE = {"InputTemplate": '{"id": <$.eventID>}'}


@pytest.mark.parametrize("kind", ["filter", "enrichment", "template"])
def test_what_leaves_changes_out_or_alters_them_is_taken_from_the_pipe(
    world: World, kind: str
) -> None:
    world.run(*SCRIPTS[:7])
    pipes = boto3.client("pipes")
    found = pipes.describe_pipe(Name=names.PIPE)
    added = {
        "filter": {"SourceParameters": found["SourceParameters"] | FILTER},
        "enrichment": {"Enrichment": names.arn("lambda", "function:other")},
        "template": {"TargetParameters": found["TargetParameters"] | TEMPLATE},
    }
    sent: list[dict[str, Any]] = []
    pipes.meta.events.register_first(
        "before-parameter-build.pipes.UpdatePipe", lambda params, **_: sent.append(params)
    )
    world.pretend("DescribePipe", *[found | added[kind]] * 2)
    world.run("07_pipe")
    [update] = sent
    assert update["SourceParameters"]["FilterCriteria"] == {"Filters": []}
    assert update["Enrichment"] == update["TargetParameters"]["InputTemplate"] == ""
    del world.asked[:]
    world.run("07_pipe")
    assert changes(world.asked) == []


def test_a_pipe_that_could_not_be_made_is_made_once_its_role_can_read(world: World) -> None:
    world.run(*SCRIPTS[:6])
    iam, role = boto3.client("iam"), names.location().role_name("pipe")
    allowed = iam.get_role_policy(RoleName=role, PolicyName=names.PIPELINE)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=names.PIPELINE)
    with pytest.raises(SetupError, match=r"CREATE_FAILED: .*Cannot access stream"):
        world.run("07_pipe")
    assert 120 <= world.passed < 300
    iam.put_role_policy(
        RoleName=role, PolicyName=names.PIPELINE, PolicyDocument=json.dumps(allowed)
    )
    world.run("07_pipe")
    assert import_module("setup.lib.resources").pipe_state() == "STOPPED"


def test_a_firehose_stream_that_could_not_be_made_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run(*SCRIPTS[:6])
    script, now = (
        import_module("setup.06_firehose"),
        import_module("setup.lib.resources").delivery_state,
    )
    states = iter(["CREATING", "CREATING_FAILED: no key"])
    monkeypatch.setattr(script, "delivery_state", lambda: next(states, None) or now())
    del world.asked[:]
    world.run("06_firehose")
    assert ("firehose", "DeleteDeliveryStream") in world.asked
    assert ("firehose", "CreateDeliveryStream") in world.asked
    assert now() == "ACTIVE"


@pytest.mark.parametrize("marked", ["CREATING_FAILED: no key", "CREATING"])
def test_a_pipe_is_never_started_before_firehose_reads(
    world: World, monkeypatch: pytest.MonkeyPatch, marked: str
) -> None:
    monkeypatch.setattr(import_module("setup.08_start_pipe"), "delivery_state", lambda: marked)
    with pytest.raises(SetupError, match=f"is {marked}: run python setup/06_firehose"):
        world.run("08_start_pipe")
