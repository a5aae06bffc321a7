"""Status: the first line is the summary, and each problem comes with its remedy."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.services.pipes import Pipes
from operations import in_flight
from operations.status import command
from operations.status.check import Check
from operations.status.check_result import CheckResult, Status, headline, overall_status
from operations.status.checks import (
    CHECKS,
    alarms,
    catalog,
    copy,
    failures,
    firehose,
    function,
    kinesis,
    lake,
    objects,
    pipe,
    policies,
    table,
)
from operations.status.metrics import PUBLISHING_DELAY
from setup import names
from setup.lib import drift
from tests.support.operator_fixture import HERE
from tests.support.status_fixture import StatusChain, status_chain
from tests.support.whole_chain import run_setup


@pytest.fixture(scope="module")
def chain() -> Iterator[StatusChain]:
    with status_chain() as chain:
        yield chain


def run_status(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    """Run status, and return its exit status and its lines."""
    capsys.readouterr()
    return command.main(options), capsys.readouterr().out.splitlines()


def summary(lines: list[str]) -> str:
    """Return the first line without the pipeline's name, account and region."""
    return lines[0].partition(": ")[2]


def only_remedy(lines: list[str]) -> str:
    """Return the remedy of the only part with a problem."""
    assert lines[0].count(",") == 1
    assert [line[:1] for line in lines[1:]].count("!") == 1
    assert lines[1].startswith("! ")
    return lines[2].partition("-> ")[2]


