"""The whole chain, end to end: the real scripts, every hop, and what sabotage looks like."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import pytest

from local.cloud import HOST, Cloud
from local.demo import run
from local.hops import HopCount
from local.parts import PARTS
from local.troubles import troubles
from setup import names
from tests import sharded_streams
from tests.campaign import validators
from tests.campaign.evidence import evidence
from tests.laptop import laptop, zipped

PROJECT = Path(__file__).resolve().parent.parent
ANYBODY = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}
SCRIPTS = sorted(path.name for path in (PROJECT / "setup").glob("[01]*.py"))


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain and written sixty orders."""
    with laptop(*PARTS) as cloud:
        run(cloud, "setup")
        write_orders(cloud, orders=60, seed=7)
        yield cloud


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold, after each test of the chain, what lies in the cloud against what was written."""
    yield
    if "chain" in request.fixturenames:
        assert validators.faults(evidence()) == []


def write_orders(cloud: Cloud, orders: int, seed: int) -> None:
    """Let the generator write, and the chain come to rest."""
    run(cloud, "data_generator.py", "--orders", str(orders), "--seed", str(seed))
    cloud.settle()


def verified(cloud: Cloud, *options: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the verdict of operations.verify."""
    command = [sys.executable, "-m", "operations.verify", "--wait", "0", "--json", *options]
    script = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    out, _ = script.communicate(timeout=60)
    return script.returncode, json.loads(out)


