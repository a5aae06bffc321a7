"""QuickSight: set up where a user asks for it and the account has it, and skipped elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from setup import names
from setup.lib import views
from setup.lib.teardown_steps import delete_quicksight
from tests.support.fake_quicksight import QuickSight
from tests.support.setup_fixture import SetupSandbox, aws_client, setup_sandbox, tear_down

USER = "arn:aws:quicksight:us-east-1:123456789012:user/default/analyst"
PREREQUISITES = ("03_s3", "04_iam", "10_glue", "11_athena")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetupSandbox]:
    monkeypatch.setenv("QUICKSIGHT_USER", USER)
    with setup_sandbox(tmp_path, "us-east-1", QuickSight) as sandbox:
        yield sandbox


def test_it_is_skipped_without_owner_or_subscription(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.cloud.service(QuickSight).is_subscribed = False
    assert "see no QuickSight" in sandbox.run("12_quicksight")[0]
    monkeypatch.delenv("QUICKSIGHT_USER")
    assert "skipped: QUICKSIGHT_USER is not set" in sandbox.run("12_quicksight")[0]
    assert sandbox.cloud.service(QuickSight).resources == {}


def test_a_region_without_quicksight_is_skipped(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_QUICKSIGHT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    sandbox.run("03_s3")
    assert "see no QuickSight" in sandbox.run("12_quicksight")[0]
    assert "deleted pipeline" in tear_down(delete_data=True)


def test_a_subscription_in_another_region_counts(sandbox: SetupSandbox) -> None:
    message = (
        "Operation is being called from endpoint us-east-1, but your identity region is eu-west-1"
    )
    sandbox.run(*PREREQUISITES)
    response = {"Error": {"Code": "AccessDeniedException", "Message": message}}
    sandbox.stub("DescribeAccountSubscription", response)
    assert sandbox.run("12_quicksight") == [f"QuickSight has 4 data sets, owned by {USER}"]


def test_a_data_set_has_the_columns_of_its_view(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*PREREQUISITES)
    glue = aws_client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name="orders")["Table"]
    types = {
        "order_id": "string",
        "total": "decimal(18,4)",
        "placed_at": "timestamp",
        "n": "bigint",
        "sold": "boolean",
        "payload": "array<string>",
    }
    table["StorageDescriptor"]["Columns"] = [
        {"Name": name, "Type": athena_type} for name, athena_type in types.items()
    ]
    members = ("Name", "TableType", "StorageDescriptor", "ViewOriginalText", "Parameters")
    table_input = {member: table[member] for member in members}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=table_input)
    sandbox.run("12_quicksight")
    resources = sandbox.cloud.service(QuickSight).resources
    assert len(resources) == len(names.VIEWS)
    data_set = resources[names.arn("quicksight", "dataset/sales-cdc-orders")]
    relation = data_set["PhysicalTableMap"]["view"]["RelationalTable"]
    assert relation["DataSourceArn"] in resources
    assert {column["Name"]: column["Type"] for column in relation["InputColumns"]} == {
        "order_id": "STRING",
        "total": "DECIMAL",
        "placed_at": "DATETIME",
        "n": "INTEGER",
        "sold": "BOOLEAN",
        "payload": "STRING",
    }
    assert data_set["Permissions"][0]["Principal"] == USER
    assert sandbox.violations == []


@pytest.mark.slow
def test_a_data_set_is_updated_and_torn_down(sandbox: SetupSandbox) -> None:
    sandbox.run(*PREREQUISITES, "12_quicksight")
    resources = sandbox.cloud.service(QuickSight).resources
    data_set = resources[names.arn("quicksight", "dataset/sales-cdc-orders")]
    table_map = data_set["PhysicalTableMap"]
    data_set["PhysicalTableMap"] = {}
    sandbox.run("12_quicksight")
    assert data_set["PhysicalTableMap"] == table_map
    tear_down(delete_data=False)
    assert resources == {}


def test_a_pending_view_has_no_data_set_yet(sandbox: SetupSandbox) -> None:
    (views.ANALYTICS / "views" / "order_lines.sql").write_text(
        "CREATE OR REPLACE VIEW order_lines AS SELECT gift_note FROM changes"
    )
    *_, line = sandbox.run(*PREREQUISITES, "12_quicksight")
    assert line.startswith(f"QuickSight has 3 data sets, owned by {USER}; view order_lines is pend")
    assert len(sandbox.cloud.service(QuickSight).resources) == 1 + 3


def test_a_failed_data_source_is_updated(sandbox: SetupSandbox) -> None:
    sandbox.run(*PREREQUISITES, "12_quicksight")
    resources = sandbox.cloud.service(QuickSight).resources
    source = resources[names.arn("quicksight", "datasource/sales-cdc")]
    source["Status"] = "CREATION_FAILED"
    sandbox.run("12_quicksight")
    assert source["Status"] == "UPDATE_SUCCESSFUL"


def test_untagged_data_sets_are_kept(sandbox: SetupSandbox) -> None:
    sandbox.run(*PREREQUISITES, "12_quicksight")
    service = sandbox.cloud.service(QuickSight)
    service.tags = {arn: [] for arn in service.tags}
    lines = list(delete_quicksight())
    assert len(lines) == len(service.resources)
    assert all(line.startswith("kept QuickSight") for line in lines)
    assert len(service.resources) == len(names.VIEWS)


def test_teardown_accepts_a_limited_edition(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run("03_s3")
    response = {"Error": {"Code": "UnsupportedUserEditionException", "Message": "Not in yours."}}
    sandbox.stub("DescribeDataSet", *[response] * (len(names.VIEWS) - 1))
    sandbox.stub("DescribeDataSource", response)
    assert "deleted pipeline" in tear_down(delete_data=True)
    assert not sandbox.has_unused_stubs()
