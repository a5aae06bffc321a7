"""An adopted table that has nothing to do with sales: composite binary key, camelCase names."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest

from analytics.dashboard.page import decompress
from local.core.server import ACCOUNT, Cloud
from local.diagnostics import find_problems
from local.services.registry import SERVICES
from tests.support.documents import OWN_TABLE, commands
from tests.support.laptop_cloud import laptop
from tests.support.project_copy import ProjectCopy

pytestmark = pytest.mark.slow

TABLE = "Readings"  # These are the names in docs/own-table.md.
PIPELINE = "fleet"
BUCKET = f"{PIPELINE}-lake-{ACCOUNT}-us-east-1"
# The number of rows of two queries about any table, and of two about sales.
ROW_COUNTS = {"new_attributes": 18, "type_drift": 2, "revenue_by_region": 0, "top_products": 0}
# Attributes as a spreadsheet names them: a quantity, and a price in whole cents.
RETAIL = [(number * 37 % 101 - 20, number * 991) for number in range(1, 60)]
EXTRA_OPTIONS = {"python -m operations.verify": ["--wait", "0"]}


# Copy all days of the lake, also that of today.
COPY_ALL = """
from datetime import UTC, datetime, timedelta
from operations.compact.compaction import Compaction
from setup.names import RECENT_DAYS
for _ in range(2):
    Compaction(datetime.now(UTC).date() + timedelta(days=RECENT_DAYS), print).run()
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """A cloud on which the document's commands have adopted a table, and their outputs."""

    cloud: Cloud
    project: ProjectCopy
    outputs: dict[str, str]

    def run(self, *args: str) -> tuple[int, str]:
        """Run Python in the copied project."""
        return self.project.run(["python", *args])

    def query(self, sql: str) -> list[str]:
        """Return the rows of a query, as lines of CSV."""
        status, output = self.run("-m", "analytics.run", "--format", "csv", "--sql", sql)
        assert status == 0, output
        rows = [line for line in output.splitlines() if line.startswith('"')]
        return rows[1:]  # Without the names of the columns.


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain that the document's commands make of a table with unusual items."""
    activate, serve, export, *scripts = commands(OWN_TABLE)
    assert (activate, serve) == (". .venv/bin/activate", "python -m local --empty")
    keyword, *settings = export.split()
    assert keyword == "export"
    with pytest.MonkeyPatch.context() as patch, laptop(*SERVICES) as cloud:
        for setting in settings:
            patch.setenv(*setting.split("="))
        project = ProjectCopy(tmp_path_factory.mktemp("project"), cloud)
        chain = Chain(cloud, project, {})
        for command in scripts:
            if "backfill" in command:
                write_unusual_items(cloud)
            args = [*shlex.split(command), *EXTRA_OPTIONS.get(command, [])]
            status, chain.outputs[command] = project.run(args)
            assert status == 0, chain.outputs[command]
            cloud.run_until_idle()
            if "--save" in command:
                project.restart()
        yield chain
        project.restart()


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
        ("Part", {"S": "the copy's partition key is cdc_part"}),
        ("visits", {"M": {f"user{number}": {"N": "1"} for number in range(101)}}),
        ("x'\n; DROP TABLE changes --", {"S": "'; --"}),
    )
    for frame_id in (b"\x00", b"\xff\xfe", b"a" * 1024):
        key = {"sensorId": {"S": "'; DROP TABLE \u2028"}, "frameId": {"B": frame_id}}
        for name, value in attributes:
            dynamodb.put_item(TableName=TABLE, Item={**key, name: value})
    dynamodb.delete_item(TableName=TABLE, Key=key)
    for number, (quantity, cents) in enumerate(RETAIL):
        item: dict[str, Any] = {
            "sensorId": {"S": "retail"},
            "frameId": {"B": bytes([number])},
            "Quantité": {"N": str(quantity)},
            "Unit Price (£)": {"N": f"{cents / 100:.2f}"},
            "B2B?": {"BOOL": quantity % 2 == 1},
        }
        dynamodb.put_item(TableName=TABLE, Item=item)


def item_count() -> int:
    """Return the number of items in the table."""
    response = boto3.client("dynamodb").scan(TableName=TABLE, Select="COUNT")
    return response["Count"]


def test_the_lake_equals_the_adopted_table(chain: Chain) -> None:
    assert find_problems(chain.cloud) == []
    assert chain.run("-m", "operations.verify", "--wait", "0") == (
        0,
        f"lake equals table: {item_count()} items\n",
    )


