"""status: the first line says whether all is well, and what is not comes with its cure."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.demo import run_script
from local.services.registry import SERVICES
from operations.status import __main__ as status
from operations.status import check_result as signs
from operations.status import checks
from operations.status import stream_lag as delay
from operations.status.check_result import Sign
from operations.status.metrics import Hop
from setup import names
from tests.support.laptop_cloud import laptop

Told = dict[str, Any]


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain and written ten orders."""
    with laptop(*SERVICES) as cloud:
        run_script(cloud, "setup")
        run_script(cloud, "data_generator.py", "--orders", "10", "--seed", "3")
        cloud.run_until_idle()
        yield cloud


def asked(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    """Return the exit status of status, and the lines that it says."""
    capsys.readouterr()
    return status.main(options), capsys.readouterr().out.splitlines()


def one_cure(lines: list[str]) -> str:
    """Return the cure of the one part that needs a person."""
    assert lines[0].count(",") == 1
    assert [line[:1] for line in lines[1:]].count("!") == 1
    assert lines[1].startswith("! ")
    return lines[2].partition("-> ")[2]


def test_a_healthy_chain_is_said_to_be_well(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = asked(capsys)
    assert (code, lines[0]) == (0, "sales-cdc in 123456789012, us-east-1: all is well")
    assert not any(line.startswith(("!", "?")) for line in lines)
    assert len([line for line in lines if " RUNNING" in line or " ACTIVE" in line]) == 3


def test_the_hops_tell_what_came_in_and_went_on(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = asked(capsys, "--json", "--hours", "1")
    told = json.loads("\n".join(lines))
    changes = chain.services[2].counts()[0].received
    assert changes > 10
    assert [each["in"] for each in told["hops"]] == [changes] * 4
    assert [each["delivered"] for each in told["hops"]] == [changes] * 4
    assert [each["open"] + each["failed"] for each in told["hops"]] == [0] * 4
    assert (code, told["status"], told["says"], told["hours"]) == (0, 0, "all is well", 1)


def test_a_stopped_pipe_comes_with_the_script_that_starts_it(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    chain.client("pipes").stop_pipe(Name=names.PIPE)
    code, lines = asked(capsys)
    run_script(chain, "setup/08_start_pipe.py")
    assert (code, one_cure(lines)) == (1, "python setup/08_start_pipe.py")
    assert "1 to be mended: pipe" in lines[0]
    assert asked(capsys)[0] == 0


def test_failed_records_and_dead_letters_come_with_replay(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, sqs, where = chain.client("s3"), chain.client("sqs"), {"Bucket": names.bucket()}
    key = f"{names.ERRORS}processing-failed/x"
    s3.put_object(Key=key, Body=b"{}", **where)
    code, lines = asked(capsys)
    assert code == 1
    assert one_cure(lines).startswith("python -m operations.replay --dry-run")
    assert "error objects     1, the oldest of 20" in lines[1]
    s3.delete_object(Key=key, **where)
    url = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    [letter] = sqs.receive_message(QueueUrl=url)["Messages"]
    code, lines = asked(capsys)  # A letter that somebody is reading counts too.
    assert code == 1
    assert one_cure(lines).startswith("python -m operations.replay")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
    assert asked(capsys)[0] == 0


def test_an_alarm_that_rings_is_told_with_its_reason(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch, alarm = chain.client("cloudwatch"), f"{names.PIPELINE}-firehose-late"
    other = {"AlarmName": f"{names.PIPELINE}-two-late", "Namespace": "other", "MetricName": "m"}
    rule = {"Period": 60, "EvaluationPeriods": 1, "Threshold": 0, "Statistic": "Sum"}
    comparison = {"ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch.put_metric_alarm(**other, **rule, **comparison)
    for name in (alarm, other["AlarmName"]):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="too old")
    code, lines = asked(capsys)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="")
    assert code == 1
    assert f"{alarm}: too old" in lines[1]
    assert other["AlarmName"] not in lines[1]


def test_an_alarm_on_a_computed_metric_is_its_makers(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch, name = chain.client("cloudwatch"), f"{names.PIPELINE}-of-another"
    measured = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "twice", "Expression": "2 * once", "ReturnData": True},
        {"Id": "once", "MetricStat": measured, "ReturnData": False},
    ]
    rule = {"EvaluationPeriods": 1, "Threshold": 1}
    comparison = {"ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch.put_metric_alarm(AlarmName=name, Metrics=metrics, **rule, **comparison)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="theirs")
    code, lines = asked(capsys)
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert (code, lines[0].partition(": ")[2]) == (0, "all is well")


MISSING = {
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


@pytest.mark.parametrize("part", [check.part for check in checks.CHECKS])
def test_what_is_missing_comes_with_the_script_that_makes_it(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    name, script = MISSING[part]
    absent = "absent-of-this-world"
    monkeypatch.setattr(checks, name, (lambda: absent) if name == "bucket" else absent)
    [check] = [check for check in checks.CHECKS if check.part == part]
    assert check.sign() == Sign(part, "missing", True, f"python setup/{script}.py")


def test_what_may_not_be_asked_is_not_called_well(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", refusing("sqs"))
    code, lines = asked(capsys)
    assert (code, lines[0].partition(": ")[2]) == (2, "could not tell: dead letters")
    assert "AccessDenied" in lines[1]


def refusing(service: str) -> Callable[..., Any]:
    """Return what makes clients of someone who has no right to ask that service."""
    make = boto3.client

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no\nright"}}, "Ask")

    def client(wanted: str) -> Any:
        made = make(wanted)
        if wanted == service:
            made.meta.events.register(f"before-call.{service}", refuse)
        return made

    return client


def test_a_cloud_that_does_not_answer_is_a_line_and_no_verdict(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert status.main([]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "http://127.0.0.1:9" in said.err


def test_a_pipe_on_a_stream_of_the_past_is_wrong(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TABLE", "absent-of-this-world")
    assert checks.pipe().says.startswith("reads ")
    monkeypatch.setattr(checks, "_source", lambda: "arn of a new stream")
    assert checks.pipe().wrong


@pytest.mark.parametrize(
    ("reason", "wrong"), [("USER_INITIATED", False), ("PROBLEM: no right to read.", True)]
)
def test_a_pipe_that_somebody_started_is_well_though_aws_gives_that_as_its_reason(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, reason: str, wrong: bool
) -> None:
    pipes = boto3.client("pipes")
    found = pipes.describe_pipe(Name=names.PIPE) | {"StateReason": reason}
    monkeypatch.setattr(pipes, "describe_pipe", lambda **_: found)
    others = boto3.client
    monkeypatch.setattr(
        boto3, "client", lambda service: pipes if service == "pipes" else others(service)
    )
    assert bool(checks.pipe().wrong) == wrong


def test_a_pipe_that_runs_and_delivers_nothing_is_wrong(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failed, taken, wrong in ((3, None, True), (3, 1, False), (None, None, False)):
        counts = {checks.PIPE_FAILED: failed, checks.PIPE_TAKEN: taken}
        monkeypatch.setattr(checks, "measured", lambda *_, counts=counts: counts)
        assert checks.pipe().wrong == wrong


def test_firehose_that_is_late_is_wrong(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not checks.firehose().wrong
    monkeypatch.setattr(checks, "_recent", lambda metric: 901_000.0)
    assert checks.firehose().wrong
    assert checks.kinesis().wrong


def test_the_newest_change_tells_how_long_changes_take() -> None:
    made = datetime(2026, 11, 23, 10, 0, 0, tzinfo=timezone.utc).timestamp()
    change = json.dumps({"dynamodb": {"ApproximateCreationDateTime": made}}).encode()
    at = datetime(2026, 11, 23, 10, 0, 7, tzinfo=timezone.utc)
    records = [{"Data": change, "ApproximateArrivalTimestamp": at}]
    assert list(delay.times(records)) == [(at, made)]


POISON = [
    *(b"", b"x", b"\xff", b"7", b"[]", b'{"dynamodb":{}}', b'{"dynamodb":[]}'),
    *(b"[" * 100_000, b'{"dynamodb":{"ApproximateCreationDateTime":1%b}}' % (b"0" * 400)),
]


@pytest.mark.parametrize("data", POISON, ids=lambda data: repr(data[:20]))
def test_poison_in_kinesis_tells_no_time(data: bytes) -> None:
    record = {"Data": data, "ApproximateArrivalTimestamp": datetime.now(timezone.utc)}
    assert list(delay.times([record])) == []


@pytest.mark.parametrize(
    ("wrongs", "code", "says"),
    [
        ([False, False], 0, "all is well"),
        ([False, None], 2, "could not tell: 1"),
        ([True, None], 1, "1 to be mended: 0; could not tell: 1"),
        ([True, True], 1, "2 to be mended: 0, 1"),
    ],
)
def test_the_first_line_says_it_all(wrongs: list[bool | None], code: int, says: str) -> None:
    found = [Sign(str(number), "", wrong) for number, wrong in enumerate(wrongs)]
    assert (signs.status(found), signs.headline(found)) == (code, says)


def test_what_is_open_is_what_nobody_has_counted() -> None:
    assert [Hop("h", *counts).open for counts in ((5, 3, 1), (5, 5, 0), (5, 7, 0))] == [1, 0, 0]


@pytest.mark.parametrize("wrong", [["--hours", "0"], ["--hours", "x"], ["--hours", "9999"], ["x"]])
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        status.main(wrong)
    assert ended.value.code == 2
