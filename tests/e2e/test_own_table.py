"""An adopted table that has nothing to do with sales: composite binary key, camelCase names."""

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

TABLE = "Readings"  # These are the names in docs/own-table.md.
PIPELINE = "fleet"
BUCKET = f"{PIPELINE}-lake-{ACCOUNT}-us-east-1"
# The number of rows of two queries about any table, and of two about sales.
ROW_COUNTS = {"new_attributes": 12, "type_drift": 2, "revenue_by_region": 0, "top_products": 0}
COUNT_ROWS_SCRIPT = """
import sys
from analytics.athena import run_query
from analytics.named_queries import load_named_queries

for name in sys.argv[1:]:
    query = load_named_queries()[name]
    print(name, len(list(run_query(query.sql, query.parameter_values({})).rows)))
"""
CREATE_VIEW_SCRIPT = """
import sys
from analytics.athena import run_query

run_query(sys.argv[1])
query = "SELECT count(*), CAST(min(celsius) AS varchar) FROM current_readings"
print(*next(run_query(query).rows))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A laptop cloud on which the document's commands have adopted a table with unusual items."""
    checkpoint = tmp_path_factory.mktemp("backfill") / "checkpoint.json"
    extra_options = {
        "python -m operations.verify": ("--wait", "0"),
        "python -m operations.backfill": ("--checkpoint", str(checkpoint)),
    }
    serve, export, *scripts = commands(OWN_TABLE)
    assert serve == "python -m local --empty"
    keyword, *settings = export.split()
    assert keyword == "export"
    with pytest.MonkeyPatch.context() as patch, laptop(*SERVICES) as cloud:
        for setting in settings:
            patch.setenv(*setting.split("="))
        for command in scripts:
            if "backfill" in command:
                write_unusual_items(cloud)
            run_script(cloud, *command.split()[1:], *extra_options.get(command, ()))
            cloud.run_until_idle()
        yield cloud


def write_unusual_items(cloud: Cloud) -> None:
    """Write items of every type, with attribute names that are no column names; delete one."""
    dynamodb = cloud.client("dynamodb")
    # The values of attributes, as DynamoDB types them.
    attributes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("order_id", {"N": "9" * 38}),
        ("Order-Id", {"BS": [b"\x00", b"\xff"]}),
        ("cdc_key", {"NULL": True}),
        ("dt", {"L": [{"M": {"deepInside": {"B": b""}}}, {"BOOL": False}]}),
        ("größe", {"N": "1E-130"}),
        ("Total", {"S": "not a number"}),
        ("Total", {"N": "-1.50"}),
        ("items", {"S": "not JSON"}),
    )
    for frame_id in (b"\x00", b"\xff\xfe", b"a" * 1024):
        key = {"sensorId": {"S": "'; DROP TABLE \u2028"}, "frameId": {"B": frame_id}}
        for name, value in attributes:
            dynamodb.put_item(TableName=TABLE, Item={**key, name: value})
    dynamodb.delete_item(TableName=TABLE, Key=key)


def run_python(*args: str) -> tuple[int, str]:
    """Return Python's exit status and output, including the errors if it failed."""
    process = subprocess.run(
        [sys.executable, *args],
        cwd=PROJECT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    errors = process.stderr if process.returncode else ""
    return process.returncode, process.stdout + errors


def item_count() -> int:
    """Return the number of items in the table."""
    response = boto3.client("dynamodb").scan(TableName=TABLE, Select="COUNT")
    return response["Count"]


def test_the_lake_equals_the_adopted_table(chain: Cloud) -> None:
    assert find_problems(chain) == []
    status, output = run_python("-m", "operations.verify", "--wait", "0", "--json")
    document = json.loads(output)
    assert (status, document["equal"], document["lake"]) == (0, True, item_count())


def test_a_crawl_adds_the_attributes_as_columns(chain: Cloud) -> None:
    table = chain.client("glue").get_table(DatabaseName=PIPELINE, Name="changes")["Table"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    own_columns = {
        "sensorid",
        "frameid",
        "takenat",
        "celsius",
        "measuredat__sitename",
        "alarmlevels",
    }
    assert own_columns <= columns.keys()
    assert set(columns.values()) == {"string"}


def test_the_views_of_orders_contain_no_order(chain: Cloud) -> None:
    status, output = run_python("-c", COUNT_ROWS_SCRIPT, *ROW_COUNTS)
    assert status == 0, output
    assert output.splitlines() == [f"{name} {count}" for name, count in ROW_COUNTS.items()]


def test_the_documented_view_shows_all_items(chain: Cloud) -> None:
    (view,) = (block.text for block in blocks(OWN_TABLE) if block.language == "sql")
    status, output = run_python("-c", CREATE_VIEW_SCRIPT, view)
    assert (status, output.split()) == (0, [str(item_count()), "-0.50"])


def test_the_named_pipeline_is_healthy(chain: Cloud) -> None:
    status, output = run_python("-m", "operations.status")
    assert status == 0, output
    status, output = run_python("setup", "--check")
    assert (status, output) == (0, f"no drift: pipeline {PIPELINE} matches the scripts\n")


def test_lost_changes_of_binary_keys_are_repaired(chain: Cloud) -> None:
    s3 = chain.client("s3")
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/")["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    status, output = run_python("-m", "operations.verify", "--wait", "0", "--json")
    assert (status, json.loads(output)["lake"]) == (1, 0)
    _, output = run_python("-m", "operations.verify", "--repair", "--wait", "0", "--limit", "0")
    assert "0 tombstones, 0 left" in output
    chain.run_until_idle()
    assert run_python("-m", "operations.verify", "--wait", "0")[0] == 0
