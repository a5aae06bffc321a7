"""The catalog and Athena: what crawlers and users added survives, what they spoiled is mended."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.setup_fixture import QUESTION, SetupError, World, a_world, changes, names

ANALYSED = ("03_s3", "04_iam", "10_glue", "11_athena")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def test_columns_that_a_crawler_added_survive_and_every_column_stays_text(world: World) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    glue = boto3.client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    descriptor = table["StorageDescriptor"]
    descriptor["Columns"] = [
        {"Name": "gift_note", "Type": "string", "Comment": "found"},
        {"Name": "total", "Type": "double"},
    ]
    changed = {"Name": names.CHANGES, "StorageDescriptor": descriptor, "TableType": "OTHER"}
    changed["Parameters"] = {"UPDATED_BY_CRAWLER": names.CRAWLER, "projection.enabled": "false"}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=changed)
    world.run("10_glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    columns = {each["Name"]: each for each in table["StorageDescriptor"]["Columns"]}
    assert set(columns) == {"gift_note", *names.COLUMNS}
    assert columns["gift_note"]["Comment"] == "found"
    assert {each["Type"] for each in columns.values()} == {"string"}
    assert table["Parameters"]["projection.enabled"] == "true"
    assert table["Parameters"]["UPDATED_BY_CRAWLER"] == names.CRAWLER


def test_a_crawl_succeeds_and_finds_a_table_that_it_spoiled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    crawl = import_module("setup.lib.run_crawler")
    assert crawl.crawl() == "crawl succeeded: table changes has all columns"
    table = crawl.table(boto3.client("glue"))
    del table["Parameters"]["projection.enabled"]
    with pytest.raises(SetupError, match=r"changed Parameters of table changes: run .*10_glue"):
        crawl.check(table)


def test_a_crawl_tells_of_days_that_athena_would_not_see(world: World) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    boto3.client("s3").put_object(Bucket=names.bucket(), Key="lake/dt=2016-11-18/a.gz", Body=b"")
    with pytest.raises(SetupError, match="set FIRST_DAY"):
        import_module("setup.lib.run_crawler").crawl()


@pytest.mark.parametrize(("spoiled", "updates"), [({}, 0), ({"Grouping": {}}, 1)])
def test_a_crawler_is_changed_only_where_its_rules_mean_something_else(
    world: World, spoiled: dict[str, Any], updates: int
) -> None:
    """AWS writes the text of the rules anew."""
    world.run("03_s3", "04_iam", "10_glue")
    found = boto3.client("glue").get_crawler(Name=names.CRAWLER)
    rules = json.loads(found["Crawler"]["Configuration"]) | {"More": True} | spoiled
    anew = json.dumps(dict(reversed(rules.items())), separators=(",", ":"))
    found["Crawler"]["Configuration"] = anew
    world.pretend("GetCrawler", found)
    del world.asked[:]
    world.run("10_glue")
    assert changes(world.asked) == [("glue", "UpdateCrawler")] * updates


def test_named_queries_are_updated_and_the_users_own_left_alone(world: World) -> None:
    world.run(*ANALYSED)
    athena = boto3.client("athena")
    common = {"Database": names.DATABASE, "WorkGroup": names.WORKGROUP}
    athena.create_named_query(Name="mine", QueryString="SELECT 1", **common)
    folder = import_module("setup.11_athena").ANALYTICS / "questions"
    (folder / "how_many.sql").write_text(QUESTION.replace("*", "1"))
    world.run("11_athena")
    ids = athena.list_named_queries(WorkGroup=names.WORKGROUP)["NamedQueryIds"]
    saved = [athena.get_named_query(NamedQueryId=found)["NamedQuery"] for found in ids]
    assert sorted((query["Name"], query["QueryString"]) for query in saved) == [
        ("how_many", QUESTION.replace("*", "1")),
        ("mine", "SELECT 1"),
    ]
    described = {query["Name"]: query.get("Description") for query in saved}
    assert described["how_many"] == "How many changes there are."


def test_a_view_that_athena_refuses_is_named_with_the_reason(world: World) -> None:
    world.run(*ANALYSED[:-1])
    views = import_module("setup.11_athena").ANALYTICS / "views"
    (views / "orders.sql").write_text("CREATE OR REPLACE VIEW orders AS SELECT nothing FROM lost")
    with pytest.raises(SetupError, match=r"view orders: expected SUCCEEDED, found FAILED: .+"):
        world.run("11_athena")


def test_a_view_is_made_again_when_one_that_it_may_use_changed(world: World) -> None:
    """With its columns as they were, Athena would call it stale."""
    world.run(*ANALYSED)
    first = import_module("setup.11_athena").ANALYTICS / "views" / f"{names.VIEWS[0]}.sql"
    first.write_text(first.read_text().replace("order_id", "length(order_id) AS order_id"))
    world.run("11_athena")
    glue = boto3.client("glue")
    for view in names.VIEWS:
        table = glue.get_table(DatabaseName=names.DATABASE, Name=view)["Table"]
        assert [one["Type"] for one in table["StorageDescriptor"]["Columns"]] == ["bigint"], view


def test_a_view_is_made_again_when_its_statement_changed_or_somebody_replaced_it(
    world: World,
) -> None:
    world.run(*ANALYSED)
    view = {"DatabaseName": names.DATABASE, "Name": "orders"}
    parameters = boto3.client("glue").get_table(**view)["Table"]["Parameters"]
    assert parameters["presto_view"] == "true"  # What Athena set is still there.
    path = import_module("setup.11_athena").ANALYTICS / "views" / "orders.sql"
    path.write_text("CREATE OR REPLACE VIEW orders AS SELECT order_id, status FROM changes")
    world.run("11_athena")
    columns = boto3.client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["order_id", "status"]
    boto3.client("athena").start_query_execution(
        QueryString="CREATE OR REPLACE VIEW orders AS SELECT 1 AS one",
        QueryExecutionContext={"Database": names.DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=names.WORKGROUP,
    )
    world.run_until_idle()
    world.run("11_athena")
    assert (
        boto3.client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"] == columns
    )
