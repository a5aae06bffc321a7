"""QuickSight: offered where it is wanted and there, and never in the way."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import boto3
import pytest

from tests.support.fake_quicksight import QuickSight
from tests.support.setup_fixture import World, a_world, names, removed

USER = "arn:aws:quicksight:us-east-1:123456789012:user/default/analyst"
BEFORE = ("03_s3", "04_iam", "10_glue", "11_athena")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("QUICKSIGHT_USER", USER)
    with a_world(tmp_path, "us-east-1", QuickSight) as made:
        yield made


def test_without_an_owner_or_a_subscription_it_says_so_and_makes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cloud.service(QuickSight).subscribed = False
    assert "has no QuickSight" in world.run("12_quicksight")[0]
    monkeypatch.delenv("QUICKSIGHT_USER")
    assert "QUICKSIGHT_USER" in world.run("12_quicksight")[0]
    assert world.cloud.service(QuickSight).things == {}


def test_in_a_region_without_quicksight_the_rest_is_made_and_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_QUICKSIGHT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    world.run("03_s3")
    assert "has no QuickSight for you here" in world.run("12_quicksight")[0]
    assert "is gone" in removed(delete_data=True)


def test_an_account_that_signed_up_in_another_region_has_it_here_too(world: World) -> None:
    text = (
        "Operation is being called from endpoint us-east-1, but your identity region is eu-west-1"
    )
    world.run(*BEFORE)
    told = {"Error": {"Code": "AccessDeniedException", "Message": text}}
    world.pretend("DescribeAccountSubscription", told)
    assert world.run("12_quicksight") == [f"QuickSight has 4 data sets of {USER}"]


def test_each_view_is_a_data_set_with_the_columns_and_types_of_the_catalog(world: World) -> None:
    world.run(*BEFORE)
    glue = boto3.client("glue")
    which = {"DatabaseName": names.DATABASE, "Name": "orders"}
    table = glue.get_table(**which)["Table"]
    types = {"order_id": "string", "total": "decimal(18,4)", "placed_at": "timestamp"}
    types |= {"n": "bigint", "sold": "boolean", "payload": "array<string>"}
    columns = [{"Name": name, "Type": kind} for name, kind in types.items()]
    table["StorageDescriptor"]["Columns"] = columns
    allowed = ("Name", "TableType", "StorageDescriptor", "ViewOriginalText", "Parameters")
    update = {name: table[name] for name in allowed}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=update)
    world.run("12_quicksight")
    things = world.cloud.service(QuickSight).things
    assert len(things) == 1 + len(names.VIEWS)
    made = things[names.arn("quicksight", "dataset/sales-cdc-orders")]
    relation = made["PhysicalTableMap"]["view"]["RelationalTable"]
    assert relation["DataSourceArn"] in things
    assert {one["Name"]: one["Type"] for one in relation["InputColumns"]} == {
        **{"order_id": "STRING", "total": "DECIMAL", "placed_at": "DATETIME"},
        **{"n": "INTEGER", "sold": "BOOLEAN", "payload": "STRING"},
    }
    assert made["Permissions"][0]["Principal"] == USER
    assert world.broken == []


def test_a_data_set_follows_its_view_and_goes_with_teardown(world: World) -> None:
    world.run(*BEFORE, "12_quicksight")
    things = world.cloud.service(QuickSight).things
    made = things[names.arn("quicksight", "dataset/sales-cdc-orders")]
    wanted = made["PhysicalTableMap"]
    made["PhysicalTableMap"] = {}
    world.run("12_quicksight")
    assert made["PhysicalTableMap"] == wanted
    removed(delete_data=False)
    assert things == {}


def test_a_source_that_could_not_be_made_is_updated(world: World) -> None:
    world.run(*BEFORE, "12_quicksight")
    source = world.cloud.service(QuickSight).things[names.arn("quicksight", "datasource/sales-cdc")]
    source["Status"] = "CREATION_FAILED"
    world.run("12_quicksight")
    assert source["Status"] == "UPDATE_SUCCESSFUL"


def test_what_another_made_stays(world: World) -> None:
    world.run(*BEFORE, "12_quicksight")
    service = world.cloud.service(QuickSight)
    service.tags = {thing: [] for thing in service.tags}
    assert len(list(import_module("setup.lib.teardown_steps").quicksight())) == len(service.things)
    assert len(service.things) == 1 + len(names.VIEWS)


def test_a_quicksight_that_knows_no_data_sets_does_not_hold_up_teardown(world: World) -> None:
    world.run("03_s3")
    told = {"Error": {"Code": "UnsupportedUserEditionException", "Message": "Not in yours."}}
    world.pretend("DescribeDataSet", *[told] * len(names.VIEWS))
    world.pretend("DescribeDataSource", told)
    assert "is gone" in removed(delete_data=True)
    assert not any(world.pretended.values())
