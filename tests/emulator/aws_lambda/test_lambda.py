"""Lambda on the laptop: runs the deployed zip in isolation, and fails as on AWS."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.bootstrap import FileAccess
from local.services.aws_lambda.logs import pattern_test
from local.services.aws_lambda.service import Lambda, Target, parse_target
from local.services.iam.service import Iam
from tests.support.iam_roles import allow, make_role
from tests.support.laptop_cloud import aws, error_of, laptop, metric_sum, zip_code

LOGS = "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents"
HANDLER = """
import logging, os, sys, time

def handler(event, context):
    print("got", event)
    exec(event.get("code", ""))
    return eval(event.get("result", "event"))
"""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A laptop cloud with Lambda, and two roles: `fn` may write logs, `mute` may do nothing."""
    with laptop(Iam, Lambda) as cloud:
        make_role("fn", "lambda", allow(LOGS, "*"))
        make_role("mute", "lambda", allow("sqs:SendMessage", "*"))
        make_role("other", "glue", allow(LOGS, "*"))
        deploy("echo")
        yield cloud


def deploy(name: str, code: str = HANDLER, **settings: Any) -> dict[str, Any]:
    """Create a function from its source, or from the zip archive in `Code`."""
    params = {
        "Runtime": "python3.13",
        "Role": f"arn:aws:iam::123456789012:role/{settings.pop('role', 'fn')}",
        "Handler": "main.handler",
        "Code": {"ZipFile": zip_code(code)},
        "Timeout": 30,
        **settings,
    }
    response: dict[str, Any] = aws("lambda").create_function(FunctionName=name, **params)
    return response


def invoke(name: str, event: Any = None, **settings: Any) -> tuple[Any, str | None]:
    """Invoke a function, and return its decoded payload and its error kind, if any."""
    payload = json.dumps(event or {})
    response = aws("lambda").invoke(FunctionName=name, Payload=payload, **settings)
    return json.loads(response["Payload"].read()), response.get("FunctionError")


def invocation_error(name: str, event: Any = None) -> tuple[str, str]:
    """Invoke a function, and return the type and message of its error."""
    payload, kind = invoke(name, event)
    assert kind == "Unhandled"
    message = payload["errorMessage"]
    return payload["errorType"], message.partition("Error: ")[2] or message