def test_a_healthy_chain_is_reported_as_healthy(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = run_status(capsys)
    assert (status, lines[0]) == (0, "sales-cdc in 123456789012, us-east-1: healthy")
    assert not any(line.startswith(("!", "?")) for line in lines)
    assert len([line for line in lines if " RUNNING" in line or " ACTIVE" in line]) == 3
    assert any(line.startswith("  lake   ") and "newest change 20" in line for line in lines)
    scripts = f"pipeline {names.PIPELINE} matches the {len(drift.SCRIPTS)} scripts of setup"
    assert f"  configuration         {scripts}" in lines
    assert "last 3 h, from CloudWatch (one or two minutes behind)" in lines


def test_hops_count_the_changes(chain: StatusChain, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = run_status(capsys, "--json", "--hours", "2")
    document = json.loads("\n".join(lines))
    change_count = chain.cloud.service(Pipes).counts()[0].received
    assert change_count > 10
    for hop in document["hops"]:
        assert (hop["received"], hop["delivered"]) == (change_count, change_count)
        assert (hop["open"], hop["failed"]) == (0, 0)
    assert len(document["hops"]) == 4
    assert (status, document["status"]) == (0, 0)
    assert (document["headline"], document["hours"]) == ("healthy", 2)


def test_a_change_in_flight_is_not_due(chain: StatusChain) -> None:
    history = command._fetch_history(3)
    delay = timedelta(seconds=in_flight.max_delay_seconds())
    assert delay > timedelta(minutes=1)
    assert history.settled_at == history.now - delay - PUBLISHING_DELAY


def test_a_stopped_pipe_is_a_problem(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    chain.cloud.client("pipes").stop_pipe(Name=names.PIPE)
    status, lines = run_status(capsys)
    run_setup("08_start_pipe")
    assert (status, only_remedy(lines)) == (1, "python setup/08_start_pipe.py")
    assert "1 problem: pipe" in lines[0]
    assert run_status(capsys)[0] == 0


def test_error_objects_are_a_problem(
    chain: StatusChain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = chain.cloud.client("s3")
    keys = [f"{names.ERRORS}processing-failed/{name}" for name in ("empty", "x", "y")]
    for key in keys:
        body = b"" if key.endswith("empty") else b"{}"
        s3.put_object(Bucket=names.bucket(), Key=key, Body=body)
    status, lines = run_status(capsys)
    monkeypatch.setattr(failures, "MAX_ERROR_OBJECTS", 1)
    assert failures.check_error_objects(None).message.startswith("1 or more; ")
    for key in keys:
        s3.delete_object(Bucket=names.bucket(), Key=key)
    assert status == 1
    assert only_remedy(lines).startswith("python -m operations.replay --dry-run")
    assert "error objects         2; the oldest is from 20" in lines[1]
    assert run_status(capsys)[0] == 0


def test_dead_letters_are_a_problem(chain: StatusChain, capsys: pytest.CaptureFixture[str]) -> None:
    sqs = chain.cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [letter] = sqs.receive_message(QueueUrl=url)["Messages"]
    status, lines = run_status(capsys)  # A letter that another consumer has received counts too.
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert status == 1
    assert only_remedy(lines).startswith("python -m operations.replay")
    assert run_status(capsys)[0] == 0


def test_a_firing_alarm_is_listed_with_its_reason(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = chain.cloud.client("cloudwatch")
    alarm = f"{names.PIPELINE}-firehose-late"
    foreign_alarm = f"{names.PIPELINE}-two-late"
    cloudwatch.put_metric_alarm(
        AlarmName=foreign_alarm,
        Namespace="other",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    for name in (alarm, foreign_alarm):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="too old")
    status, lines = run_status(capsys)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="")
    cloudwatch.delete_alarms(AlarmNames=[foreign_alarm])
    assert status == 1
    assert f"{alarm}: too old" in lines[1]
    assert foreign_alarm not in lines[1]


@pytest.mark.slow
def test_a_foreign_metric_math_alarm_is_ignored(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = chain.cloud.client("cloudwatch")
    alarm = f"{names.PIPELINE}-of-another"
    metric = {"Namespace": "n", "MetricName": "m"}
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Metrics=[
            {"Id": "twice", "Expression": "2 * once", "ReturnData": True},
            {
                "Id": "once",
                "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"},
                "ReturnData": False,
            },
        ],
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="foreign")
    status, lines = run_status(capsys)
    cloudwatch.delete_alarms(AlarmNames=[alarm])
    assert (status, summary(lines)) == (0, "healthy")


# Part: the module of its check, the name of its resource there, and the script that creates it.
MISSING_PARTS = {
    "table": (table, "TABLE", "01_dynamodb"),
    "pipe": (pipe, "PIPE", "07_pipe"),
    "Kinesis": (kinesis, "STREAM", "02_kinesis"),
    "Firehose": (firehose, "DELIVERY", "06_firehose"),
    "function": (function, "FUNCTION", "05_lambda"),
    "dead letters": (failures, "DEAD_LETTERS", "07_pipe"),
    "error objects": (failures, "bucket", "03_s3"),
    "lake": (lake, "bucket", "03_s3"),
    "lake objects": (objects, "bucket", "03_s3"),
    "backfill": (table, "TABLE", "01_dynamodb"),
    "catalog": (catalog, "DATABASE", "10_glue"),
    "last crawl": (catalog, "CRAWLER", "10_glue"),
    "copy": (copy, "HISTORY", "10_glue"),
    "Athena": (catalog, "WORKGROUP", "11_athena"),
    "alarms": (alarms, "ALARM_NAMES", "09_alarms"),
    "policies": (policies, "location", "04_iam"),
}
ABSENT = "absent-resource"
REPLACEMENTS: dict[str, object] = {
    "bucket": lambda: ABSENT,
    "ALARM_NAMES": [ABSENT],
    "location": lambda: names.Location("aws", "eu-central-1", HERE.account),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.part)
def test_a_missing_part_names_its_script(
    chain: StatusChain, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    module, constant, script = MISSING_PARTS[check.part]
    monkeypatch.setattr(module, constant, REPLACEMENTS.get(constant, ABSENT))
    remedy = f"python setup/{script}.py"
    assert check.run(None) == CheckResult(check.part, "missing", Status.PROBLEM, remedy)


@contextmanager
def denied(service: str, operation: str) -> Iterator[None]:
    """Deny an operation within the block."""

    def deny(**_: Any) -> None:
        error: Any = {"Code": "AccessDenied", "Message": "not\nauthorized"}
        raise ClientError({"Error": error}, operation)

    create_client: Callable[..., Any] = boto3.client
    events = create_client(service).meta.events
    event = f"before-call.{service}.{operation}"
    events.register(event, deny)
    yield
    events.unregister(event, deny)


def test_access_denied_makes_a_part_unknown(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    with denied("sqs", "GetQueueUrl"):
        status, lines = run_status(capsys)
    assert (status, summary(lines)) == (2, "unknown: dead letters, policies")
    assert "AccessDenied" in lines[1]


def test_denied_metrics_are_not_zeros(
    chain: StatusChain, capsys: pytest.CaptureFixture[str]
) -> None:
    with denied("cloudwatch", "GetMetricData"):
        status, lines = run_status(capsys)
    assert (status, summary(lines)) == (2, "unknown: metrics, pipe, Firehose, function, lake")
    assert not any("nothing received" in line for line in lines)


def test_an_unreachable_cloud_is_reported_in_one_line(
    chain: StatusChain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", boto3.Session().client)  # New clients, not the shared.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert command.main([]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "http://127.0.0.1:9" in captured.err


def test_a_pipe_on_an_old_stream_is_a_problem(
    chain: StatusChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "TABLE", ABSENT)
    assert pipe.check(None).message.startswith("reads ")
    monkeypatch.setattr(pipe, "_current_stream", lambda: "arn of a new stream")
    assert pipe.check(None).status == Status.PROBLEM


@pytest.mark.parametrize(
    ("reason", "status"),
    [("USER_INITIATED", Status.UNKNOWN), ("PROBLEM: not authorized to read.", Status.PROBLEM)],
)
def test_user_initiated_is_not_a_problem(
    chain: StatusChain, monkeypatch: pytest.MonkeyPatch, reason: str, status: Status
) -> None:
    create_client: Callable[..., Any] = boto3.client
    pipes = boto3.client("pipes")
    description = {**pipes.describe_pipe(Name=names.PIPE), "StateReason": reason}
    monkeypatch.setattr(pipes, "describe_pipe", lambda **_: description)
    monkeypatch.setattr(
        boto3, "client", lambda service: pipes if service == "pipes" else create_client(service)
    )
    assert pipe.check(None).status == status  # Without metrics nothing is known of its deliveries.


@pytest.mark.parametrize(
    ("statuses", "overall", "line"),
    [
        ([Status.OK, Status.OK], Status.OK, "healthy"),
        ([Status.OK, Status.UNKNOWN], Status.UNKNOWN, "unknown: 1"),
        ([Status.PROBLEM, Status.UNKNOWN], Status.PROBLEM, "1 problem: 0; unknown: 1"),
        ([Status.PROBLEM, Status.PROBLEM], Status.PROBLEM, "2 problems: 0, 1"),
    ],
)
def test_the_headline_lists_problems_and_unknowns(
    statuses: list[Status], overall: Status, line: str
) -> None:
    results = [CheckResult(str(number), "", status) for number, status in enumerate(statuses)]
    assert overall_status(results) == overall
    assert headline(results) == line


@pytest.mark.parametrize(
    "arguments", [["--hours", "0"], ["--hours", "x"], ["--hours", "1441"], ["x"]]
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
