"""Whether the road from Kinesis into the lake is open for what is sent again."""

import subprocess
import sys
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from operations import firehose as delivery
from setup.names import FUNCTION

PROJECT = Path(__file__).resolve().parent.parent.parent
DEPLOY = "setup/05_lambda.py"


def obstacle() -> str | None:
    """Return why nothing should be put into Kinesis now and what to do, or None."""
    try:
        delivery.check_active()
    except delivery.NotReady as reason:
        return str(reason)
    if deployed_code() != checked_out_code():
        return (
            f"function {FUNCTION} runs other code than this checkout, so what is accepted here "
            f"may fail there again: run python {DEPLOY}"
        )
    return None


def deployed_code() -> str:
    """Return the hash of the code that the function runs."""
    function = boto3.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    return function["CodeSha256"]


@cache
def checked_out_code() -> str:
    """Return the hash of the code that would be deployed from here."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "lambda.zip")
        command = [sys.executable, DEPLOY, "--zip-only", str(path)]
        try:
            subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)
        except subprocess.CalledProcessError:
            raise delivery.NotReady(
                f"this checkout's function cannot be packed, for the reason above, so what it "
                f"accepts is not known: mend that until python {DEPLOY} --zip-only FILE works"
            ) from None
        return b64encode(sha256(path.read_bytes()).digest()).decode()
