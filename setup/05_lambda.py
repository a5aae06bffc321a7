"""Deploy the function that turns changes into rows, with its log group and its failure metric.

With --zip-only the script only writes the zip, for a deployment by hand.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import argument_parser, run_and_print, run_on_aws
from setup.lib.comparison import differs, matches_desired
from setup.lib.lambda_zip import build_zip, write_zip
from setup.lib.log_groups import ensure_log_group
from setup.lib.masking import ensure_masking_key, require_readable_keys
from setup.lib.resources import describe_or_none, function_state, require_role
from setup.lib.tags import ensure_tags
from setup.lib.waiters import (
    delete_if_creation_failed,
    has_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import FAILED_RECORDS, FUNCTION, FUNCTION_LOGS, PIPELINE, TAGS

if TYPE_CHECKING:
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

LABEL = f"function {FUNCTION}"
# Passed by name, with the role, to create and to update the function.
SETTINGS: dict[str, Any] = {
    "Runtime": "python3.13",
    "Handler": "lambda_function.lambda_handler",
    "Timeout": 60,
    "MemorySize": 512,
}


def create() -> str:
    """Create or update the function, and return a line with the hash of its code."""
    functions = boto3.client("lambda")
    code = build_zip()
    if names.MASKED:
        require_readable_keys()
        ensure_masking_key()
    settings = {"FunctionName": FUNCTION, "Role": require_role("lambda"), **SETTINGS}
    ensure_log_group(FUNCTION_LOGS)
    put_failure_metric()
    put_function(functions, settings, code)
    if differs("CodeSha256", b64encode(sha256(code).digest()).decode(), code_hash(functions)):
        functions.update_function_code(FunctionName=FUNCTION, ZipFile=code)
        wait_until(LABEL, function_state, "Successful")
    ensure_tags("lambda", get_config(functions)["FunctionArn"])
    return f"{LABEL} runs code {code_hash(functions)}"


def put_function(functions: LambdaClient, settings: dict[str, Any], code: bytes) -> None:
    """Create the function or update its settings, and return once Lambda is done with it."""
    # Lambda does not let a function be changed that it failed to create.
    state = delete_if_creation_failed(
        LABEL, function_state, lambda: functions.delete_function(FunctionName=FUNCTION)
    )
    config: Any = {} if state == "missing" else get_config(functions)
    variables = config.get("Environment", {}).get("Variables", {})  # The user may have added some.
    settings = {**settings, "Environment": {"Variables": {**variables, **own_variables()}}}
    if state == "missing":
        retry_until_accepted(
            lambda: functions.create_function(**settings, Code={"ZipFile": code}, Tags=TAGS)
        )
    elif has_failed(state) or not matches_desired(settings, config):
        retry_until_accepted(lambda: functions.update_function_configuration(**settings))
    wait_until(LABEL, function_state, "Successful")  # Lambda accepts one change at a time.


def own_variables() -> dict[str, str]:
    """Return the variables that lambda_function.py reads."""
    return {
        "JSON_PATHS": " ".join(names.JSON_PATHS),
        "MASKED": json.dumps(names.MASKED, sort_keys=True),
        "MASKING_KEY": names.MASKING_KEY,
    }


def get_config(functions: LambdaClient) -> FunctionConfigurationResponseTypeDef:
    """Return the function's configuration."""
    return functions.get_function_configuration(FunctionName=FUNCTION)


def code_hash(functions: LambdaClient) -> str:
    """Return the hash of the deployed zip, as Lambda writes it."""
    return get_config(functions)["CodeSha256"]


def put_failure_metric() -> None:
    """Count failed records from the function's log, which has one JSON line for each batch."""
    logs = boto3.client("logs")
    # Passed by name to create and to update the filter.
    desired: dict[str, Any] = {
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
    response = describe_or_none(
        logs.describe_metric_filters, logGroupName=FUNCTION_LOGS, filterNamePrefix=FAILED_RECORDS
    )
    if response is None or not matches_desired([desired], response["metricFilters"]):
        logs.put_metric_filter(logGroupName=FUNCTION_LOGS, **desired)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--zip-only",
        metavar="PATH",
        nargs="?",
        const="build/lambda.zip",
        help="only write the zip to PATH (default: build/lambda.zip)",
    )
    args = parser.parse_args()
    if args.zip_only is not None:
        run_and_print(lambda: write_zip(Path(args.zip_only)), parser.prog)
    else:
        run_on_aws(create, parser.prog)
