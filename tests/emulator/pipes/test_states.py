"""The laptop's pipe is made, changed, stopped and found, and refuses what AWS refuses."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.service import Pipes
from tests.support.laptop_cloud import code_of, laptop
from tests.support.pipe_fixture import ACTIONS, QUEUE, ROLE, TARGET, Moody, Plumbing, fresh


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, Moody) as cloud:
        yield cloud


@pytest.fixture
def plumbing(running: Cloud) -> Plumbing:
    return fresh(running)


@pytest.mark.parametrize("missing", [each for each in ACTIONS if not each.startswith("kinesis")])
def test_a_pipe_whose_role_cannot_read_or_bury_is_not_created(
    plumbing: Plumbing, missing: str
) -> None:
    plumbing.permit(*(action for action in ACTIONS if action != missing))
    pipe = plumbing.make_pipe()
    assert pipe["CurrentState"] == "CREATE_FAILED"
    expected = "message to SQS queue" if missing.startswith("sqs") else "Cannot access stream"
    assert expected in pipe["StateReason"]
    plumbing.permit(*ACTIONS)
    create = plumbing.pipes.create_pipe
    assert code_of(create, **plumbing.parameters()) == "ConflictException"
    assert code_of(plumbing.pipes.start_pipe, Name="mover") == "ConflictException"
    plumbing.pipes.delete_pipe(Name="mover")
    assert plumbing.make_pipe()["CurrentState"] == "RUNNING"


def test_a_pipe_whose_role_cannot_write_runs_and_delivers_nothing(plumbing: Plumbing) -> None:
    plumbing.permit(*(action for action in ACTIONS if not action.startswith("kinesis")))
    plumbing.put_many(1)
    assert plumbing.make_pipe()["CurrentState"] == "RUNNING"
    for _ in range(3):
        plumbing.cloud.tick()
        plumbing.cloud.clock.advance(3)
    assert plumbing.pipe()["CurrentState"] == "RUNNING"
    assert plumbing.keys() == []
    assert plumbing.metric("TargetStageFailed") > 1
    plumbing.permit(*ACTIONS)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["0"]


def test_a_pipe_that_may_not_read_any_more_says_so(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.permit("kinesis:PutRecords")
    plumbing.put_many(1)
    plumbing.cloud.run_until_idle()
    assert "not authorized" in plumbing.pipe()["StateReason"]
    plumbing.permit(*ACTIONS)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["0"]
    assert "StateReason" not in plumbing.pipe()


def test_a_stopped_pipe_goes_on_where_it_was(plumbing: Plumbing) -> None:
    plumbing.put(1)
    plumbing.pipes.create_pipe(**plumbing.parameters(), DesiredState="STOPPED")
    plumbing.cloud.run_until_idle()
    assert (plumbing.pipe()["CurrentState"], plumbing.keys()) == ("STOPPED", [])
    assert plumbing.pipes.start_pipe(Name="mover")["CurrentState"] == "STARTING"
    plumbing.cloud.run_until_idle()
    assert plumbing.pipes.stop_pipe(Name="mover")["CurrentState"] == "STOPPING"
    plumbing.put(2)
    plumbing.cloud.run_until_idle()
    assert (plumbing.pipe()["CurrentState"], plumbing.keys()) == ("STOPPED", ["1"])
    plumbing.pipes.start_pipe(Name="mover")
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["1", "2"]


def test_an_update_replaces_the_source_parameters_but_for_the_start(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.put(1)
    plumbing.cloud.run_until_idle()
    plumbing.pipes.update_pipe(
        Name="mover",
        RoleArn=ROLE,
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 5}},
        TargetParameters={"KinesisStreamParameters": {"PartitionKey": "fixed"}},
    )
    stream = plumbing.pipe()["SourceParameters"]["DynamoDBStreamParameters"]
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert (stream["BatchSize"], stream["MaximumRetryAttempts"]) == (5, -1)
    plumbing.put(2)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["1", "2"]
    assert plumbing.arrivals()[1]["PartitionKey"] == "fixed"


@pytest.mark.parametrize(
    "given",
    [
        {"StartingPosition": "AT_TIMESTAMP"},
        {"StartingPosition": None},
        {"BatchSize": 501},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 604_801},
        {"MaximumBatchingWindowInSeconds": 301},
        {"DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:123456789012:dead"}},
        {"OnPartialBatchItemFailure": "NEVER"},
        {"key": "k" * 257},
        {"key": "$.dynamodb.Keys[*]"},
    ],
)
def test_what_aws_refuses_is_refused(plumbing: Plumbing, given: dict[str, Any]) -> None:
    parameters = plumbing.parameters(**given)
    if given.get("StartingPosition", "") is None:
        parameters["SourceParameters"] = {}
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"
    assert plumbing.pipes.list_pipes()["Pipes"] == []


@pytest.mark.parametrize(
    "given",
    [{"DesiredState": "PAUSED"}, {"LogConfiguration": {"Level": "ERROR"}}],
)
def test_states_that_no_pipe_has_and_logs_that_nobody_writes_are_refused(
    plumbing: Plumbing, given: dict[str, Any]
) -> None:
    parameters = plumbing.parameters() | given
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"


@pytest.mark.parametrize(
    "given",
    [
        {"Name": "a b"},
        {"Source": TARGET},
        {"Target": QUEUE},
        {"RoleArn": "arn:aws:iam::1:user/x"},
        {"Enrichment": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        {"TargetParameters": {}},
    ],
)
def test_what_is_not_modelled_is_refused(plumbing: Plumbing, given: dict[str, Any]) -> None:
    parameters = {**plumbing.parameters(), **given}
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"


def test_a_filter_and_a_template_are_refused_and_taking_them_away_is_not(
    plumbing: Plumbing,
) -> None:
    made = plumbing.parameters()
    some = {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, {"InputTemplate": "{}"}
    none = {"FilterCriteria": {"Filters": []}}, {"InputTemplate": ""}
    members = ("SourceParameters", "TargetParameters")
    for member, wanted in zip(members, some, strict=True):
        given = {**made, member: {**made[member], **wanted}}
        assert code_of(plumbing.pipes.create_pipe, **given) == "ValidationException"
    plumbing.pipes.create_pipe(**made)
    update = {
        member: {**made[member], **empty} for member, empty in zip(members, none, strict=True)
    }
    named = {"Name": made["Name"], "RoleArn": made["RoleArn"]}
    start = update["SourceParameters"]["DynamoDBStreamParameters"].pop("StartingPosition")
    plumbing.pipes.update_pipe(**named, **update, Enrichment="")
    found = plumbing.pipes.describe_pipe(Name=made["Name"])["SourceParameters"]
    assert found["DynamoDBStreamParameters"]["StartingPosition"] == start


def test_pipes_are_found_by_name_state_and_tag(plumbing: Plumbing) -> None:
    first = plumbing.pipes.create_pipe(**plumbing.parameters(), Tags={"project": "cdc", "a": "b"})
    plumbing.pipes.create_pipe(**{**plumbing.parameters(), "Name": "other"}, DesiredState="STOPPED")
    listed = plumbing.pipes.list_pipes
    assert [each["Name"] for each in listed(Limit=1)["Pipes"]] == ["mover"]
    rest = listed(Limit=1, NextToken=listed(Limit=1)["NextToken"])
    assert [each["Name"] for each in rest["Pipes"]] == ["other"]
    assert [each["Name"] for each in listed(CurrentState="STOPPED")["Pipes"]] == ["other"]
    assert [each["Name"] for each in listed(NamePrefix="mo")["Pipes"]] == ["mover"]
    plumbing.pipes.tag_resource(resourceArn=first["Arn"], tags={"c": "d"})
    plumbing.pipes.untag_resource(resourceArn=first["Arn"], tagKeys=["a", "project"])
    assert plumbing.pipes.list_tags_for_resource(resourceArn=first["Arn"])["tags"] == {"c": "d"}
    plumbing.pipes.delete_pipe(Name="mover")
    assert code_of(plumbing.pipes.describe_pipe, Name="mover") == "NotFoundException"
