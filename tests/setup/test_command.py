"""The scripts as a user starts them: their arguments, their exit status, and no traceback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from local.core.server import Cloud
from local.environment import exports
from local.services.registry import SERVICES
from tests.support.environments import NOWHERE
from tests.support.paths import PROJECT

SCRIPTS = sorted(path.name for path in (PROJECT / "setup").glob("[0-9][0-9]_*.py"))
SYSTEM = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def started(script: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Return a script's exit status, and what it wrote to its output and as errors."""
    command = [sys.executable, script, *arguments]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=SYSTEM | NOWHERE | environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("environment", "status", "told"),
    [
        ({}, 1, "01_dynamodb.py: Could not connect to the endpoint URL"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, 1, "01_dynamodb.py: Invalid endpoint: nonsense"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"}, 1, "Port out of range 0-65535: expected"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:x"}, 1, "expected an address such as http://"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "run aws configure"),
        ({"AWS_DEFAULT_REGION": ""}, 1, "run export AWS_DEFAULT_REGION="),
        ({"AWS_PROFILE": "absent"}, 1, "01_dynamodb.py: The config profile (absent)"),
        ({"AWS_PROFILE": "absent", "AWS_REGION": "us-east-1"}, 1, "The config profile (absent)"),
        ({"AWS_CONFIG_FILE": __file__, "AWS_REGION": "us-east-1"}, 1, "mend that file"),
        ({"AWS_REGION": "eu-west-1"}, 2, "AWS_REGION is eu-west-1 but"),
        ({"PIPELINE_NAME": "Sales"}, 2, "PIPELINE_NAME: expected"),
        ({"TABLE_NAME": "my table"}, 2, "TABLE_NAME: expected"),
    ],
)
def test_what_a_user_can_cause_is_a_sentence(
    environment: dict[str, str], status: int, told: str
) -> None:
    code, out, err = started("setup/01_dynamodb.py", **environment)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert told in err


def test_an_interrupted_script_says_how_to_go_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        script = subprocess.Popen(
            [sys.executable, "setup/02_kinesis.py"],
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=SYSTEM | NOWHERE | {"AWS_ENDPOINT_URL": address},
        )
        connection, _ = silent.accept()
        with connection:  # It has asked, and nobody answers.
            script.send_signal(signal.SIGINT)
            _, err = script.communicate(timeout=60)
    assert (script.returncode, err) == (130, "02_kinesis.py: interrupted: run it again to go on\n")


@pytest.mark.parametrize("script", ["setup", "setup/05_lambda.py", "setup/teardown.py"])
def test_wrong_arguments_end_with_2_and_help_with_0(script: str) -> None:
    code, _, err = started(script, "--nonsense")
    assert (code, "unrecognized arguments: --nonsense" in err) == (2, True)
    code, out, _ = started(script, "--help")
    assert (code, out.startswith("usage:")) == (0, True)


def test_the_zip_can_be_written_without_an_account(tmp_path: Path) -> None:
    path = tmp_path / "lambda.zip"
    code, out, _ = started("setup/05_lambda.py", "--zip-only", str(path), AWS_DEFAULT_REGION="")
    assert (code, path.exists()) == (0, True)
    assert out.startswith(f"{path} holds the function's code")


def test_a_zip_for_an_empty_name_is_refused_and_nothing_is_deployed() -> None:
    code, out, err = started("setup/05_lambda.py", "--zip-only", "")
    assert (code, out) == (1, "")
    assert err.startswith("05_lambda.py: the zip cannot be written: ")


def test_a_line_that_nobody_reads_any_more_is_a_sentence_too() -> None:
    unread, output = os.pipe()
    os.close(unread)
    ended = subprocess.run(
        [sys.executable, "setup/05_lambda.py", "--zip-only", os.devnull],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=SYSTEM | NOWHERE,
        check=False,
    )
    os.close(output)
    assert (ended.returncode, ended.stderr) == (1, "05_lambda.py: [Errno 32] Broken pipe\n")


def test_teardown_removes_nothing_unless_the_user_means_it() -> None:
    code, _, err = started("setup/teardown.py")
    assert (code, "nothing was removed" in err) == (1, True)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    cloud = Cloud(SERVICES)
    urlopen(Request(f"{cloud.endpoint}/moto-api/reset", method="POST")).close()
    for name, value in exports(cloud.endpoint, {}).items():
        monkeypatch.setenv(name, value)
    yield cloud
    cloud.close()


def test_an_adopted_table_only_gets_its_missing_stream(cloud: Cloud) -> None:
    mine = {"AWS_ENDPOINT_URL": cloud.endpoint, "TABLE_NAME": "Mine"}
    code, out, err = started("setup", **mine)
    assert (code, out) == (1, "")
    assert err.startswith("setup/01_dynamodb.py: TABLE_NAME: table Mine is missing: create it")

    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="Mine",
        AttributeDefinitions=[
            {"AttributeName": "shop", "AttributeType": "N"},
            {"AttributeName": "number", "AttributeType": "B"},
        ],
        KeySchema=[
            {"AttributeName": "shop", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )
    expiry = {"Enabled": True, "AttributeName": "ends"}
    dynamodb.update_time_to_live(TableName="Mine", TimeToLiveSpecification=expiry)
    before = all_of("Mine")
    for _ in ("absent", "present"):
        code, out, _ = started("setup/01_dynamodb.py", **mine)
        after = all_of("Mine")
        assert (code, after["LatestStreamArn"] in out) == (0, True)
        assert after.pop("StreamSpecification")["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert (after.pop("LatestStreamArn"), after.pop("LatestStreamLabel")) != (None, None)
        assert after == before

    for stream in (
        {"StreamEnabled": False},
        {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    ):
        dynamodb.update_table(TableName="Mine", StreamSpecification=stream)
    after = all_of("Mine")
    code, _, err = started("setup/01_dynamodb.py", **mine)
    assert (code, "found KEYS_ONLY: disable it when its readers are done" in err) == (1, True)

    code, out, _ = started("setup/teardown.py", "--yes", "--delete-data", **mine)
    assert (code, "table Mine is yours and stays as it is" in out) == (0, True)
    assert all_of("Mine") == after


def all_of(table: str) -> dict[str, Any]:
    """Return all that AWS tells of a table."""
    dynamodb, which = boto3.client("dynamodb"), {"TableName": table}
    told = dict(dynamodb.describe_table(**which)["Table"])
    told["expiry"] = dynamodb.describe_time_to_live(**which)["TimeToLiveDescription"]
    told["backups"] = dynamodb.describe_continuous_backups(**which)["ContinuousBackupsDescription"]
    told["tags"] = dynamodb.list_tags_of_resource(ResourceArn=told["TableArn"])["Tags"]
    return told
