"""A table that has nothing to do with sales, adopted by its name: binary sort key, camelCase."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.cloud import ACCOUNT, Cloud
from local.demo import run
from local.parts import PARTS
from local.troubles import troubles
from tests.laptop import laptop

PROJECT = Path(__file__).resolve().parent.parent
TABLE, PIPELINE = "Readings.v2", "fleet"
BUCKET = f"{PIPELINE}-lake-{ACCOUNT}-us-east-1"
# How many rows come of questions about any table, and of questions about sales.
ANSWERED = {"new_attributes": 12, "type_drift": 2, "revenue_by_region": 0, "top_products": 0}
ASK = """
import sys
from analytics.athena import answer_to
from analytics.question import questions

for name in sys.argv[1:]:
    one = questions()[name]
    print(name, len(list(answer_to(one.sql, one.values({})).rows)))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A laptop cloud whose chain starts at a table that held items before it had a stream."""
    checkpoint = tmp_path_factory.mktemp("backfill") / "how_far.json"
    with pytest.MonkeyPatch.context() as patched, laptop(*PARTS) as cloud:
        patched.setenv("TABLE_NAME", TABLE)
        patched.setenv("PIPELINE_NAME", PIPELINE)
        run(cloud, "docs/readings.py")
        run(cloud, "setup")
        run(cloud, "docs/readings.py")
        write_everything(cloud)
        run(cloud, "-m", "operations.backfill", "--checkpoint", str(checkpoint))
        cloud.settle()
        run(cloud, "setup/10_glue.py", "--crawl")
        yield cloud


def write_everything(cloud: Cloud) -> None:
    """Write items of every type, with names that no column may bear, and change and remove some."""
    dynamodb = cloud.client("dynamodb")
    values: tuple[tuple[str, Any], ...] = (
        ("order_id", {"N": "9" * 38}),
        ("Order-Id", {"BS": [b"\x00", b"\xff"]}),
        ("cdc_key", {"NULL": True}),
        ("dt", {"L": [{"M": {"deepInside": {"B": b""}}}, {"BOOL": False}]}),
        ("größe", {"N": "1E-130"}),
        ("Total", {"S": "not a number"}),
        ("Total", {"N": "-1.50"}),
        ("items", {"S": "not JSON"}),
    )
    for sort in (b"\x00", b"\xff\xfe", b"a" * 1024):
        key = {"sensorId": {"S": "'; DROP TABLE \u2028"}, "frameId": {"B": sort}}
        for name, value in values:
            dynamodb.put_item(TableName=TABLE, Item={**key, name: value})
    dynamodb.delete_item(TableName=TABLE, Key=key)


def asked(*command: str) -> tuple[int, str]:
    """Return exit status and output of a script of the project."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def test_the_lake_equals_a_table_that_knows_nothing_of_sales(chain: Cloud) -> None:
    assert troubles(chain) == []
    status, said = asked("-m", "operations.verify", "--wait", "0", "--json")
    verdict = json.loads(said)
    held = boto3.client("dynamodb").scan(TableName=TABLE, Select="COUNT")["Count"]
    assert (status, verdict["equal"], verdict["lake"]) == (0, True, held)


def test_its_attributes_are_columns_after_a_crawl(chain: Cloud) -> None:
    glue = chain.client("glue")
    found = glue.get_table(DatabaseName=PIPELINE, Name="changes")["Table"]["StorageDescriptor"]
    columns = {column["Name"]: column["Type"] for column in found["Columns"]}
    own = {"sensorid", "frameid", "takenat", "celsius", "measuredat__sitename", "alarmlevels"}
    assert own <= columns.keys()
    assert set(columns.values()) == {"string"}


def test_the_views_of_orders_stand_and_know_of_no_order(chain: Cloud) -> None:
    status, said = asked("-c", ASK, *ANSWERED)
    assert status == 0, said
    assert said.splitlines() == [f"{name} {rows}" for name, rows in ANSWERED.items()]


def test_the_pipeline_bears_its_own_name_and_is_well(chain: Cloud) -> None:
    status, said = asked("-m", "operations.status")
    assert status == 0, said
    status, said = asked("setup", "--check")
    assert (status, said) == (0, f"pipeline {PIPELINE} is as the scripts would make it\n")


def test_a_change_that_is_lost_is_repaired_under_a_binary_key(chain: Cloud) -> None:
    s3 = chain.client("s3")
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/")["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    status, said = asked("-m", "operations.verify", "--wait", "0", "--json")
    assert (status, json.loads(said)["lake"]) == (1, 0)
    status, said = asked("-m", "operations.verify", "--repair", "--wait", "0", "--limit", "0")
    assert "0 tombstones, 0 left" in said
    chain.settle()
    assert asked("-m", "operations.verify", "--wait", "0")[0] == 0
