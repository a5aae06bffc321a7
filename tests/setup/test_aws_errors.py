"""What goes wrong around the scripts is a sentence with its cure, whichever script it hits."""

import os
import subprocess
import sys
from errno import ENOSPC
from typing import Any

import botocore.exceptions as errors
import pytest

from setup.lib.aws_errors import ADVICE, DENIED, EXPIRED, UNSIGNED, reason
from tests.support.environments import NOWHERE
from tests.support.paths import PROJECT

SCRIPTS = {
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
SURROUNDINGS = {
    "no credentials": ({"AWS_ACCESS_KEY_ID": ""}, "run aws configure"),
    "no region": ({"AWS_DEFAULT_REGION": ""}, "run export AWS_DEFAULT_REGION=us-east-1, or yours"),
    "no network": (
        {},
        "is the network up, and do the region and the endpoint of your environment exist?",
    ),
    "no address": ({"AWS_ENDPOINT_URL": "nowhere"}, "expected an address such as http://127.0.0.1"),
    "no profile": ({"AWS_PROFILE": "absent"}, "run aws configure list-profiles"),
}
HERE = {**NOWHERE, "PATH": os.environ["PATH"]}
# Every script meets one of the surroundings.
MEETINGS = [
    (script, list(SURROUNDINGS)[number % len(SURROUNDINGS)])
    for number, script in enumerate(SCRIPTS)
]


@pytest.mark.parametrize(("script", "around"), MEETINGS)
def test_wrong_surroundings_are_one_line_with_the_cure(script: str, around: str) -> None:
    environment, cure = SURROUNDINGS[around]
    ended = subprocess.run(
        [sys.executable, *script.split()],
        cwd=PROJECT,
        env=HERE | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (SCRIPTS[script], ""), ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert cure in ended.stderr


def test_the_example_of_the_documents_meets_them_in_one_line_too() -> None:
    command = [sys.executable, "docs/readings.py"]
    ended = subprocess.run(command, cwd=PROJECT, env=HERE, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert "Could not connect to the endpoint URL" in ended.stderr


def refusal(code: str) -> errors.ClientError:
    """Return a refusal by AWS, its text on two lines."""
    return errors.ClientError({"Error": {"Code": code, "Message": "Because.\n  So."}}, "GetItem")


@pytest.mark.parametrize(
    ("codes", "cure"),
    [
        (EXPIRED, "sign in again, or aws configure"),
        (DENIED, "docs/aws.md says which rights they need"),
        (UNSIGNED, "is the secret key right, and the clock?"),
        (("ValidationException",), "GetItem failed: ValidationException: Because. So"),
    ],
)
def test_a_refusal_names_its_cure_in_one_line(codes: tuple[str, ...], cure: str) -> None:
    for code in codes:
        text = reason(refusal(code))
        assert cure in text
        assert "Because. So" in text
        assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.NoRegionError(), "You must specify a region: run export AWS_DEFAULT_REGION="),
        (errors.ReadTimeoutError(endpoint_url="https://a"), "is the network up? run it again"),
        (errors.UnauthorizedSSOTokenError(), "run aws sso login"),
        (OSError(ENOSPC, "No space left on device"), "make room, and run it again"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
    ],
)
def test_what_happens_on_the_way_names_its_cure(error: Exception, told: str) -> None:
    assert told in reason(error)


def test_a_fault_of_ours_is_not_taken_for_the_users() -> None:
    with pytest.raises(ValueError, match="ours"):
        reason(ValueError("ours"))


def test_narrower_advice_comes_before_wider() -> None:
    kinds: list[Any] = list(ADVICE)
    for number, kind in enumerate(kinds):
        assert not [later for later in kinds[number + 1 :] if issubclass(later, kind)], kind
