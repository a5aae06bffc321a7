"""Deploy the function that turns changes into rows, its log, and the count of failed records.

With --zip-only it only writes the zip, for deploying it by hand.
"""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from archive import archive, written
from finding import agrees, existing, needed_role
from logs import keep_log
from names import FAILED_RECORDS, FUNCTION, FUNCTION_LOGS, PIPELINE, TAGS
from script import arguments, reported, spoken
from waiting import accepted, wait_until

SETTINGS = {
    "Runtime": "python3.13",
    "Handler": "lambda_function.lambda_handler",
    "Timeout": 60,
    "MemorySize": 512,
}
FAILURES = {
    "metricName": FAILED_RECORDS,
    "metricNamespace": PIPELINE,
    "metricValue": "$.failed",
    "defaultValue": 0.0,
}


def create() -> str:
    """Create or update the function, and say which code it runs."""
    function, code = boto3.client("lambda"), archive()
    settings = SETTINGS | {"Role": needed_role("lambda")}
    count_failures()
    if existing(function.get_function, FunctionName=FUNCTION):
        update(function, settings, code)
    else:
        new = settings | {"FunctionName": FUNCTION, "Code": {"ZipFile": code}, "Tags": TAGS}
        accepted(lambda: function.create_function(**new))
    return f"function {FUNCTION} runs code {ready(function)['CodeSha256']}"


def update(function: Any, settings: dict[str, Any], code: bytes) -> None:
    """Change what differs, one change after the other, as Lambda demands."""
    if not agrees(settings, ready(function)):
        accepted(lambda: function.update_function_configuration(FunctionName=FUNCTION, **settings))
    if ready(function)["CodeSha256"] != b64encode(sha256(code).digest()).decode():
        function.update_function_code(FunctionName=FUNCTION, ZipFile=code)


def ready(function: Any) -> dict[str, Any]:
    """Return the function's configuration once it is active and no update is under way."""

    def found() -> dict[str, Any]:
        return function.get_function_configuration(FunctionName=FUNCTION)

    wait_until(f"function {FUNCTION}", lambda: found().get("State", "Active"), "Active")
    status = "LastUpdateStatus"
    wait_until(f"update of {FUNCTION}", lambda: found().get(status, "Successful"), "Successful")
    return found()


def count_failures() -> None:
    """Create the function's log, and count the failed records that it tells of."""
    keep_log(FUNCTION_LOGS)
    logs, which = boto3.client("logs"), {"logGroupName": FUNCTION_LOGS}
    wanted = which | {
        "filterName": FAILED_RECORDS,
        "filterPattern": "{ $.failed > 0 }",  # The function logs one line of JSON for each batch.
        "metricTransformations": [FAILURES],
    }
    found = existing(logs.describe_metric_filters, **which, filterNamePrefix=FAILED_RECORDS)
    if not found or not agrees([wanted], found["metricFilters"]):
        logs.put_metric_filter(**wanted)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument(
        "--zip-only",
        metavar="PATH",
        nargs="?",
        const="build/lambda.zip",
        help="write the zip, to build/lambda.zip unless told otherwise, and change nothing on AWS",
    )
    if path := parser.parse_args().zip_only:
        print(spoken(lambda: written(Path(path)), parser.prog))
    else:
        print(reported(create, parser.prog))
