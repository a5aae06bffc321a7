"""API of Pipes: create, update, start, stop, list, and what it rejects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.service import Pipes
from tests.support.laptop_cloud import code_of, laptop
from tests.support.pipe_fixture import (
    PERMISSIONS,
    QUEUE,
    ROLE,
    TARGET,
    FlakyKinesis,
    PipeEnvironment,
    new_environment,
)

LOG_GROUP = "/aws/vendedlogs/pipes/mover"
LOG = {"LogGroupArn": f"arn:aws:logs:us-east-1:123456789012:log-group:{LOG_GROUP}"}
ERROR_LOG = {"Level": "ERROR", "CloudwatchLogsLogDestination": LOG}
# The target is not checked at creation.
PERMISSIONS_CHECKED_AT_CREATION = [name for name in PERMISSIONS if not name.startswith("kinesis")]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, FlakyKinesis) as cloud:
        yield cloud


@pytest.fixture
def env(cloud: Cloud) -> PipeEnvironment:
    return new_environment(cloud)


@pytest.mark.parametrize("missing", PERMISSIONS_CHECKED_AT_CREATION)
def test_missing_permission_fails_creation(env: PipeEnvironment, missing: str) -> None:
    other_permissions = [action for action in PERMISSIONS if action != missing]
    env.allow_only(*other_permissions)
    pipe = env.create_pipe()
    assert pipe["CurrentState"] == "CREATE_FAILED"
    expected = "message to SQS queue" if missing.startswith("sqs") else "Cannot access stream"
    assert expected in pipe["StateReason"]
    env.allow_only(*PERMISSIONS)
    assert code_of(env.pipes.create_pipe, **env.pipe_params()) == "ConflictException"
    assert code_of(env.pipes.start_pipe, Name="mover") == "ConflictException"
    env.pipes.delete_pipe(Name="mover")
    assert env.create_pipe()["CurrentState"] == "RUNNING"


def test_pipe_without_write_permission_still_runs(env: PipeEnvironment) -> None:
    env.allow_only(*PERMISSIONS_CHECKED_AT_CREATION)
    env.put_numbered_items(1)
    assert env.create_pipe()["CurrentState"] == "RUNNING"
    for _ in range(3):
        env.cloud.tick()
        env.cloud.clock.advance(3)
    assert env.describe_pipe()["CurrentState"] == "RUNNING"
    assert env.delivered_keys() == []
    assert env.metric("TargetStageFailed") > 1
    env.allow_only(*PERMISSIONS)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["0"]


def test_a_failed_execution_is_logged(env: PipeEnvironment) -> None:
    logs = env.cloud.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    env.pipes.create_pipe(**env.pipe_params(), LogConfiguration=ERROR_LOG)
    assert env.describe_pipe()["LogConfiguration"] == ERROR_LOG
    env.put_items(1)
    env.cloud.run_until_idle()
    assert logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"] == []
    env.allow_only("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
    env.put_items(2)
    env.cloud.tick()
    [event] = logs.filter_log_events(logGroupName=LOG_GROUP)["events"]
    record = json.loads(event["message"])
    assert record["messageType"] == "TARGET_INVOCATION_FAILED"
    assert "not authorized to perform: kinesis:PutRecords" in record["error"]["message"]


def test_lost_read_permission_is_the_state_reason(env: PipeEnvironment) -> None:
    env.create_pipe()
    env.allow_only("kinesis:PutRecords")
    env.put_numbered_items(1)
    env.cloud.run_until_idle()
    assert "not authorized" in env.describe_pipe()["StateReason"]
    env.allow_only(*PERMISSIONS)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["0"]
    assert "StateReason" not in env.describe_pipe()


def test_stopped_pipe_resumes_where_it_stopped(env: PipeEnvironment) -> None:
    env.put_items(1)
    env.pipes.create_pipe(**env.pipe_params(), DesiredState="STOPPED")
    env.cloud.run_until_idle()
    assert (env.describe_pipe()["CurrentState"], env.delivered_keys()) == ("STOPPED", [])
    assert env.pipes.start_pipe(Name="mover")["CurrentState"] == "STARTING"
    env.cloud.run_until_idle()
    assert env.pipes.stop_pipe(Name="mover")["CurrentState"] == "STOPPING"
    env.put_items(2)
    env.cloud.run_until_idle()
    assert (env.describe_pipe()["CurrentState"], env.delivered_keys()) == ("STOPPED", ["1"])
    env.pipes.start_pipe(Name="mover")
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["1", "2"]


def test_update_keeps_starting_position(env: PipeEnvironment) -> None:
    env.create_pipe()
    env.put_items(1)
    env.cloud.run_until_idle()
    env.pipes.update_pipe(
        Name="mover",
        RoleArn=ROLE,
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 5}},
        TargetParameters={"KinesisStreamParameters": {"PartitionKey": "fixed"}},
    )
    stream = env.describe_pipe()["SourceParameters"]["DynamoDBStreamParameters"]
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert (stream["BatchSize"], stream["MaximumRetryAttempts"]) == (5, -1)
    env.put_items(2)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["1", "2"]
    assert env.delivered_records()[1]["PartitionKey"] == "fixed"


@pytest.mark.parametrize(
    "invalid",
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
def test_invalid_parameters_are_rejected(env: PipeEnvironment, invalid: dict[str, Any]) -> None:
    params = env.pipe_params(**invalid)
    if invalid.get("StartingPosition", "") is None:
        params["SourceParameters"] = {}
    assert code_of(env.pipes.create_pipe, **params) == "ValidationException"
    assert env.pipes.list_pipes()["Pipes"] == []


@pytest.mark.parametrize(
    "invalid",
    [
        {"DesiredState": "PAUSED"},
        {"LogConfiguration": {"Level": "ERROR"}},
        {"LogConfiguration": ERROR_LOG | {"CloudwatchLogsLogDestination": {"LogGroupArn": "x"}}},
        {"LogConfiguration": {"Level": "TRACE", "CloudwatchLogsLogDestination": LOG}},
        {"LogConfiguration": ERROR_LOG | {"IncludeExecutionData": ["ALL"]}},
    ],
)
def test_invalid_state_and_log_level_are_rejected(
    env: PipeEnvironment, invalid: dict[str, Any]
) -> None:
    params = env.pipe_params() | invalid
    assert code_of(env.pipes.create_pipe, **params) == "ValidationException"


@pytest.mark.parametrize(
    "invalid",
    [
        {"Name": "a b"},
        {"Source": TARGET},
        {"Target": QUEUE},
        {"RoleArn": "arn:aws:iam::1:user/x"},
        {"Enrichment": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        {"TargetParameters": {}},
    ],
)
def test_unmodelled_parameters_are_rejected(env: PipeEnvironment, invalid: dict[str, Any]) -> None:
    params = {**env.pipe_params(), **invalid}
    assert code_of(env.pipes.create_pipe, **params) == "ValidationException"


def test_filter_and_template_can_only_be_removed(env: PipeEnvironment) -> None:
    params = env.pipe_params()
    source = params["SourceParameters"]
    target = params["TargetParameters"]
    with_filter = {**source, "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}
    with_template = {**target, "InputTemplate": "{}"}
    for rejected in ({"SourceParameters": with_filter}, {"TargetParameters": with_template}):
        assert code_of(env.pipes.create_pipe, **params | rejected) == "ValidationException"
    env.pipes.create_pipe(**params)
    stream = dict(source["DynamoDBStreamParameters"])
    position = stream.pop("StartingPosition")
    env.pipes.update_pipe(
        Name=params["Name"],
        RoleArn=params["RoleArn"],
        SourceParameters={"DynamoDBStreamParameters": stream, "FilterCriteria": {"Filters": []}},
        TargetParameters={**target, "InputTemplate": ""},
        Enrichment="",
    )
    stream = env.describe_pipe()["SourceParameters"]["DynamoDBStreamParameters"]
    assert stream["StartingPosition"] == position


def test_pipes_are_listed_by_name_and_state(env: PipeEnvironment) -> None:
    env.create_pipe()
    env.pipes.create_pipe(**{**env.pipe_params(), "Name": "other"}, DesiredState="STOPPED")

    def listed_names(**options: Any) -> list[str]:
        return [pipe["Name"] for pipe in env.pipes.list_pipes(**options)["Pipes"]]

    assert listed_names(Limit=1) == ["mover"]
    next_token = env.pipes.list_pipes(Limit=1)["NextToken"]
    assert listed_names(Limit=1, NextToken=next_token) == ["other"]
    assert listed_names(CurrentState="STOPPED") == ["other"]
    assert listed_names(NamePrefix="mo") == ["mover"]
    env.pipes.delete_pipe(Name="mover")
    assert code_of(env.pipes.describe_pipe, Name="mover") == "NotFoundException"


def test_tags_are_added_and_removed(env: PipeEnvironment) -> None:
    tags = {"project": "cdc", "a": "b"}
    arn = env.pipes.create_pipe(**env.pipe_params(), Tags=tags)["Arn"]
    env.pipes.tag_resource(resourceArn=arn, tags={"c": "d"})
    env.pipes.untag_resource(resourceArn=arn, tagKeys=["a", "project"])
    assert env.pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
