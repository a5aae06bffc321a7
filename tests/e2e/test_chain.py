"""The whole chain, end to end: the real scripts, every hop, and what sabotage looks like."""

import json
import runpy
import sys
from collections.abc import Iterator

import boto3
import pytest

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.demo import run_script
from local.diagnostics import find_problems
from local.services.registry import SERVICES
from setup import names
from tests.campaign import validators
from tests.campaign.evidence import evidence
from tests.support.laptop_cloud import laptop
from tests.support.setup_fixture import SCRIPTS, SETUP, clear_location
from tests.support.whole_chain import kept_originals, raising_function, verified, write_orders


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain and written sixty orders."""
    with laptop(*SERVICES) as cloud:
        run_script(cloud, "setup")
        write_orders(cloud, orders=60, seed=7)
        yield cloud
        assert validators.faults(evidence()) == []  # Whatever the tests did, nothing is lost.


def table_keys() -> set[str]:
    """Return the keys that the table holds."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=names.TABLE)
    return {item["order_id"]["S"] for page in pages for item in page["Items"]}


def unbalanced(cloud: Cloud) -> list[HopCount]:
    """Return the hops that delivered or failed another number than they took in."""
    hops = [hop for service in cloud.services for hop in service.counts()]
    return [hop for hop in hops if hop.received != hop.delivered + hop.failed]


def test_every_change_passes_every_hop(chain: Cloud) -> None:
    hops = [hop for service in chain.services for hop in service.counts()]
    assert len({hop.received for hop in hops}) == 1, hops
    assert hops[0].received > 60
    assert not unbalanced(chain)
    assert find_problems(chain) == []


def test_the_lake_equals_the_table(chain: Cloud) -> None:
    status, verdict = verified()
    assert (status, verdict["equal"]) == (0, True)
    assert verdict["table"] == verdict["lake"] == len(table_keys())


def test_every_script_may_be_run_again_singly(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_location()
    for script in SCRIPTS:
        monkeypatch.setattr(sys, "argv", [script])
        runpy.run_path(str(SETUP / f"{script}.py"), run_name="__main__")
    write_orders(chain, orders=10, seed=8)
    assert verified()[0] == 0


def test_a_deleted_object_is_noticed_key_by_key(chain: Cloud) -> None:
    s3 = chain.client("s3")
    listed = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)["Contents"]
    kept = {
        entry["Key"]: s3.get_object(Bucket=names.bucket(), Key=entry["Key"]) for entry in listed
    }
    bodies = {key: answer["Body"].read() for key, answer in kept.items()}
    for key in bodies:
        s3.delete_object(Bucket=names.bucket(), Key=key)
    status, verdict = verified("--limit", "1000")
    assert status == 1
    assert len(verdict["missing"]) == verdict["table"] == len(table_keys())
    for key, body in bodies.items():
        s3.put_object(Bucket=names.bucket(), Key=key, Body=body)
    assert verified()[0] == 0


def test_a_stopped_pipe_is_named_and_loses_nothing(chain: Cloud) -> None:
    pipes = chain.client("pipes")
    pipes.stop_pipe(Name=names.PIPE)
    chain.run_until_idle()
    write_orders(chain, orders=5, seed=9)
    assert any(names.PIPE in trouble and "STOPPED" in trouble for trouble in find_problems(chain))
    assert verified()[0] == 1
    run_script(chain, "setup/08_start_pipe.py")
    chain.run_until_idle()
    assert verified()[0] == 0


def test_a_raising_lambda_keeps_every_original(chain: Cloud) -> None:
    before = table_keys()
    functions = chain.client("lambda")
    functions.update_function_code(FunctionName=names.FUNCTION, ZipFile=raising_function())
    write_orders(chain, orders=3, seed=10)
    assert any("Lambda.FunctionError" in trouble for trouble in find_problems(chain))
    assert not unbalanced(chain)
    status, verdict = verified()
    assert status == 1
    assert {json.loads(key)["order_id"]["S"] for key in verdict["missing"]} == table_keys() - before
    assert {order_of(original) for original in kept_originals(chain)} >= table_keys() - before


def order_of(record: bytes) -> str:
    """Return the order that a stream record tells of."""
    return json.loads(record)["dynamodb"]["Keys"]["order_id"]["S"]
