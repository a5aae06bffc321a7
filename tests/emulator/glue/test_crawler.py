"""The crawler of the laptop cloud: catalog changes, permissions, states and validation."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.glue.crawl import OBJECTS_PER_TICK, SAMPLE_BYTES
from local.services.glue.service import Glue
from local.services.iam.service import Iam
from tests.support.crawler_fixture import (
    ACCOUNT,
    CRAWLER,
    catalog_table,
    column_types,
    crawler_definition,
    create_role,
    lake_account,
    last_crawl,
    last_summary,
    log_lines,
    partitions,
    put_rows,
    role_statements,
    run_crawler,
    table_input,
)
from tests.support.iam_roles import allow
from tests.support.laptop_cloud import aws, laptop


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam, Glue) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """An account with a lake and a table over it, and no crawler."""
    with lake_account(shared_cloud):
        yield shared_cloud


def test_crawl_adds_only_columns_and_partitions(cloud: Cloud) -> None:
    before = catalog_table()
    put_rows("lake/dt=2026-11-22/a.gz", {"order_id": 1, "total": 1.5, "Gift_Note": "hello"})
    put_rows("lake/dt=2026-11-23/b", {"order_id": "SO-1", "quantity": 2}, {"quantity": 2.5})
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    after = catalog_table()
    assert column_types() == {
        "order_id": "string",
        "total": "string",
        "gift_note": "string",
        "quantity": "double",
    }
    assert after["Parameters"] == {**before["Parameters"], "UPDATED_BY_CRAWLER": "finder"}
    storage = after["StorageDescriptor"]
    assert {**storage, "Columns": before["StorageDescriptor"]["Columns"]} == before[
        "StorageDescriptor"
    ]
    assert list(partitions()) == ["2026-11-22", "2026-11-23"]
    for day, partition in partitions().items():
        location = f"s3://lake/lake/dt={day}/"
        assert partition["StorageDescriptor"] == {**storage, "Location": location}
    assert last_summary() == {"TABLE": {"UPDATE": 1}, "PARTITION": {"ADD": 2}}


def test_unchanged_lake_causes_no_writes(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"order_id": 1, "note": "x"})
    run_crawler(cloud)
    before = catalog_table(), partitions()
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert (catalog_table(), partitions()) == before
    assert last_summary() == {}


def test_inheriting_partitions_get_table_columns(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"note": "x"})
    run_crawler(cloud)
    put_rows("lake/dt=2026-11-23/a", {"later": 1})
    run_crawler(cloud)
    assert last_summary() == {"TABLE": {"UPDATE": 1}, "PARTITION": {"ADD": 1, "UPDATE": 1}}
    for partition in partitions().values():
        assert (
            partition["StorageDescriptor"]["Columns"]
            == catalog_table()["StorageDescriptor"]["Columns"]
        )


def test_inferred_types_replace_unmerged_columns(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"order_id": 1, "total": 1.5})
    run_crawler(cloud, Configuration="")
    assert column_types() == {"order_id": "int", "total": "double"}


def test_log_only_crawler_still_adds_partitions(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"note": "x"})
    before = catalog_table()
    run_crawler(cloud, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    assert catalog_table() == before
    assert list(partitions()) == ["2026-11-22"]


def test_partition_gets_columns_of_its_files(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"total": 1})
    run_crawler(cloud, Configuration='{"Version": 1}')
    columns = partitions()["2026-11-22"]["StorageDescriptor"]["Columns"]
    assert columns == [{"Name": "total", "Type": "int"}]


def test_partition_key_never_becomes_a_column(cloud: Cloud) -> None:
    put_rows("lake/dt=2026-11-22/a", {"dt": "2026-11-22", "note": "x"})
    run_crawler(cloud)
    assert "dt" not in column_types()
    assert "note" in column_types()


def test_mismatched_files_are_skipped_and_logged(cloud: Cloud) -> None:
    aws("s3").put_object(Bucket="lake", Key="lake/dt=1/broken", Body=b"not json")
    aws("s3").put_object(Bucket="lake", Key="lake/dt=1/empty", Body=b"")
    put_rows("lake/dt=2/good", {"note": "x"})
    put_rows("lake/unpartitioned", {"stray": 1})
    put_rows("lake/hour=1/other", {"stray": 1})
    put_rows("lake/dt=3/hour=1/nested", {"stray": 1})
    put_rows("lake2/dt=4/sibling", {"stray": 1})
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert list(partitions()) == ["2"]
    assert "stray" not in column_types()
    assert not any(line.startswith("ERROR") for line in log_lines())
    skipped_keys = {
        line.partition("lake/lake/")[2] for line in log_lines() if "do not match" in line
    }
    assert skipped_keys == {"dt=1/broken", "dt=3/hour=1/nested", "hour=1/other", "unpartitioned"}


def test_escaped_partition_values_are_decoded(cloud: Cloud) -> None:
    put_rows("lake/dt=a%2Fb/x", {"note": "x"})
    run_crawler(cloud)
    partition = partitions()["a/b"]
    assert partition["StorageDescriptor"]["Location"] == "s3://lake/lake/dt=a%2Fb/"


@pytest.mark.slow
def test_many_objects_are_read_in_several_ticks(cloud: Cloud) -> None:
    s3 = aws("s3")
    glue = aws("glue")
    for number in range(105):
        s3.put_object(Bucket="lake", Key=f"lake/dt={number:03}/x", Body=b'{"order_id": "a"}\n')
    glue.create_crawler(**crawler_definition())
    glue.start_crawler(Name="finder")
    ticks = sum(iter(cloud.tick, False))
    assert last_crawl()["Status"] == "SUCCEEDED"
    assert len(partitions()) == 105
    assert ticks >= 105 // OBJECTS_PER_TICK + len(["log", "read", "write", "complete", "stop"])


def test_crawler_passes_through_every_state(cloud: Cloud) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    glue = aws("glue")
    states: list[str] = []
    glue.create_crawler(**crawler_definition())
    glue.start_crawler(Name="finder")
    while True:
        state = glue.get_crawler(Name="finder")["Crawler"]["State"]
        if states[-1:] != [state]:
            states.append(state)
        if not cloud.tick():
            break
    assert states == ["RUNNING", "STOPPING", "READY"]
    lines = log_lines()
    assert lines[0] == "BENCHMARK : Running Start Crawl for Crawler finder"
    assert lines[-1] == "BENCHMARK : Crawler has finished running and is in state READY"
    assert glue.get_crawler_metrics()["CrawlerMetricsList"][0]["TablesUpdated"] == 1


def test_crawl_can_be_stopped(cloud: Cloud) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    glue = aws("glue")
    glue.create_crawler(**crawler_definition())
    assert_rejected(glue, "stop_crawler", "CrawlerNotRunningException", Name="finder")
    glue.start_crawler(Name="finder")
    cloud.tick()
    glue.stop_crawler(Name="finder")
    assert_rejected(glue, "stop_crawler", "CrawlerStoppingException", Name="finder")
    cloud.run_until_idle()
    assert last_crawl()["Status"] == "CANCELLED"
    assert partitions() == {}


def test_restart_fails_the_crawl_but_not_the_next(cloud: Cloud) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    glue = aws("glue")
    glue.create_crawler(**crawler_definition())
    glue.start_crawler(Name="finder")
    cloud.tick()
    cloud.service(Glue).restart()
    cloud.run_until_idle()
    crawl = last_crawl()
    assert (crawl["Status"], crawl["ErrorMessage"]) == ("FAILED", "Internal Service Exception")
    assert partitions() == {}
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert partitions() != {}


@pytest.mark.parametrize("missing", ["read", "write", "add", "list", "log"])
def test_each_missing_permission_fails_the_crawl(cloud: Cloud, missing: str) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    statements = role_statements()
    statement = statements.pop(missing)
    create_role(*statements.values())
    crawl = run_crawler(cloud)
    assert crawl["Status"] == "FAILED"
    message = "Service Principal: glue.amazonaws.com is not authorized to perform: "
    assert crawl["ErrorMessage"].startswith(message + statement["Action"][0])
    create_role(*role_statements().values())
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"


def test_unreadable_objects_are_only_logged(cloud: Cloud) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    statements = role_statements()
    del statements["get"]
    create_role(*statements.values())
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert partitions() == {}
    assert any("s3:GetObject" in line for line in log_lines())


def test_missing_table_fails_the_crawl(cloud: Cloud) -> None:
    targets = {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["Changes"]}]}
    aws("glue").delete_table(DatabaseName="sales", Name="changes")
    crawl = run_crawler(cloud, Targets=targets)
    assert crawl["Status"] == "FAILED"
    assert "changes" in crawl["ErrorMessage"]
    crawls = aws("glue").list_crawls(CrawlerName="finder")["Crawls"]
    assert [crawl["State"] for crawl in crawls] == ["FAILED"]


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (None, "Table changes in database sales has no location in S3"),
        ({"Location": "/lake"}, "Table changes in database sales has no location in S3"),
        ({"Location": "s3://No Bucket/x"}, 'Invalid bucket name "No Bucket"'),
        ({"Location": "s3://[x/"}, "Invalid bucket name"),
        ({"Location": "s3://absent/x"}, "The specified bucket does not exist"),
    ],
)
def test_invalid_table_location_fails_the_crawl(
    cloud: Cloud, storage: dict[str, Any] | None, message: str
) -> None:
    table = table_input(StorageDescriptor=storage)
    if storage is None:
        del table["StorageDescriptor"]
    aws("glue").delete_table(DatabaseName="sales", Name="changes")
    aws("glue").create_table(DatabaseName="sales", TableInput=table)
    any_bucket = allow("s3:GetBucketLocation s3:ListBucket", "*")
    create_role(*role_statements().values(), any_bucket)
    crawl = run_crawler(cloud)
    assert crawl["Status"] == "FAILED"
    assert message in crawl["ErrorMessage"]


def test_crawl_fails_while_s3_is_unreachable(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    put_rows("lake/dt=1/a", {"note": "x"})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    cloud._clients.clear()
    assert "Could not connect to the endpoint URL" in run_crawler(cloud)["ErrorMessage"]
    monkeypatch.undo()
    cloud._clients.clear()
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"


def test_tables_without_columns_gain_them(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.delete_table(DatabaseName="sales", Name="changes")
    no_columns = table_input(StorageDescriptor={"Location": "s3://lake/lake"})
    glue.create_table(DatabaseName="sales", TableInput=no_columns)
    glue.create_partition(
        DatabaseName="sales", TableName="changes", PartitionInput={"Values": ["1"]}
    )
    put_rows("lake/dt=1/a", {"note": "x"})
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert column_types() == {"note": "string"}
    assert partitions()["1"]["StorageDescriptor"]["Columns"] == [{"Name": "note", "Type": "string"}]


def test_long_rows_are_read_but_not_deep_json(cloud: Cloud) -> None:
    put_rows("lake/dt=1/long.gz", {"long": "x" * 2 * SAMPLE_BYTES, "after": 1})
    put_rows("lake/dt=2/long", {"long": "x" * 2 * SAMPLE_BYTES, "later": 1})
    aws("s3").put_object(Bucket="lake", Key="lake/dt=3/deep", Body=b'{"a":' + b"[" * 100_000)
    assert run_crawler(cloud)["Status"] == "SUCCEEDED"
    assert list(partitions()) == ["1", "2"]
    assert {"after", "later"} <= set(column_types())


def test_untrusting_role_fails_the_crawl(cloud: Cloud) -> None:
    aws("glue").create_crawler(**crawler_definition())
    create_role(*role_statements().values(), service="lambda")
    assert "sts:AssumeRole" in run_crawler(cloud)["ErrorMessage"]


def assert_rejected(glue: Any, operation: str, code: str, **params: Any) -> str:
    """Check the error code of a call, and return its message."""
    with pytest.raises(ClientError) as error:
        getattr(glue, operation)(**params)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def targets(**kinds: Any) -> dict[str, Any]:
    return {"Targets": {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["t"]}]} | kinds}


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"Role": "nobody"}, "Service is unable to assume provided role"),
        ({"Name": "another"}, "Service is unable to assume provided role"),  # Not the trusted ARN.
        ({"Targets": {}}, "At least one target"),
        ({"Targets": {"S3Targets": [{"Path": "s3://lake"}]}}, "S3Targets is not modelled"),
        (targets(S3Targets=[{"Path": "s3://lake"}]), "cannot be combined"),
        ({"SchemaChangePolicy": {"UpdateBehavior": "LOG"}}, "only LOG DeleteBehavior"),
        ({"SchemaChangePolicy": {"DeleteBehavior": "KEEP"}}, "may not be 'KEEP'"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "only apply to Amazon"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVENT_MODE"}}, "not modelled"),
        ({"Schedule": "cron(0 1 * * ? *)"}, "Schedule .* is not modelled"),
        ({"Configuration": "{"}, "not valid JSON"),
        ({"Configuration": "{}"}, "Version"),
        ({"Configuration": '{"Version": 2.0}'}, "Version may not be 2.0"),
        ({"Configuration": '{"Version": 1.0, "Output": {}}'}, "unsupported keys: Output"),
        (
            {
                "Configuration": '{"Version": 1, "CrawlerOutput": '
                '{"Partitions": {"UpdateBehavior": "InheritFromTable"}}}'
            },
            "CrawlerOutput.Partitions contains unsupported keys: UpdateBehavior",
        ),
        ({"Configuration": '{"Version": 1, "Grouping": {"TableLevelConfiguration": "3"}}'}, "int"),
    ],
)
def test_invalid_crawler_is_rejected(cloud: Cloud, invalid: dict[str, Any], message: str) -> None:
    glue = aws("glue")
    definition = crawler_definition(**invalid)
    error_message = assert_rejected(glue, "create_crawler", "InvalidInputException", **definition)
    assert re.search(message, error_message)
    assert glue.list_crawlers()["CrawlerNames"] == []
    if "Name" not in invalid:
        glue.create_crawler(**crawler_definition())
        assert_rejected(glue, "update_crawler", "InvalidInputException", Name="finder", **invalid)


def test_update_changes_only_named_members(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**crawler_definition(Description="first"))
    before = glue.get_crawler(Name="finder")["Crawler"]
    role = f"arn:aws:iam::{ACCOUNT}:role/finder"
    glue.update_crawler(Name="finder", Description="second", Role=role)
    after = glue.get_crawler(Name="finder")["Crawler"]
    assert (after["Description"], after["Version"]) == ("second", 2)
    for member in ("Targets", "Configuration", "SchemaChangePolicy", "CreationTime", "Role"):
        assert after[member] == before[member]


def test_running_crawler_cannot_be_changed(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**crawler_definition())
    assert_rejected(glue, "create_crawler", "AlreadyExistsException", **crawler_definition())
    glue.start_crawler(Name="finder")
    for operation in ("start_crawler", "update_crawler", "delete_crawler"):
        assert_rejected(glue, operation, "CrawlerRunningException", Name="finder")


@pytest.mark.parametrize(
    "operation",
    ["get_crawler", "start_crawler", "stop_crawler", "update_crawler", "delete_crawler"],
)
def test_unknown_crawler_does_not_exist(cloud: Cloud, operation: str) -> None:
    assert_rejected(aws("glue"), operation, "EntityNotFoundException", Name="nobody")


def test_deleting_a_crawler_deletes_its_tags(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**crawler_definition(Tags={"pipeline": "x"}))
    assert glue.get_tags(ResourceArn=CRAWLER)["Tags"] == {"pipeline": "x"}
    assert glue.list_crawlers(Tags={"pipeline": "x"})["CrawlerNames"] == ["finder"]
    assert glue.list_crawlers(Tags={"pipeline": "y"})["CrawlerNames"] == []
    glue.delete_crawler(Name="finder")
    assert glue.get_tags(ResourceArn=CRAWLER)["Tags"] == {}
    response = glue.batch_get_crawlers(CrawlerNames=["finder"])
    assert response["Crawlers"] == []
    assert response["CrawlersNotFound"] == ["finder"]


def test_crawls_are_paged_newest_first(cloud: Cloud) -> None:
    started_ids = [run_crawler(cloud)["MessagePrefix"] for _ in range(3)]
    glue = aws("glue")
    first_page = glue.list_crawls(CrawlerName="finder", MaxResults=2)
    last_page = glue.list_crawls(
        CrawlerName="finder", MaxResults=2, NextToken=first_page["NextToken"]
    )
    assert "NextToken" not in last_page
    listed_ids = [crawl["CrawlId"] for crawl in first_page["Crawls"] + last_page["Crawls"]]
    assert listed_ids == started_ids[::-1]
    assert_rejected(
        glue, "list_crawls", "InvalidInputException", CrawlerName="finder", NextToken="next"
    )


def test_schedule_operations_are_rejected(cloud: Cloud) -> None:
    glue = aws("glue")
    message = assert_rejected(
        glue, "start_crawler_schedule", "InvalidInputException", CrawlerName="finder"
    )
    assert "not modelled" in message


def test_catalog_names_are_case_insensitive(cloud: Cloud) -> None:
    glue = aws("glue")
    assert glue.get_table(DatabaseName="SALES", Name="CHANGES")["Table"]["Name"] == "changes"
    assert glue.get_database(Name="SALES")["Database"]["Name"] == "sales"
