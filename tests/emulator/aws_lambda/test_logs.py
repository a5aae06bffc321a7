"""Logs of the laptop's functions: their lines, who may write them, and metric filters over them."""

import base64
import json
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.logs import pattern_test
from tests.support.lambda_fixture import (
    deploy,
    invoke,
    lambda_cloud,
    log_lines,
)
from tests.support.laptop_cloud import aws, metric_sum


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with lambda_cloud() as cloud:
        yield cloud


def test_log_has_start_output_end_and_report(cloud: Cloud) -> None:
    deploy("logged", LoggingConfig={"LogGroup": "/own/group"})
    invoke("logged", {"code": "logging.error('%s!', 'careful')"})
    start, output, message, end, report = log_lines("/own/group")
    assert start.startswith("START RequestId: ")
    assert start.endswith(" Version: $LATEST")
    assert output.startswith("got {")
    assert message.startswith("[ERROR]\t")
    assert message.endswith("\tcareful!")
    assert end.startswith("END RequestId: ")
    assert report.startswith("REPORT RequestId: ")


def test_platform_lines_of_a_json_log_are_json(cloud: Cloud) -> None:
    deploy("json-log", LoggingConfig={"LogFormat": "JSON"})
    invoke("json-log", {"code": "logging.getLogger('x').info('careful')"})
    start, _, message, report = log_lines("/aws/lambda/json-log")
    assert json.loads(start)["type"] == "platform.start"
    assert json.loads(message)["message"] == "careful"
    assert json.loads(report)["record"]["status"] == "success"


def test_only_newlines_end_a_log_line(cloud: Cloud) -> None:
    deploy("lines", LoggingConfig={"LogGroup": "/lines"})
    text = "one\u2028\x85\x0bline"
    invoke("lines", {"code": f"print({text!r})"})
    assert log_lines("/lines")[2] == text


def test_role_without_log_permissions_still_runs(cloud: Cloud) -> None:
    deploy("silent", role="mute")
    assert invoke("silent", {"a": 1}) == ({"a": 1}, None)
    groups = aws("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/silent")
    assert groups["logGroups"] == []


def test_log_type_tail_returns_the_end_of_the_log(cloud: Cloud) -> None:
    call = partial(aws("lambda").invoke, FunctionName="echo", Payload=b"{}")
    tail = base64.b64decode(call(LogType="Tail")["LogResult"]).decode()
    assert "got {}" in tail
    assert "LogResult" not in call()


def test_metric_filters_sum_values_of_log_lines(cloud: Cloud) -> None:
    logs = aws("logs")
    logs.create_log_group(logGroupName="/aws/lambda/filtered")
    logs.put_metric_filter(
        logGroupName="/aws/lambda/filtered",
        filterName="failed",
        filterPattern="{ $.failed > 0 }",
        metricTransformations=[
            {"metricName": "Failed", "metricNamespace": "Own", "metricValue": "$.failed"}
        ],
    )
    deploy("filtered")
    lines = [{"failed": 3}, {"failed": 0}, {"ok": 1}, {"failed": 4}]
    invoke("filtered", {"code": "\n".join(f"print({json.dumps(line)!r})" for line in lines)})
    assert metric_sum("Own", "Failed") == 7
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="filtered") == 1


@given(st.integers(-9, 9), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.integers(-9, 9))
def test_filter_patterns_compare_like_python(value: int, symbol: str, literal: int) -> None:
    expected = eval(f"{value} {'==' if symbol == '=' else symbol} {literal}")  # noqa: S307 - of two numbers.
    assert pattern_test(f"{{ $.a.b {symbol} {literal} }}")({"a": {"b": value}}) == expected


def test_filter_patterns_need_the_member(cloud: Cloud) -> None:
    assert pattern_test('{ $.level = "ERROR" }')({"level": "ERROR"})
    assert not pattern_test('{ $.level != "ERROR" }')({"message": "x"})
    assert not pattern_test("{ $.level > 0 }")({"level": "ERROR"})
    assert not pattern_test("ERROR")({"level": "ERROR"})