def log_lines(group: str) -> list[str]:
    events = aws("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def test_function_returns_its_handlers_result(cloud: Cloud) -> None:
    assert invoke("echo", {"ü": [1, None]}) == ({"ü": [1, None]}, None)


@pytest.mark.parametrize("suffix", ["", ":$LATEST"])
@pytest.mark.parametrize("prefix", ["", "arn:aws:lambda:us-east-1:123456789012:function:"])
def test_function_is_found_by_name_and_arn(cloud: Cloud, prefix: str, suffix: str) -> None:
    response = aws("lambda").get_function(FunctionName=f"{prefix}echo{suffix}")
    assert response["Configuration"]["FunctionArn"].endswith(f":function:echo{suffix}")
    assert invoke(f"{prefix}echo{suffix}", {"a": 1}) == ({"a": 1}, None)


@given(st.text("abc-_9", min_size=1, max_size=64), st.sampled_from([None, "$LATEST", "7", "live"]))
@example("function", "$LATEST")
def test_all_reference_forms_name_one_function(name: str, version: str | None) -> None:
    suffix = f":{version}" if version else ""
    forms = ("", "123456789012:function:", "arn:aws:lambda:us-east-1:123456789012:function:")
    assert {parse_target(form + name + suffix, {}) for form in forms} == {Target(name, version)}


def test_get_function_links_to_the_code(cloud: Cloud) -> None:
    location = aws("lambda").get_function(FunctionName="echo")["Code"]["Location"]
    with urlopen(location) as response:
        assert response.read() == zip_code(HANDLER)


def test_function_cannot_import_our_packages(cloud: Cloud) -> None:
    for module in ("transform", "local.core.server", "boto3", "moto"):
        kind, text = invocation_error("echo", {"code": f"import {module}"})
        assert kind == "ModuleNotFoundError", text


def test_function_sees_only_its_own_environment(cloud: Cloud, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "x")
    deploy("environment", Environment={"Variables": {"OWN": "1"}})
    variables, _ = invoke("environment", {"result": "dict(os.environ)"})
    assert variables["OWN"] == "1"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "environment"
    assert variables["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert "SECRET_OF_THE_PARENT" not in variables
    assert variables.keys().isdisjoint({"VIRTUAL_ENV", "HOME", "USER"})
    assert variables["PATH"] == "/usr/local/bin:/usr/bin:/bin:/opt/bin"


def has_landlock() -> bool:
    """Return whether this system can restrict the files of a process."""
    try:
        FileAccess()
    except OSError:
        return False
    return True


needs_landlock = pytest.mark.skipif(not has_landlock(), reason="Linux's Landlock is missing")


@needs_landlock
@pytest.mark.parametrize(
    "result", ["open(os.environ['SECRET']).read()", "open(f'/proc/{os.getppid()}/environ').read()"]
)
def test_function_cannot_read_the_users_files(cloud: Cloud, tmp_path: Path, result: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    code = f"os.environ['SECRET'] = {str(secret)!r}"
    assert invocation_error("echo", {"code": code, "result": result})[0] == "PermissionError"


@needs_landlock
def test_function_writes_to_its_temporary_folder(cloud: Cloud) -> None:
    code = "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); f.flush()"
    assert invoke("echo", {"code": code, "result": "1"}) == (1, None)
    for path in (Path.home() / "x", Path("x")):
        code = f"open({str(path)!r}, 'w')"
        assert invocation_error("echo", {"code": code})[0] == "PermissionError"


def test_context_has_name_and_remaining_time(cloud: Cloud) -> None:
    members = ("function_name", "log_group_name", "get_remaining_time_in_millis()")
    result = ", ".join(f"context.{member}" for member in members)
    (name, group, remaining), _ = invoke("echo", {"result": result})
    assert (name, group) == ("echo", "/aws/lambda/echo")
    assert 20_000 < remaining <= 30_000


def test_new_code_replaces_the_warm_process(cloud: Cloud) -> None:
    deploy("warm")
    first = invoke("warm", {"result": "os.getpid()"})
    assert invoke("warm", {"result": "os.getpid()"}) == first
    aws("lambda").update_function_code(
        FunctionName="warm", ZipFile=zip_code("def handler(event, context): return 'new'")
    )
    assert invoke("warm") == ("new", None)


def test_code_may_come_from_s3(cloud: Cloud) -> None:
    s3 = aws("s3")
    functions = aws("lambda")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="f.zip", Body=zip_code(HANDLER))
    deploy("stored", Code={"S3Bucket": "code", "S3Key": "f.zip"})
    assert invoke("stored", {"a": 1}) == ({"a": 1}, None)
    missing = {"FunctionName": "stored", "S3Bucket": "code", "S3Key": "absent"}
    code, message = error_of(functions.update_function_code, **missing)
    assert code == "InvalidParameterValueException"
    assert "S3 Error Code: NoSuchKey" in message


FAILURES = [
    ("raise ValueError('boom')", "ValueError", "boom"),
    ("logging.error('%', 1)", "ValueError", "incomplete format"),
    ("os._exit(1)", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
    ("sys.exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
    ("os.abort()", "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
]


@pytest.mark.parametrize(("code", "kind", "text"), FAILURES)
def test_failing_handler_fails_as_on_aws(cloud: Cloud, code: str, kind: str, text: str) -> None:
    assert invocation_error("echo", {"code": code}) == (kind, text)
    assert invoke("echo", {"after": code}) == ({"after": code}, None)


def test_responses_are_json_of_at_most_6_mb(cloud: Cloud) -> None:
    kind, text = invocation_error("echo", {"result": "{1, 2}"})
    assert kind == "Runtime.MarshalError"
    assert "Object of type set is not JSON serializable" in text
    kind, _ = invocation_error("echo", {"result": "'x' * 6_291_555"})
    assert kind == "Function.ResponseSizeTooLarge"
    assert invoke("echo", {"result": "'x' * 6_291_554"})[1] is None


def test_stack_traces_show_awss_code_folder(cloud: Cloud) -> None:
    payload, _ = invoke("echo", {"code": "raise ValueError"})
    assert payload["stackTrace"][0].startswith('  File "/var/task/main.py", line 6, in handler')


def test_slow_handler_is_killed_at_its_timeout(cloud: Cloud) -> None:
    deploy("slow", Timeout=1)
    started_at = time.monotonic()
    error = invocation_error("slow", {"code": "print('asleep'); time.sleep(20)"})
    assert error == ("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    assert time.monotonic() - started_at < 10
    assert "asleep" in log_lines("/aws/lambda/slow")
    assert invoke("slow", {"a": 1}) == ({"a": 1}, None)


STARTS = [
    ("import absent", "main.handler", "Runtime.ImportModuleError", "No module named 'absent'"),
    ("x = 1", "main.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module"),
    ("x = 1", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
    ("x = (", "main.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'"),
    ("x = 1", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
    ("1 / 0", "main.handler", "ZeroDivisionError", "division by zero"),
]


@pytest.mark.parametrize(("code", "handler", "kind", "text"), STARTS)
def test_failing_start_reports_its_reason(
    cloud: Cloud, code: str, handler: str, kind: str, text: str
) -> None:
    name = f"start-{STARTS.index((code, handler, kind, text))}"
    deploy(name, code, Handler=handler)
    for _ in range(2):
        error_type, message = invocation_error(name)
        assert error_type == kind
        assert text in message


def test_owner_only_file_cannot_be_imported(cloud: Cloud) -> None:
    deploy("private", Code={"ZipFile": zip_code(HANDLER, mode=0o600)})
    kind, text = invocation_error("private")
    assert kind == "Runtime.ImportModuleError"
    assert "[Errno 13] Permission denied: '/var/task/main.py'" in text


def test_zip_cannot_write_outside_its_directory(cloud: Cloud, tmp_path: Any) -> None:
    deploy("slip", Code={"ZipFile": zip_code("x = 1", name="../../slipped.py")})
    invocation_error("slip")
    folder, _ = invoke("echo", {"result": "os.getcwd()"})
    assert not Path(folder, "..", "..", "slipped.py").exists()


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


def test_dry_run_runs_nothing(cloud: Cloud) -> None:
    response = aws("lambda").invoke(FunctionName="echo", InvocationType="DryRun")
    assert response["StatusCode"] == 204


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


def zip_with_wrong_headers(offset: int, value: int) -> bytes:
    """Return a zip archive with a wrong byte in both headers of its file."""
    archive = bytearray(zip_code(HANDLER))
    for header in (0, archive.index(b"PK\1\2") + 2):
        archive[header + offset] = value
    return bytes(archive)


FLAGS = 6
METHOD = 8
INVALID_ZIPS = [
    b"no zip",
    zip_with_wrong_headers(FLAGS, 1),  # encrypted
    zip_with_wrong_headers(METHOD, zipfile.ZIP_DEFLATED),
    zip_with_wrong_headers(METHOD, 99),  # an unknown method
]
REJECTIONS = [
    (
        {"Runtime": "python3.9"},
        "InvalidParameterValueException",
        "python3.9 is no longer supported",
    ),
    ({"Runtime": "python4.0"}, "InvalidParameterValueException", "Value python4.0 at 'runtime'"),
    ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed"),
    ({"MemorySize": 10241}, "ValidationException", "must have value less than or equal to 10240"),
    ({"Handler": "a b"}, "ValidationException", "at 'handler' failed to satisfy constraint"),
    (
        {"Environment": {"Variables": {"AWS_REGION": "x", "A1": "x"}}},
        "InvalidParameterValueException",
        "Reserved keys used in this request: AWS_REGION",
    ),
    (
        {"Environment": {"Variables": {"BIG": "x" * 4096}}},
        "InvalidParameterValueException",
        "exceeded the 4KB limit",
    ),
    ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", "Environment"),
    ({"role": "other"}, "InvalidParameterValueException", "cannot be assumed by Lambda."),
    ({"role": "absent"}, "InvalidParameterValueException", "cannot be assumed by Lambda."),
    (
        {"Layers": ["arn:x"]},
        "InvalidParameterValueException",
        "Layers is not modelled",
    ),
]


@pytest.mark.parametrize(("settings", "code", "text"), REJECTIONS)
def test_invalid_functions_are_rejected(
    cloud: Cloud, settings: dict[str, Any], code: str, text: str
) -> None:
    error_code, message = error_of(deploy, name="rejected", **settings)
    assert error_code == code
    assert text.lower() in message.lower()


@pytest.mark.parametrize("code", INVALID_ZIPS)
def test_invalid_zips_are_rejected(cloud: Cloud, code: bytes) -> None:
    error_code, message = error_of(deploy, name="rejected", Code={"ZipFile": code})
    assert error_code == "InvalidParameterValueException"
    assert "Could not unzip uploaded file" in message


def test_updates_are_validated_like_creations(cloud: Cloud) -> None:
    functions = aws("lambda")
    update = functions.update_function_configuration
    assert error_of(update, FunctionName="echo", Timeout=901)[0] == "ValidationException"
    code, _ = error_of(functions.update_function_code, FunctionName="echo", ZipFile=b"no zip")
    assert code == "InvalidParameterValueException"
    assert invoke("echo", {"a": 1}) == ({"a": 1}, None)


def test_absent_function_is_not_found(cloud: Cloud) -> None:
    functions = aws("lambda")
    for name in ("absent", "echo:7"):
        code, message = error_of(functions.invoke, FunctionName=name, Payload=b"{}")
        assert code == "ResourceNotFoundException"
        assert name in message


def test_events_are_json_of_at_most_6_mb(cloud: Cloud) -> None:
    functions = aws("lambda")
    code, _ = error_of(functions.invoke, FunctionName="echo", Payload=b"{")
    assert code == "InvalidRequestContentException"
    large = json.dumps("x" * 6_291_455)
    code, _ = error_of(functions.invoke, FunctionName="echo", Payload=large)
    assert code == "RequestTooLargeException"


def test_logging_configuration_is_kept_and_merged(cloud: Cloud) -> None:
    functions = aws("lambda")
    deploy("kept", LoggingConfig={"LogGroup": "/kept"})
    functions.update_function_configuration(FunctionName="kept", Timeout=7)
    current = functions.get_function_configuration(FunctionName="kept")
    assert (current["Timeout"], current["LoggingConfig"]["LogGroup"]) == (7, "/kept")


def test_deleting_a_function_stops_its_process(cloud: Cloud) -> None:
    functions = aws("lambda")
    deploy("deleted")
    process, _ = invoke("deleted", {"result": "os.getpid()"})
    functions.delete_function(FunctionName="deleted")
    assert error_of(functions.invoke, FunctionName="deleted")[0] == "ResourceNotFoundException"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_close_kills_running_functions(cloud: Cloud) -> None:
    deploy("endless", Timeout=900)
    folder, _ = invoke("endless", {"result": "os.environ['TMPDIR']"})
    marker = Path(folder) / "started"
    failures: list[tuple[str, str]] = []
    endless = {"code": f"open({str(marker)!r}, 'w').close(); time.sleep(900)"}
    call = threading.Thread(target=lambda: failures.append(invocation_error("endless", endless)))
    call.start()
    deadline = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    cloud.service(Lambda).close()
    call.join()
    assert failures == [("Runtime.ExitError", "Runtime exited with error: signal: killed")]
    assert invoke("echo", {"a": 1}) == ({"a": 1}, None)


def test_bootstrap_imports_only_standard_library(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "local/services/aws_lambda/bootstrap.py"]
    environment = {"_HANDLER": "a.b", "TMPDIR": str(tmp_path)}
    run = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    assert run.returncode == 0
