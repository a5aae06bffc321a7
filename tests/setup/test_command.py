"""The scripts as a user starts them: arguments, exit status, and no traceback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.core.server import Cloud
from local.environment import client_environment
from local.services.registry import SERVICES
from tests.support.environments import UNREACHABLE_AWS
from tests.support.laptop_cloud import create_table, empty_account
from tests.support.paths import PROJECT
from tests.support.profile import sampled
from tests.support.setup_fixture import aws_client

SCRIPTS = sorted(path.name for path in (PROJECT / "setup").glob("[0-9][0-9]_*.py"))
SYSTEM = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def run_script(script: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run a script, and return its exit status, stdout and stderr."""
    process = subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=SYSTEM | UNREACHABLE_AWS | environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


BROKEN_ENVIRONMENTS = sampled(
    [
        ({}, 1, "01_dynamodb.py: Could not connect to the endpoint URL"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, 1, "01_dynamodb.py: Invalid endpoint: nonsense"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"}, 1, "Port out of range 0-65535: expected"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:x"}, 1, "expected a URL such as http://"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "run aws configure"),
        ({"AWS_DEFAULT_REGION": ""}, 1, "run export AWS_DEFAULT_REGION="),
        ({"AWS_PROFILE": "absent"}, 1, "01_dynamodb.py: The config profile (absent)"),
        ({"AWS_PROFILE": "absent", "AWS_REGION": "us-east-1"}, 1, "The config profile (absent)"),
        ({"AWS_CONFIG_FILE": __file__, "AWS_REGION": "us-east-1"}, 1, "fix that file"),
        ({"AWS_REGION": "eu-west-1"}, 2, "AWS_REGION is eu-west-1, but"),
        ({"PIPELINE_NAME": "Sales"}, 2, "PIPELINE_NAME: expected"),
        ({"TABLE_NAME": "my table"}, 2, "TABLE_NAME: expected"),
    ],
    step=3,
)


@pytest.mark.parametrize(("environment", "status", "message"), BROKEN_ENVIRONMENTS)
def test_a_broken_environment_is_one_line(
    environment: dict[str, str], status: int, message: str
) -> None:
    code, out, err = run_script("setup/01_dynamodb.py", **environment)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert message in err


def test_an_interrupted_script_exits_with_130() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        endpoint = f"http://127.0.0.1:{silent_server.getsockname()[1]}"
        script = subprocess.Popen(
            [sys.executable, "setup/02_kinesis.py"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=SYSTEM | UNREACHABLE_AWS | {"AWS_ENDPOINT_URL": endpoint},
        )
        connection, _ = silent_server.accept()
        with connection:  # The script waits for a response.
            script.send_signal(signal.SIGINT)
            _, err = script.communicate(timeout=60)
    assert script.returncode == 130
    assert err == "02_kinesis.py: interrupted; run it again to continue\n"


@pytest.mark.parametrize("script", ["setup", "setup/05_lambda.py", "setup/teardown.py"])
def test_wrong_arguments_exit_with_2(script: str) -> None:
    code, _, err = run_script(script, "--nonsense")
    assert (code, "unrecognized arguments: --nonsense" in err) == (2, True)
    code, out, _ = run_script(script, "--help")
    assert (code, out.startswith("usage:")) == (0, True)


def test_the_zip_needs_no_account(tmp_path: Path) -> None:
    path = tmp_path / "lambda.zip"
    code, out, _ = run_script("setup/05_lambda.py", "--zip-only", str(path), AWS_DEFAULT_REGION="")
    assert (code, path.exists()) == (0, True)
    assert out.startswith(f"wrote {path}: the function's code")


def test_an_empty_zip_path_is_rejected() -> None:
    code, out, err = run_script("setup/05_lambda.py", "--zip-only", "")
    assert (code, out) == (1, "")
    assert err.startswith("05_lambda.py: the zip cannot be written: ")


def test_a_closed_stdout_is_one_line() -> None:
    unread, output = os.pipe()
    os.close(unread)
    ended = subprocess.run(
        [sys.executable, "setup/05_lambda.py", "--zip-only", os.devnull],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=SYSTEM | UNREACHABLE_AWS,
        check=False,
    )
    os.close(output)
    assert (ended.returncode, ended.stderr) == (1, "05_lambda.py: [Errno 32] Broken pipe\n")


def test_teardown_without_a_confirmation_aborts() -> None:
    code, _, err = run_script("setup/teardown.py")
    assert (code, "aborted; nothing was removed" in err) == (1, True)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    cloud = Cloud(SERVICES)
    empty_account()
    for name, value in client_environment(cloud.endpoint, {}).items():
        monkeypatch.setenv(name, value)
    yield cloud
    cloud.close()


@pytest.fixture
def environment(cloud: Cloud) -> dict[str, str]:
    """The environment of a pipeline that adopts the table Mine."""
    return {"AWS_ENDPOINT_URL": cloud.endpoint, "TABLE_NAME": "Mine"}


def create_own_table() -> None:
    dynamodb = aws_client("dynamodb")
    capacity = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    billing: dict[str, Any] = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": capacity}
    create_table(dynamodb, "Mine", {"shop": "N", "number": "B"}, **billing)
    ttl = {"Enabled": True, "AttributeName": "ends"}
    dynamodb.update_time_to_live(TableName="Mine", TimeToLiveSpecification=ttl)


def test_a_missing_adopted_table_is_an_error(environment: dict[str, str]) -> None:
    code, out, err = run_script("setup", **environment)
    assert (code, out) == (1, "")
    assert err.startswith("setup/01_dynamodb.py: TABLE_NAME: table Mine is missing: create it")


@pytest.mark.slow
def test_an_adopted_table_only_gets_a_stream(environment: dict[str, str]) -> None:
    create_own_table()
    before = describe_everything("Mine")
    for _ in ("without a stream", "with its stream"):
        code, out, _ = run_script("setup/01_dynamodb.py", **environment)
        after = describe_everything("Mine")
        assert (code, after["LatestStreamArn"] in out) == (0, True)
        assert after.pop("StreamSpecification")["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        del after["LatestStreamArn"]
        del after["LatestStreamLabel"]
        assert after == before


@pytest.mark.slow
def test_an_adopted_table_is_never_replaced(environment: dict[str, str]) -> None:
    create_own_table()
    aws_client("dynamodb").update_table(
        TableName="Mine",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    before = describe_everything("Mine")
    code, _, err = run_script("setup/01_dynamodb.py", **environment)
    assert (code, "found KEYS_ONLY: disable it when its readers are done" in err) == (1, True)

    code, out, _ = run_script("setup/teardown.py", "--yes", "--delete-data", **environment)
    assert (code, "kept table Mine (an existing table, set by TABLE_NAME)" in out) == (0, True)
    assert describe_everything("Mine") == before


def describe_everything(table: str) -> dict[str, Any]:
    """Return all settings of a table."""
    dynamodb = aws_client("dynamodb")
    description = dict(dynamodb.describe_table(TableName=table)["Table"])
    ttl = dynamodb.describe_time_to_live(TableName=table)
    backups = dynamodb.describe_continuous_backups(TableName=table)
    tags = dynamodb.list_tags_of_resource(ResourceArn=description["TableArn"])
    return {
        **description,
        "ttl": ttl["TimeToLiveDescription"],
        "backups": backups["ContinuousBackupsDescription"],
        "tags": tags["Tags"],
    }