def test_the_proposed_columns_are_described(chain: Chain) -> None:
    glue = chain.cloud.client("glue")
    table = glue.get_table(DatabaseName=PIPELINE, Name="changes")["Table"]
    columns = {column["Name"]: column for column in table["StorageDescriptor"]["Columns"]}
    assert {column["Type"] for column in columns.values()} == {"string"}
    for name, comment in {
        "sensorid": "Attribute sensorId: text",
        "measuredat__sitename": "Attribute measuredAt.siteName: text",
        "alarmlevels": "Attribute alarmLevels: JSON list of a set of numbers",
        "total": "Attribute Total: text or number",
        "visits": "Attribute visits: JSON map",
    }.items():
        assert columns[name]["Comment"] == comment
    view = glue.get_table(DatabaseName=PIPELINE, Name="current_readings")["Table"]
    types = {column["Name"]: column["Type"] for column in view["StorageDescriptor"]["Columns"]}
    assert list(types)[:2] == ["frameid", "sensorid"]  # The key comes first.
    assert (types["celsius"], types["takenat"], types["isoutdoors"]) == (
        "decimal(18,4)",
        "bigint",
        "boolean",
    )


def test_the_proposal_names_what_it_saw(chain: Chain) -> None:
    output = chain.outputs["python -m analytics.propose --save"]
    assert re.search(r"Total +N 3, S 3 +varchar +total\n", output), output
    assert "visits has more than 100 different members: one column of JSON" in output
    assert "saved setup/own_table.py and analytics/views/current_readings.sql: run pyth" in output
    assert '"visits",' in (chain.project.folder / "setup" / "own_table.py").read_text()
    status, output = chain.run("-m", "analytics.propose", "--save")
    assert (status, "current_readings.sql exists: move it away" in output) == (1, True)
    status, output = chain.run("-m", "analytics.propose", "--images", "5")
    assert (status, "--images 50 reads more" in output) == (0, True)


def test_the_proposed_view_is_exact(chain: Chain) -> None:
    total = sum(quantity * cents for quantity, cents in RETAIL)
    business = sum(quantity % 2 for quantity, _ in RETAIL)
    quantities = sum(quantity for quantity, _ in RETAIL)
    assert chain.query(
        "SELECT count(*), sum(quantite), CAST(sum(quantite * unit_price) AS decimal(38, 2)), "
        "count_if(b2b), CAST(min(celsius) AS decimal(9, 2)) FROM current_readings"
    ) == [f'"{item_count()}","{quantities}","{Decimal(total) / 100}","{business}","-0.50"']


def test_the_views_of_orders_contain_no_order(chain: Chain) -> None:
    counts = {}
    for name in ROW_COUNTS:
        status, output = chain.run("-m", "analytics.run", name, "--format", "csv")
        assert status == 0, output
        counts[name] = len([line for line in output.splitlines() if line.startswith('"')]) - 1
    assert counts == ROW_COUNTS


def test_the_dashboard_describes_any_table(chain: Chain) -> None:
    path = chain.project.folder / "dashboard.html"
    facts = page_facts(path)
    assert facts["items"]["in_table"] == [item_count()]
    assert sum(facts["changes"]["changes"]) >= item_count()
    attributes = facts["attributes"]
    assert set(attributes["value"]["texts"]) == {None, "true", "false"}
    names = attributes["attribute"]["texts"]
    expected = {
        name for item in boto3.client("dynamodb").scan(TableName=TABLE)["Items"] for name in item
    }
    assert set(names) == expected | {"measuredAt.siteName", "measuredAt.floorLevel"}
    assert chain.run("-m", "analytics.dashboard", "--out", str(path), "--with-details")[0] == 0
    assert "cellar" in page_facts(path)["attributes"]["value"]["texts"]


def page_facts(path: Path) -> dict[str, Any]:
    """Return the facts that a page contains."""
    (document,) = re.findall(r'id="facts">(.*)</script>', path.read_text())
    facts: dict[str, Any] = decompress(document)["facts"]
    return facts


def test_the_named_pipeline_is_healthy(chain: Chain) -> None:
    status, output = chain.run("-m", "operations.status")
    assert status == 0, output
    assert f"pipeline {PIPELINE} matches the 12 scripts of setup" in output


def test_the_copy_has_the_same_items(chain: Chain) -> None:
    query = "SELECT * FROM current_readings ORDER BY cdc_key"
    items = chain.query(query)
    assert chain.query("SELECT count(*) FROM state") == ['"0"']
    (chain.project.folder / "copy_all.py").write_text(COPY_ALL)
    status, output = chain.run("copy_all.py")
    assert status == 0, output
    assert chain.query("SELECT count(*) FROM recent") == ['"0"']
    assert chain.query(query) == items
    for options in ([], ["--gaps"]):
        status, output = chain.run("-m", "operations.verify", "--wait", "0", *options)
        assert (status, output.startswith("read the copy of the days before ")) == (0, True)


def test_lost_changes_of_binary_keys_are_repaired(chain: Chain) -> None:
    s3 = chain.cloud.client("s3")
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="lake/")["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    status, output = chain.run("-m", "operations.verify", "--repair", "--wait", "0", "--limit", "0")
    assert (status, "0 tombstones, 0 left" in output) == (1, True)
    chain.cloud.run_until_idle()
    assert chain.run("-m", "operations.verify", "--wait", "0")[0] == 0
