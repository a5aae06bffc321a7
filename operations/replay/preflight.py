"""Preflight check: whether the pipeline would deliver what a replay sends."""

from base64 import b64encode
from hashlib import sha256

import boto3

from operations import firehose
from setup.lib.lambda_zip import build_zip
from setup.names import FUNCTION


def find_blocker() -> str | None:
    """Return why nothing should be put into Kinesis now, with the fix, or None."""
    try:
        firehose.require_active()
    except firehose.PipelineNotReady as error:
        return str(error)
    if deployed_code_sha256() != local_code_sha256():
        return (
            f"the deployed function {FUNCTION} differs from this checkout: "
            f"deploy it first with python setup/05_lambda.py"
        )
    return None


def deployed_code_sha256() -> str:
    """Return the hash of the function's code, as Lambda encodes it."""
    function = boto3.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    return function["CodeSha256"]


def local_code_sha256() -> str:
    """Return the hash of the code that this checkout would deploy, as Lambda encodes it."""
    return b64encode(sha256(build_zip()).digest()).decode()
