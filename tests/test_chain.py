"""The whole chain, end to end: the real scripts, every hop, and what sabotage looks like."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.moto_api._internal import moto_api_backend

from local.cloud import Cloud
from local.demo import run
from local.environment import enter
from local.hops import HopCount
from local.parts import PARTS
from local.troubles import troubles
from setup import names

PROJECT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path.name for path in (PROJECT / "setup").glob("[01]*.py"))


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain and written sixty orders."""
    before = dict(os.environ)
    cloud = Cloud(PARTS)
    enter(cloud.endpoint)
    run(cloud, "setup")
    write_orders(cloud, orders=60, seed=7)
    yield cloud
    cloud.close()
    moto_api_backend.reset()
    os.environ.clear()
    os.environ.update(before)


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
    import boto3

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
    broken = io.BytesIO()
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("lambda_function.py", "def lambda_handler(event, context):\n    1 / 0\n")
    functions = chain.client("lambda")
    functions.update_function_code(FunctionName=names.FUNCTION, ZipFile=broken.getvalue())
    write_orders(chain, orders=3, seed=10)
    assert any("Lambda.FunctionError" in trouble for trouble in troubles(chain))
    assert not unbalanced(chain)
    assert verified(chain)[0] == 1
    run(chain, "setup/05_lambda.py")
    write_orders(chain, orders=3, seed=11)
    assert not unbalanced(chain)


def test_the_demo_ends_by_proving_the_lake(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    command = [sys.executable, "-m", "local", "--orders", "30", "--summary", str(summary)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(summary.read_text())
    assert outcome["verify"]["equal"]
    assert {hop["in"] - hop["out"] - hop["failed"] for hop in outcome["hops"]} == {0}
    assert f"lake equals table: {outcome['verify']['table']} orders" in done.stdout
