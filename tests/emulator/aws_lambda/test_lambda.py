"""Lambda on the laptop: runs the deployed zip in isolation, and fails as on AWS."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.bootstrap import FileAccess
from local.services.aws_lambda.service import Lambda, Target, parse_target
from tests.support.iam_roles import allow, make_role
from tests.support.lambda_fixture import (
    HANDLER,
    LOGS,
    deploy,
    invocation_error,
    invoke,
    lambda_cloud,
    log_lines,
)
from tests.support.laptop_cloud import aws, error_of, zip_code


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with lambda_cloud() as cloud:
        yield cloud


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
    for module in ("transform", "local.core.server", "duckdb", "moto"):
        kind, text = invocation_error("echo", {"code": f"import {module}"})
        assert kind == "ModuleNotFoundError", text


def test_function_has_boto3_as_on_aws(cloud: Cloud) -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    _, error = invoke("echo", {"code": code})
    assert error is None
    assert "123456789012" in log_lines("/aws/lambda/echo")


def test_function_reads_a_secret_as_its_role(cloud: Cloud) -> None:
    manager = aws("secretsmanager")
    arns = [
        manager.create_secret(Name=name, SecretString=name)["ARN"] for name in ("mine", "other")
    ]
    pattern = "arn:aws:secretsmanager:*:*:secret:mine-??????"
    make_role("reader", "lambda", allow(LOGS, "*"), allow("secretsmanager:GetSecretValue", pattern))
    deploy("reader", role="reader")
    code = "import boto3; read = boto3.client('secretsmanager').get_secret_value"
    event = {"code": f"global read; {code}", "result": "read(SecretId=event['id'])['SecretString']"}
    for secret_id in ("mine", arns[0]):
        assert invoke("reader", {**event, "id": secret_id}) == ("mine", None)
    for secret_id in ("other", arns[1]):
        kind, message = invocation_error("reader", {**event, "id": secret_id})
        assert kind == "ClientError"
        assert "not authorized to perform: secretsmanager:GetSecretValue" in message
    manager.delete_secret(SecretId="mine", ForceDeleteWithoutRecovery=True)
    message = invocation_error("reader", {**event, "id": "mine"})[1]
    assert "ResourceNotFoundException" in message


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


def test_dry_run_runs_nothing(cloud: Cloud) -> None:
    response = aws("lambda").invoke(FunctionName="echo", InvocationType="DryRun")
    assert response["StatusCode"] == 204


def test_deleting_a_function_stops_its_process(cloud: Cloud) -> None:
    functions = aws("lambda")
    deploy("deleted")
    process, _ = invoke("deleted", {"result": "os.getpid()"})
    functions.delete_function(FunctionName="deleted")
    assert error_of(functions.invoke, FunctionName="deleted")[0] == "ResourceNotFoundException"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.slow
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
