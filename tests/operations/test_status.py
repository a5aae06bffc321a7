"""Status: the first line is the summary, and each problem comes with its remedy."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.demo import run_script
from local.services.pipes import Pipes
from local.services.registry import SERVICES
from operations.status import checks, command
from operations.status.check_result import CheckResult, Status, headline, overall_status
from operations.status.metrics import PIPE_EVENTS, PIPE_FAILURES, Hop
from operations.status.stream_lag import change_times
from setup import names
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_kinesis.type_defs import RecordTypeDef


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the setup scripts have created the chain, with ten orders."""
    with laptop(*SERVICES) as cloud:
        run_script(cloud, "setup")
        run_script(cloud, "data_generator.py", "--orders", "10", "--seed", "3")
        cloud.run_until_idle()
        yield cloud


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
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = run_status(capsys)
    assert (status, lines[0]) == (0, "sales-cdc in 123456789012, us-east-1: healthy")
    assert not any(line.startswith(("!", "?")) for line in lines)
    assert len([line for line in lines if " RUNNING" in line or " ACTIVE" in line]) == 3


def test_hops_count_the_changes(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = run_status(capsys, "--json", "--hours", "1")
    document = json.loads("\n".join(lines))
    change_count = chain.service(Pipes).counts()[0].received
    assert change_count > 10
    for hop in document["hops"]:
        assert (hop["received"], hop["delivered"]) == (change_count, change_count)
        assert (hop["open"], hop["failed"]) == (0, 0)
    assert len(document["hops"]) == 4
    assert (status, document["status"]) == (0, 0)
    assert (document["headline"], document["hours"]) == ("healthy", 1)


def test_a_stopped_pipe_is_a_problem(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    chain.client("pipes").stop_pipe(Name=names.PIPE)
    status, lines = run_status(capsys)
    run_script(chain, "setup/08_start_pipe.py")
    assert (status, only_remedy(lines)) == (1, "python setup/08_start_pipe.py")
    assert "1 problem: pipe" in lines[0]
    assert run_status(capsys)[0] == 0


def test_error_objects_are_a_problem(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    s3 = chain.client("s3")
    key = f"{names.ERRORS}processing-failed/x"
    s3.put_object(Bucket=names.bucket(), Key=key, Body=b"{}")
    status, lines = run_status(capsys)
    s3.delete_object(Bucket=names.bucket(), Key=key)
    assert status == 1
    assert only_remedy(lines).startswith("python -m operations.replay --dry-run")
    assert "error objects     1; the oldest is from 20" in lines[1]
    assert run_status(capsys)[0] == 0


def test_dead_letters_are_a_problem(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    sqs = chain.client("sqs")
    url = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [letter] = sqs.receive_message(QueueUrl=url)["Messages"]
    status, lines = run_status(capsys)  # A letter that another consumer has received counts too.
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert status == 1
    assert only_remedy(lines).startswith("python -m operations.replay")
    assert run_status(capsys)[0] == 0


def test_a_firing_alarm_is_listed_with_its_reason(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = chain.client("cloudwatch")
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


def test_a_foreign_metric_math_alarm_is_ignored(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = chain.client("cloudwatch")
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


# Part: the name of its resource in checks.py, and the script that creates it.
MISSING_PARTS = {
    "table": ("TABLE", "01_dynamodb"),
    "pipe": ("PIPE", "07_pipe"),
    "Kinesis": ("STREAM", "02_kinesis"),
    "Firehose": ("DELIVERY", "06_firehose"),
    "function": ("FUNCTION", "05_lambda"),
    "dead letters": ("DEAD_LETTERS", "07_pipe"),
    "catalog": ("DATABASE", "10_glue"),
    "last crawl": ("CRAWLER", "10_glue"),
    "Athena": ("WORKGROUP", "11_athena"),
    "alarms": ("PIPELINE", "09_alarms"),
    "error objects": ("bucket", "03_s3"),
}
ABSENT = "absent-resource"


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.part)
def test_a_missing_part_names_its_script(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, check: checks.Check
) -> None:
    constant, script = MISSING_PARTS[check.part]
    value: object = (lambda: ABSENT) if constant == "bucket" else ABSENT
    monkeypatch.setattr(checks, constant, value)
    remedy = f"python setup/{script}.py"
    assert check.run() == CheckResult(check.part, "missing", Status.PROBLEM, remedy)


def test_access_denied_makes_a_part_unknown(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", clients_without_access_to("sqs"))
    status, lines = run_status(capsys)
    assert (status, summary(lines)) == (2, "unknown: dead letters")
    assert "AccessDenied" in lines[1]


def clients_without_access_to(service: str) -> Callable[..., Any]:
    """Return a client factory whose clients may not call one service."""
    create_client: Callable[..., Any] = boto3.client  # one overload for each service

    def deny(**_: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDenied", "Message": "not\nauthorized"}}, "GetQueueUrl"
        )

    def client(name: str) -> Any:
        created = create_client(name)
        if name == service:
            created.meta.events.register(f"before-call.{service}", deny)
        return created

    return client


def test_an_unreachable_cloud_is_reported_in_one_line(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert command.main([]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "http://127.0.0.1:9" in captured.err


def test_a_pipe_on_an_old_stream_is_a_problem(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TABLE", ABSENT)
    assert checks.check_pipe().message.startswith("reads ")
    monkeypatch.setattr(checks, "_current_stream", lambda: "arn of a new stream")
    assert checks.check_pipe().status == Status.PROBLEM


@pytest.mark.parametrize(
    ("reason", "status"),
    [("USER_INITIATED", Status.OK), ("PROBLEM: not authorized to read.", Status.PROBLEM)],
)
def test_user_initiated_is_not_a_problem(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, reason: str, status: Status
) -> None:
    create_client: Callable[..., Any] = boto3.client
    pipes = boto3.client("pipes")
    pipe = {**pipes.describe_pipe(Name=names.PIPE), "StateReason": reason}
    monkeypatch.setattr(pipes, "describe_pipe", lambda **_: pipe)
    monkeypatch.setattr(
        boto3, "client", lambda service: pipes if service == "pipes" else create_client(service)
    )
    assert checks.check_pipe().status == status


@pytest.mark.parametrize(
    ("failures", "events", "status"),
    [(3, None, Status.PROBLEM), (3, 1, Status.OK), (None, None, Status.OK)],
)
def test_a_running_pipe_must_deliver(
    chain: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    failures: int | None,
    events: int | None,
    status: Status,
) -> None:
    values = {PIPE_FAILURES: failures, PIPE_EVENTS: events}
    monkeypatch.setattr(checks, "fetch_metrics", lambda *_: values)
    assert checks.check_pipe().status == status


def test_a_late_firehose_is_a_problem(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_firehose().status == Status.OK
    monkeypatch.setattr(checks, "_recent_value", lambda metric: 901_000.0)
    assert checks.check_firehose().status == Status.PROBLEM
    assert checks.check_kinesis().status == Status.PROBLEM


def kinesis_record(data: bytes, arrived_at: datetime) -> "RecordTypeDef":
    """Return a record as GetRecords does."""
    return {
        "Data": data,
        "ApproximateArrivalTimestamp": arrived_at,
        "SequenceNumber": "1",
        "PartitionKey": "k",
    }


def test_stream_lag_uses_both_times_of_a_change() -> None:
    created_at = datetime(2026, 11, 23, 10, 0, 0, tzinfo=timezone.utc).timestamp()
    arrived_at = datetime(2026, 11, 23, 10, 0, 7, tzinfo=timezone.utc)
    data = json.dumps({"dynamodb": {"ApproximateCreationDateTime": created_at}}).encode()
    assert list(change_times([kinesis_record(data, arrived_at)])) == [(arrived_at, created_at)]


POISON_RECORDS = [
    b"",
    b"x",
    b"\xff",
    b"7",
    b"[]",
    b'{"dynamodb":{}}',
    b'{"dynamodb":[]}',
    b"[" * 100_000,
    b'{"dynamodb":{"ApproximateCreationDateTime":1%b}}' % (b"0" * 400),
]


@pytest.mark.parametrize("data", POISON_RECORDS, ids=lambda data: repr(data[:20]))
def test_poison_records_have_no_times(data: bytes) -> None:
    assert list(change_times([kinesis_record(data, datetime.now(timezone.utc))])) == []


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
    ("received", "delivered", "failed", "open_count"), [(5, 3, 1, 1), (5, 5, 0, 0), (5, 7, 0, 0)]
)
def test_open_records_are_neither_delivered_nor_failed(
    received: int, delivered: int, failed: int, open_count: int
) -> None:
    assert Hop("hop", received, delivered, failed).open == open_count


@pytest.mark.parametrize(
    "arguments", [["--hours", "0"], ["--hours", "x"], ["--hours", "9999"], ["x"]]
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
