"""A table that has nothing to do with sales, adopted by its name: binary sort key, camelCase."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.core.server import ACCOUNT, Cloud
from local.demo import run_script
from local.diagnostics import find_problems
from local.services.registry import SERVICES
from tests.support.documents import OWN_TABLE, blocks, commands
from tests.support.laptop_cloud import laptop
from tests.support.paths import PROJECT

TABLE, PIPELINE = "Readings", "fleet"  # as docs/own-table.md has it
BUCKET = f"{PIPELINE}-lake-{ACCOUNT}-us-east-1"
# How many rows come of questions about any table, and of questions about sales.
ANSWERED = {"new_attributes": 12, "type_drift": 2, "revenue_by_region": 0, "top_products": 0}
ASK = """
import sys
from analytics.athena import run_query
from analytics.named_queries import load_named_queries

for name in sys.argv[1:]:
    query = load_named_queries()[name]
    print(name, len(list(run_query(query.sql, query.parameter_values({})).rows)))
"""
SEE = """
import sys
from analytics.athena import run_query

run_query(sys.argv[1])
counted = "SELECT count(*), CAST(min(celsius) AS varchar) FROM current_readings"
print(*next(run_query(counted).rows))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A laptop cloud on which the document's commands have adopted a table, and we wrote more."""
    folder = tmp_path_factory.mktemp("backfill")
    more = {"python -m operations.verify": ("--wait", "0")}
    more["python -m operations.backfill"] = ("--checkpoint", str(folder / "how_far.json"))
    serve, settings, *scripts = commands(OWN_TABLE)
    assert (serve, settings.split()[0]) == ("python -m local --empty", "export")
    with pytest.MonkeyPatch.context() as patched, laptop(*SERVICES) as cloud:
        for setting in settings.split()[1:]:
            patched.setenv(*setting.split("="))
        for command in scripts:
            if "backfill" in command:
                write_everything(cloud)
            run_script(cloud, *command.split()[1:], *more.get(command, ()))
            cloud.run_until_idle()
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
    assert find_problems(chain) == []
    status, said = asked("-m", "operations.verify", "--wait", "0", "--json")
    verdict = json.loads(said)
    assert (status, verdict["equal"], verdict["lake"]) == (0, True, held())


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


def test_the_readmes_view_shows_what_the_table_holds(chain: Cloud) -> None:
    (view,) = [block.text for block in blocks(OWN_TABLE) if block.language == "sql"]
    status, said = asked("-c", SEE, view)
    assert (status, said.split()) == (0, [str(held()), "-0.50"])


def held() -> int:
    """Return how many items the table holds."""
    return boto3.client("dynamodb").scan(TableName=TABLE, Select="COUNT")["Count"]


def test_the_pipeline_bears_its_own_name_and_is_well(chain: Cloud) -> None:
    status, said = asked("-m", "operations.status")
    assert status == 0, said
    status, said = asked("setup", "--check")
    assert (status, said) == (0, f"no drift: pipeline {PIPELINE} matches the scripts\n")


def test_a_change_that_is_lost_is_repaired_under_a_binary_key(chain: Cloud) -> None:
    s3 = chain.client("s3")
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/")["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    status, said = asked("-m", "operations.verify", "--wait", "0", "--json")
    assert (status, json.loads(said)["lake"]) == (1, 0)
    status, said = asked("-m", "operations.verify", "--repair", "--wait", "0", "--limit", "0")
    assert "0 tombstones, 0 left" in said
    chain.run_until_idle()
    assert asked("-m", "operations.verify", "--wait", "0")[0] == 0
