"""Resources that are busy, failed or not yet consistent: the scripts wait, repair, or report."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from setup import names
from setup.lib.resources import delivery_state, pipe_state
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import create_table
from tests.support.profile import sampled
from tests.support.setup_fixture import SCRIPTS, SetupSandbox, aws_client, setup_sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


ABORTED = ("OperationAborted", "A conflicting conditional operation is in progress")
# Errors of AWS about resources that were just created or deleted.
CONSISTENCY_ERRORS = {
    "CreateBucket": ABORTED,
    "PutPublicAccessBlock": ABORTED,
    "PutBucketEncryption": ABORTED,
    "PutBucketLifecycleConfiguration": ABORTED,
    "PutBucketPolicy": ABORTED,
    "PutBucketTagging": ABORTED,
    "PutBucketVersioning": ABORTED,
    "CreateFunction": ("InvalidParameterValueException", "The role cannot be assumed by Lambda."),
    "CreateDeliveryStream": ("InvalidArgumentException", "Firehose is unable to assume role r."),
    "CreateQueue": ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue"),
    "CreatePipe": ("ValidationException", "The role does not have permissions for s."),
    "CreateCrawler": ("InvalidInputException", "Service is unable to assume provided role."),
    "UpdateContinuousBackups": ("ContinuousBackupsUnavailableException", "t has none yet."),
}


@pytest.mark.slow
def test_consistency_errors_are_retried(sandbox: SetupSandbox) -> None:
    for operation, (code, message) in CONSISTENCY_ERRORS.items():
        sandbox.stub(operation, *[{"Error": {"Code": code, "Message": message}}] * 3)
    sandbox.run(*SCRIPTS[:10])
    assert not sandbox.has_unused_stubs()
    for operation in CONSISTENCY_ERRORS:
        assert [name for _, name in sandbox.calls].count(operation) == 4


def test_an_unreported_new_stream_is_awaited(sandbox: SetupSandbox) -> None:
    dynamodb = aws_client("dynamodb")
    create_table(dynamodb, names.TABLE, {"order_id": "S"})
    former_arn = names.arn("dynamodb", f"table/{names.TABLE}/stream/former")
    table = dynamodb.describe_table(TableName=names.TABLE)["Table"]
    outdated = table | {"LatestStreamArn": former_arn}
    sandbox.stub("DescribeTable", *[{"Table": outdated}] * 9)
    [line] = sandbox.run("01_dynamodb")
    assert sandbox.stubs == {"DescribeTable": []}
    stream_arn = dynamodb.describe_table(TableName=names.TABLE)["Table"]["LatestStreamArn"]
    assert line.endswith(stream_arn)
    assert stream_arn != former_arn


# Operations that describe slow resources, with the path of the state in their responses.
STATE_PATHS = {
    "DescribeTable": ("Table", "TableStatus"),
    "DescribeStreamSummary": ("StreamDescriptionSummary", "StreamStatus"),
    "DescribeDeliveryStream": ("DeliveryStreamDescription", "DeliveryStreamStatus"),
    "DescribePipe": ("CurrentState",),
}
BUSY_STATES = {
    "DescribeTable": ("CREATING", "UPDATING"),
    "DescribeStreamSummary": ("CREATING", "UPDATING"),
    "DescribeDeliveryStream": ("CREATING",),
    "DescribePipe": ("CREATING", "UPDATING"),
}


def description(operation: str, state: str) -> dict[str, Any]:
    """Return a response that contains only the state."""
    response: Any = state
    for member in reversed(STATE_PATHS[operation]):
        response = {member: response}
    return dict(response)


@pytest.mark.slow
def test_resources_being_deleted_are_recreated(sandbox: SetupSandbox) -> None:
    for operation in STATE_PATHS:
        sandbox.stub(operation, *[description(operation, "DELETING")] * 3)
    sandbox.run("01_dynamodb", *SCRIPTS[2:5])
    assert sandbox.stubs.pop("DescribeTable") == []
    sandbox.run("02_kinesis", "06_firehose", "07_pipe")
    assert not sandbox.has_unused_stubs()
    creations = {"CreateTable", "CreateStream", "CreateDeliveryStream", "CreatePipe"}
    assert creations <= {operation for _, operation in sandbox.calls}
    assert sandbox.seconds_waited < 60
    check_that_busy_resources_are_awaited(sandbox)


def check_that_busy_resources_are_awaited(sandbox: SetupSandbox) -> None:
    """Check that a resource is neither recreated nor changed while AWS changes it."""
    for operation, states in BUSY_STATES.items():
        sandbox.stub(operation, *[description(operation, state) for state in states])
    sandbox.stub(
        "GetFunctionConfiguration",
        {"State": "Pending"},
        {"State": "Active", "LastUpdateStatus": "InProgress"},
    )
    sandbox.calls.clear()
    sandbox.run(*SCRIPTS[:2], *SCRIPTS[4:7])
    assert not sandbox.has_unused_stubs()
    assert sandbox.writes() == []


@pytest.mark.parametrize(
    ("config", "operations"),
    [
        ({"State": "Failed"}, ["DeleteFunction", "CreateFunction"]),
        ({"LastUpdateStatus": "Failed"}, ["UpdateFunctionConfiguration"]),
        ({}, []),
    ],
)
def test_a_failed_function_is_recreated_or_updated(
    sandbox: SetupSandbox, config: dict[str, str], operations: list[str]
) -> None:
    sandbox.run("04_iam", "05_lambda")
    sandbox.stub("GetFunctionConfiguration", config)
    sandbox.calls.clear()
    sandbox.run("05_lambda")
    assert [operation for _, operation in sandbox.writes()] == operations


def test_an_inactive_function_is_accepted(sandbox: SetupSandbox) -> None:
    sandbox.run("04_iam", "05_lambda")
    config = aws_client("lambda").get_function_configuration(FunctionName=names.FUNCTION)
    sandbox.stub("GetFunctionConfiguration", *[config | {"State": "Inactive"}] * 3)
    seconds_before = sandbox.seconds_waited
    sandbox.run("05_lambda")
    assert not sandbox.has_unused_stubs()
    assert sandbox.seconds_waited == seconds_before


@pytest.mark.slow
def test_a_pipe_with_a_failed_update_is_updated(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:7])
    pipe = aws_client("pipes").describe_pipe(Name=names.PIPE)
    sandbox.stub("DescribePipe", *[pipe | {"CurrentState": "UPDATE_FAILED"}] * 2)
    sandbox.calls.clear()
    assert sandbox.run("07_pipe")[0].endswith("is STOPPED")
    assert sandbox.writes() == [("pipes", "UpdatePipe")]


@pytest.mark.slow
def test_a_deleted_queue_with_a_url_is_recreated(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:7])
    code = "AWS.SimpleQueueService.NonExistentQueue"
    sandbox.stub("GetQueueAttributes", {"Error": {"Code": code, "Message": "It does not exist."}})
    sandbox.calls.clear()
    sandbox.run("07_pipe")
    assert sandbox.writes() == [("sqs", "CreateQueue")]


FILTER = {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}}
TEMPLATE = {"InputTemplate": '{"id": <$.eventID>}'}


@pytest.mark.parametrize("kind", sampled(["enrichment", "filter", "template"], step=3))
def test_filter_enrichment_and_template_are_removed(sandbox: SetupSandbox, kind: str) -> None:
    sandbox.run(*SCRIPTS[:7])
    pipes = aws_client("pipes")
    pipe = pipes.describe_pipe(Name=names.PIPE)
    changes = {
        "filter": {"SourceParameters": pipe["SourceParameters"] | FILTER},
        "enrichment": {"Enrichment": names.arn("lambda", "function:other")},
        "template": {"TargetParameters": pipe["TargetParameters"] | TEMPLATE},
    }
    updates: list[dict[str, Any]] = []
    pipes.meta.events.register_first(
        "before-parameter-build.pipes.UpdatePipe", lambda params, **_: updates.append(params)
    )
    sandbox.stub("DescribePipe", *[pipe | changes[kind]] * 2)
    sandbox.run("07_pipe")
    [update] = updates
    assert update["SourceParameters"]["FilterCriteria"] == {"Filters": []}
    assert update["Enrichment"] == update["TargetParameters"]["InputTemplate"] == ""
    sandbox.calls.clear()
    sandbox.run("07_pipe")
    assert sandbox.writes() == []


@pytest.mark.slow
def test_a_failed_pipe_is_recreated(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:6])
    iam = aws_client("iam")
    role = names.location().role_name("pipe")
    policy = iam.get_role_policy(RoleName=role, PolicyName=names.PIPELINE)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=names.PIPELINE)
    with pytest.raises(SetupError, match=r"CREATE_FAILED: .*Cannot access stream"):
        sandbox.run("07_pipe")
    assert 120 <= sandbox.seconds_waited < 300
    iam.put_role_policy(RoleName=role, PolicyName=names.PIPELINE, PolicyDocument=json.dumps(policy))
    sandbox.run("07_pipe")
    assert pipe_state() == "STOPPED"


def test_a_failed_firehose_stream_is_recreated(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run(*SCRIPTS[:6])
    script = import_module("setup.06_firehose")
    states = iter(["CREATING", "CREATING_FAILED: no key"])
    monkeypatch.setattr(script, "delivery_state", lambda: next(states, None) or delivery_state())
    sandbox.calls.clear()
    sandbox.run("06_firehose")
    assert ("firehose", "DeleteDeliveryStream") in sandbox.calls
    assert ("firehose", "CreateDeliveryStream") in sandbox.calls
    assert delivery_state() == "ACTIVE"


@pytest.mark.parametrize("state", ["CREATING_FAILED: no key", "CREATING"])
def test_the_pipe_starts_only_if_firehose_is_active(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(import_module("setup.08_start_pipe"), "delivery_state", lambda: state)
    with pytest.raises(SetupError, match=f"is {state}: run python setup/06_firehose"):
        sandbox.run("08_start_pipe")
