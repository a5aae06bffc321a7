"""AWS errors: whichever script they end, the user reads one line with the fix."""

import os
import subprocess
import sys
from errno import ENOSPC
from typing import Any

import botocore.exceptions as errors
import pytest

from setup.lib.aws_errors import (
    ACCESS_DENIED_CODES,
    ADVICE,
    INVALID_CREDENTIALS_CODES,
    SIGNATURE_CODES,
    error_message,
)
from tests.support.environments import UNREACHABLE_AWS
from tests.support.paths import PROJECT
from tests.support.profile import sampled

# Every command, with its exit status when AWS cannot be reached.
COMMANDS = {
    "setup": 1,
    "setup/teardown.py --yes": 1,
    "data_generator.py --orders 1": 1,
    "-m analytics.run revenue_by_day": 1,
    "-m analytics.dashboard --out never.html": 1,
    "-m operations.verify --wait 0": 2,
    "-m operations.status": 2,
    "-m operations.replay": 1,
    "-m operations.backfill --checkpoint build/never.json": 1,
}
BROKEN_ENVIRONMENTS = {
    "no credentials": ({"AWS_ACCESS_KEY_ID": ""}, "run aws configure"),
    "no region": ({"AWS_DEFAULT_REGION": ""}, "run export AWS_DEFAULT_REGION=us-east-1"),
    "no network": ({}, "check the network, the region, and the endpoint in your environment"),
    "no URL": ({"AWS_ENDPOINT_URL": "nowhere"}, "expected a URL such as http://127.0.0.1"),
    "no profile": ({"AWS_PROFILE": "absent"}, "set AWS_PROFILE to a profile of"),
}
BASE_ENVIRONMENT = {**UNREACHABLE_AWS, "PATH": os.environ["PATH"]}
# Each command runs in one of the environments, in turn.
CASES = [
    (command, list(BROKEN_ENVIRONMENTS)[number % len(BROKEN_ENVIRONMENTS)])
    for number, command in enumerate(COMMANDS)
]


@pytest.mark.parametrize(("command", "environment"), sampled(CASES, step=4))
def test_a_broken_environment_is_one_line_with_the_fix(command: str, environment: str) -> None:
    variables, fix = BROKEN_ENVIRONMENTS[environment]
    process = subprocess.run(
        [sys.executable, *command.split()],
        cwd=PROJECT,
        env=BASE_ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout) == (COMMANDS[command], ""), process.stderr
    assert process.stderr.count("\n") == 1, process.stderr
    assert fix in process.stderr


def test_the_documents_example_fails_in_one_line() -> None:
    process = subprocess.run(
        [sys.executable, "docs/readings.py"],
        cwd=PROJECT,
        env=BASE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr.count("\n")) == (1, "", 1)
    assert "Could not connect to the endpoint URL" in process.stderr


@pytest.mark.parametrize(
    ("codes", "fix"),
    [
        (INVALID_CREDENTIALS_CODES, "sign in again, or run aws configure"),
        (ACCESS_DENIED_CODES, "docs/aws.md lists the permissions that they need"),
        (SIGNATURE_CODES, "check the secret key and the system clock"),
        (("ValidationException",), "GetItem failed: ValidationException: Because. So"),
    ],
)
def test_an_error_of_aws_is_one_line_with_the_fix(codes: tuple[str, ...], fix: str) -> None:
    for code in codes:
        response: Any = {"Error": {"Code": code, "Message": "Because.\n  So."}}
        message = error_message(errors.ClientError(response, "GetItem"))
        assert fix in message
        assert "Because. So" in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.NoRegionError(), "You must specify a region: run export AWS_DEFAULT_REGION="),
        (errors.ReadTimeoutError(endpoint_url="https://a"), "check the network, and run it again"),
        (errors.UnauthorizedSSOTokenError(), "run aws sso login"),
        (OSError(ENOSPC, "No space left on device"), "free some disk space, and run it again"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
    ],
)
def test_a_client_side_error_has_its_fix(error: Exception, message: str) -> None:
    assert message in error_message(error)


def test_a_bug_is_raised_again() -> None:
    with pytest.raises(ValueError, match="a bug"):
        error_message(ValueError("a bug"))


def test_narrower_classes_come_first() -> None:
    classes = list(ADVICE)
    for number, error_class in enumerate(classes):
        shadowed = [later for later in classes[number + 1 :] if issubclass(later, error_class)]
        assert shadowed == [], error_class
