"""Helpers for the whole chain on the laptop: orders, verify, a broken function, failed records."""

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

from analytics import athena
from local.core.server import Cloud
from local.services.registry import SERVICES
from operations import in_flight
from operations.verify import command as verify_command
from setup import names
from setup.lib import waiters
from tests.support.commands import Document, run_json_command
from tests.support.laptop_cloud import aws, laptop, zip_code
from tests.support.scripts import call_script
from tests.support.setup_fixture import SCRIPTS, clear_location

MAX_PAUSE = 0.01  # seconds


@contextmanager
def laptop_that_runs_in_waits(*modules: ModuleType) -> Iterator[Cloud]:
    """Yield a laptop cloud that runs until it is idle when a command waits.

    Commands wait for changes in flight; other modules that sleep are given.
    """
    with ExitStack() as stack:
        cloud = stack.enter_context(laptop(*SERVICES))
        for module in (in_flight, *modules):
            stack.enter_context(patch.object(module, "sleep", lambda _: cloud.run_until_idle()))
        yield cloud


def create_pipeline() -> None:
    """Create the pipeline as `python setup` does."""
    clear_location()
    run_setup(*SCRIPTS)


def run_setup(*scripts: str) -> None:
    """Run scripts of setup in this process, which is faster, and with shorter pauses."""

    def sleep_briefly(seconds: float) -> None:
        time.sleep(min(seconds, MAX_PAUSE))

    pauses = SimpleNamespace(monotonic=time.monotonic, sleep=sleep_briefly)
    with patch.object(waiters, "time", pauses), patch.object(athena, "FIRST_PAUSE", MAX_PAUSE):
        for script in scripts:
            import_module(f"setup.{script}").create()


def empty_chain(cloud: Cloud) -> None:
    """Delete all orders, then every version of every object of the lake: a query reads each."""
    for page in aws("dynamodb").get_paginator("scan").paginate(TableName=names.TABLE):
        for item in page["Items"]:
            key = {"order_id": item["order_id"]}
            aws("dynamodb").delete_item(TableName=names.TABLE, Key=key)
    cloud.run_until_idle()
    versions = aws("s3").get_paginator("list_object_versions")
    for page in versions.paginate(Bucket=names.bucket(), Prefix=names.LAKE):
        entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        if objects:
            aws("s3").delete_objects(Bucket=names.bucket(), Delete={"Objects": objects})


def write_orders(cloud: Cloud, orders: int, seed: int) -> None:
    """Let the generator write orders, and wait until they are delivered."""
    options = ("--orders", str(orders), "--seed", str(seed))
    assert call_script(cloud, "data_generator.py", *options) == 0
    cloud.run_until_idle()


def run_verify(*options: str) -> tuple[int, Document]:
    """Return the exit status and the document of operations.verify."""
    return run_json_command(verify_command.main, "--wait", "0", *options)


def raising_function() -> bytes:
    """Return the zip archive of a function that fails on every batch."""
    code = "def lambda_handler(event, context):\n    raise ValueError\n"
    return zip_code(code, "lambda_function.py")


def failed_records(cloud: Cloud) -> Iterator[bytes]:
    """Yield the original bytes of every record in the error store."""
    s3 = cloud.client("s3")
    bucket = names.bucket()
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=names.ERRORS)["Contents"]:
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for line in body.splitlines():
            yield b64decode(json.loads(line)["rawData"])