def table_keys() -> set[str]:
    """Return the keys that the table holds."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=names.TABLE)
    return {item["order_id"]["S"] for page in pages for item in page["Items"]}


def unbalanced(cloud: Cloud) -> list[HopCount]:
    """Return the hops that delivered or failed another number than they took in."""
    hops = [hop for part in cloud.parts for hop in part.counts()]
    return [hop for hop in hops if hop.came_in != hop.went_out + hop.failed]


def test_every_change_passes_every_hop(chain: Cloud) -> None:
    hops = [hop for part in chain.parts for hop in part.counts()]
    assert len({hop.came_in for hop in hops}) == 1, hops
    assert hops[0].came_in > 60
    assert not unbalanced(chain)
    assert troubles(chain) == []


def test_the_lake_equals_the_table(chain: Cloud) -> None:
    status, verdict = verified(chain)
    assert (status, verdict["equal"]) == (0, True)
    assert verdict["table"] == verdict["lake"] == len(table_keys())


def test_every_script_may_be_run_again_singly(chain: Cloud) -> None:
    for script in SCRIPTS:
        run(chain, f"setup/{script}")
    write_orders(chain, orders=10, seed=8)
    assert verified(chain)[0] == 0


def test_a_deleted_object_is_noticed_key_by_key(chain: Cloud) -> None:
    s3 = chain.client("s3")
    listed = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)["Contents"]
    kept = {
        entry["Key"]: s3.get_object(Bucket=names.bucket(), Key=entry["Key"]) for entry in listed
    }
    bodies = {key: answer["Body"].read() for key, answer in kept.items()}
    for key in bodies:
        s3.delete_object(Bucket=names.bucket(), Key=key)
    status, verdict = verified(chain, "--limit", "1000")
    assert status == 1
    assert len(verdict["missing"]) == verdict["table"] == len(table_keys())
    for key, body in bodies.items():
        s3.put_object(Bucket=names.bucket(), Key=key, Body=body)
    assert verified(chain)[0] == 0


def test_a_stopped_pipe_is_named_and_loses_nothing(chain: Cloud) -> None:
    pipes = chain.client("pipes")
    pipes.stop_pipe(Name=names.PIPE)
    chain.settle()
    write_orders(chain, orders=5, seed=9)
    assert any(names.PIPE in trouble and "STOPPED" in trouble for trouble in troubles(chain))
    assert verified(chain)[0] == 1
    run(chain, "setup/08_start_pipe.py")
    chain.settle()
    assert verified(chain)[0] == 0


def test_a_raising_lambda_keeps_every_original(chain: Cloud) -> None:
    before = table_keys()
    functions = chain.client("lambda")
    functions.update_function_code(FunctionName=names.FUNCTION, ZipFile=raising_function())
    write_orders(chain, orders=3, seed=10)
    assert any("Lambda.FunctionError" in trouble for trouble in troubles(chain))
    assert not unbalanced(chain)
    status, verdict = verified(chain)
    assert status == 1
    assert {json.loads(key)["order_id"]["S"] for key in verdict["missing"]} == table_keys() - before
    assert {order_of(original) for original in kept_originals(chain)} >= table_keys() - before


def raising_function() -> bytes:
    """Return the zip of a function that fails on every batch."""
    code = "def lambda_handler(event, context):\n    raise ValueError\n"
    return zipped(code, "lambda_function.py")


def kept_originals(cloud: Cloud) -> Iterator[bytes]:
    """Yield the bytes of every record that lies in the error folder."""
    s3, where = cloud.client("s3"), {"Bucket": names.bucket()}
    for entry in s3.list_objects_v2(Prefix=names.ERRORS, **where)["Contents"]:
        body = s3.get_object(Key=entry["Key"], **where)["Body"].read()
        yield from (b64decode(json.loads(line)["rawData"]) for line in body.splitlines())


def order_of(record: bytes) -> str:
    """Return the order that a stream record tells of."""
    return json.loads(record)["dynamodb"]["Keys"]["order_id"]["S"]


def demo(*options: str, project: Path = PROJECT, **environment: str) -> tuple[int, str]:
    """Run the demo as a user would, and return its exit status and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "local", *options],
        cwd=project,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_the_demo_ends_by_proving_the_lake(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    status, said = demo("--orders", "30", "--summary", str(summary))
    assert status == 0, said
    outcome = json.loads(summary.read_text())
    assert outcome["verify"]["equal"]
    assert {hop["in"] - hop["out"] - hop["failed"] for hop in outcome["hops"]} == {0}
    orders = outcome["verify"]["table"]
    assert f"lake equals table: {orders} items" in said
    dashboard = PROJECT / "dashboard.html"
    assert f"dashboard: {dashboard}" in said
    assert f'"state":"equal","table":{orders},"lake":{orders}' in dashboard.read_text("utf-8")


def test_the_demo_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    shutil.copytree(PROJECT, tmp_path / "copy", ignore=shutil.ignore_patterns(".*", "tests"))
    function = tmp_path / "copy" / "lambda_function.py"
    function.write_text("def lambda_handler(event, context):\n    raise ValueError\n")
    summary = tmp_path / "summary.json"
    status, said = demo("--orders", "5", "--summary", str(summary), project=tmp_path / "copy")
    assert status == 1, said
    assert "Lambda.FunctionError" in said
    assert "lake differs from table: 5 missing" in said
    assert not json.loads(summary.read_text())["verify"]["equal"]


def test_table_and_stream_may_live_on_other_servers(elsewhere: str) -> None:
    with sharded_streams.serving() as tables:
        status, said = demo(
            *("--orders", "20"),
            AWS_ENDPOINT_URL_DYNAMODB=tables,
            AWS_ENDPOINT_URL_DYNAMODB_STREAMS=tables,
            AWS_ENDPOINT_URL_KINESIS=elsewhere,
        )
        shards = sharded_streams.shards(tables, names.TABLE)
    assert status == 0, said
    assert "lake equals table: 20 items" in said
    assert sum("EndingSequenceNumber" in each["SequenceNumberRange"] for each in shards) > 5
    kinesis = boto3.client("kinesis", endpoint_url=elsewhere, **ANYBODY)
    assert len(kinesis.list_shards(StreamName=names.STREAM)["Shards"]) == 4


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another server that speaks Kinesis, as moto does, in a process of its own."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    serve = f"from moto.server import main; main(['--host', '{HOST}', '--port', '{port}'])"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, "-c", serve], **quiet)
    endpoint = f"http://{HOST}:{port}"
    wait_for(endpoint)
    yield endpoint
    server.terminate()
    server.wait()


def wait_for(endpoint: str) -> None:
    """Return once a server answers."""
    for _ in range(100):
        with suppress(URLError), urlopen(f"{endpoint}/moto-api/data.json"):
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)
