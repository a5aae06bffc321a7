"""Deploy the function that turns changes into rows, its log, and the count of failed records.

With --zip-only it only writes the zip, for deploying it by hand.
"""

import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import arguments, report, say
from setup.lib.lambda_zip import build_zip, write_zip
from setup.lib.log_groups import ensure_log_group
from setup.lib.resources import describe_or_none, function_state, matches_desired, require_role
from setup.lib.waiters import (
    delete_if_creation_failed,
    has_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import FAILED_RECORDS, FUNCTION, FUNCTION_LOGS, PIPELINE, TAGS

WHAT = f"function {FUNCTION}"
SETTINGS = {
    "Runtime": "python3.13",
    "Handler": "lambda_function.lambda_handler",
    "Timeout": 60,
    "MemorySize": 512,
}


def create() -> str:
    """Create or update the function, and say which code it runs."""
    function, code = boto3.client("lambda"), build_zip()
    settings = {"FunctionName": FUNCTION, "Role": require_role("lambda"), **SETTINGS}
    ensure_log_group(FUNCTION_LOGS)
    count_failures()
    delete = function.delete_function  # One that could not be made AWS does not let be changed.
    now = delete_if_creation_failed(WHAT, function_state, lambda: delete(FunctionName=FUNCTION))
    if now == "missing":
        new = settings | {"Code": {"ZipFile": code}, "Tags": TAGS}
        retry_until_accepted(lambda: function.create_function(**new))
    elif has_failed(now) or not matches_desired(settings, described(function)):
        retry_until_accepted(lambda: function.update_function_configuration(**settings))
    wait_until(WHAT, function_state, "Successful")  # Lambda takes one change after the other.
    if described(function)["CodeSha256"] != b64encode(sha256(code).digest()).decode():
        function.update_function_code(FunctionName=FUNCTION, ZipFile=code)
        wait_until(WHAT, function_state, "Successful")
    return f"{WHAT} runs code {described(function)['CodeSha256']}"


def described(function: Any) -> dict[str, Any]:
    """Return the function's configuration."""
    return function.get_function_configuration(FunctionName=FUNCTION)


def count_failures() -> None:
    """Count the failed records that the function's log tells of: one line of JSON for a batch."""
    logs, which = boto3.client("logs"), {"logGroupName": FUNCTION_LOGS}
    wanted = {
        "filterName": FAILED_RECORDS,
        "filterPattern": "{ $.failed > 0 }",
        "metricTransformations": [
            {
                "metricName": FAILED_RECORDS,
                "metricNamespace": PIPELINE,
                "metricValue": "$.failed",
                "defaultValue": 0.0,
            }
        ],
    }
    found = describe_or_none(logs.describe_metric_filters, **which, filterNamePrefix=FAILED_RECORDS)
    if not found or not matches_desired([wanted], found["metricFilters"]):
        logs.put_metric_filter(**which, **wanted)


if __name__ == "__main__":
    parser = arguments(__doc__)
    about = "write the zip, to build/lambda.zip unless told otherwise, and change nothing on AWS"
    path = {"metavar": "PATH", "nargs": "?", "const": "build/lambda.zip"}
    parser.add_argument("--zip-only", **path, help=about)
    if (path := parser.parse_args().zip_only) is not None:
        say(lambda: write_zip(Path(path)), parser.prog)
    else:
        report(create, parser.prog)
