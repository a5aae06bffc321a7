"""The whole chain, end to end: the setup scripts, every hop, and faults that must be reported."""

import json
import runpy
import sys
from collections.abc import Iterator

import boto3
import pytest

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.diagnostics import find_problems
from local.services.registry import SERVICES
from setup import names
from tests.campaign import validators
from tests.campaign.evidence import collect_evidence
from tests.support.laptop_cloud import laptop
from tests.support.setup_fixture import SCRIPTS, SETUP, clear_location
from tests.support.whole_chain import (
    create_pipeline,
    failed_records,
    raising_function,
    run_setup,
    run_verify,
    write_orders,
)


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud with the chain and sixty orders."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        write_orders(cloud, orders=60, seed=7)
        yield cloud
        # Whatever the tests did, no change is lost.
        assert validators.find_violations(collect_evidence()) == []


def table_order_ids() -> set[str]:
    """Return the ids of the orders in the table."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=names.TABLE)
    return {item["order_id"]["S"] for page in pages for item in page["Items"]}


def order_id_of(record: bytes) -> str:
    """Return the id of a stream record's order."""
    order_id: str = json.loads(record)["dynamodb"]["Keys"]["order_id"]["S"]
    return order_id


def hop_counts(cloud: Cloud) -> list[HopCount]:
    """Return the record counts of all hops."""
    return [hop for service in cloud.services for hop in service.counts()]


def unbalanced_hops(cloud: Cloud) -> list[HopCount]:
    """Return the hops with records that were neither delivered nor failed."""
    return [hop for hop in hop_counts(cloud) if hop.received != hop.delivered + hop.failed]


def test_every_change_passes_every_hop(chain: Cloud) -> None:
    hops = hop_counts(chain)
    assert len({hop.received for hop in hops}) == 1, hops
    assert hops[0].received > 60
    assert unbalanced_hops(chain) == []
    assert find_problems(chain) == []


def test_the_lake_equals_the_table(chain: Cloud) -> None:
    status, document = run_verify()
    assert (status, document["equal"]) == (0, True)
    assert document["table"] == document["lake"] == len(table_order_ids())


@pytest.mark.slow
def test_every_script_can_be_run_again(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    clear_location()
    for script in SCRIPTS:
        monkeypatch.setattr(sys, "argv", [script])
        runpy.run_path(str(SETUP / f"{script}.py"), run_name="__main__")
    write_orders(chain, orders=10, seed=8)
    assert run_verify()[0] == 0


@pytest.mark.slow
def test_deleted_objects_are_reported_by_key(chain: Cloud) -> None:
    s3 = chain.client("s3")
    bucket = names.bucket()
    bodies = {
        entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for entry in s3.list_objects_v2(Bucket=bucket, Prefix=names.LAKE)["Contents"]
    }
    for key in bodies:
        s3.delete_object(Bucket=bucket, Key=key)
    status, document = run_verify("--limit", "1000")
    assert status == 1
    assert len(document["missing"]) == document["table"] == len(table_order_ids())
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert run_verify()[0] == 0


@pytest.mark.slow
def test_a_stopped_pipe_is_reported(chain: Cloud) -> None:
    pipes = chain.client("pipes")
    pipes.stop_pipe(Name=names.PIPE)
    chain.run_until_idle()
    write_orders(chain, orders=5, seed=9)
    problems = find_problems(chain)
    assert any(names.PIPE in problem and "STOPPED" in problem for problem in problems)
    assert run_verify()[0] == 1
    run_setup("08_start_pipe")
    chain.run_until_idle()
    assert run_verify()[0] == 0


def test_a_raising_function_loses_no_record(chain: Cloud) -> None:
    order_ids_before = table_order_ids()
    functions = chain.client("lambda")
    functions.update_function_code(FunctionName=names.FUNCTION, ZipFile=raising_function())
    write_orders(chain, orders=3, seed=10)
    new_order_ids = table_order_ids() - order_ids_before
    assert any("Lambda.FunctionError" in problem for problem in find_problems(chain))
    assert unbalanced_hops(chain) == []
    status, document = run_verify()
    assert status == 1
    assert {json.loads(key)["order_id"]["S"] for key in document["missing"]} == new_order_ids
    assert {order_id_of(record) for record in failed_records(chain)} >= new_order_ids
