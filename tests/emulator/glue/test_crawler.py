"""The laptop's crawler: what a crawl changes in the catalog, what it needs, what is refused."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.glue.crawl import A_STEP, READ
from local.services.glue.service import Glue
from local.services.iam.service import Iam
from tests.support.crawler_fixture import (
    ACCOUNT,
    CRAWLER,
    catalog_table,
    column_types,
    crawled,
    definition,
    furnished,
    last_summary,
    log_lines,
    make_role,
    partitions,
    permissions,
    put,
    table_input,
)
from tests.support.iam_roles import allow
from tests.support.laptop_cloud import aws, laptop


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, Glue) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """An account with a lake and a table over it, and no crawler."""
    with furnished(running):
        yield running


def test_a_crawl_adds_new_columns_and_partitions_and_changes_nothing_else(cloud: Cloud) -> None:
    before = catalog_table()
    put("lake/dt=2026-11-22/a.gz", {"order_id": 1, "total": 1.5, "Gift_Note": "hello"})
    put("lake/dt=2026-11-23/b", {"order_id": "SO-1", "quantity": 2}, {"quantity": 2.5})
    assert crawled(cloud)["Status"] == "SUCCEEDED"
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


def test_a_crawl_that_finds_nothing_new_writes_nothing(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"order_id": 1, "note": "x"})
    crawled(cloud)
    before = catalog_table(), partitions()
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert (catalog_table(), partitions()) == before
    assert last_summary() == {}


def test_partitions_follow_the_table_they_inherit_from(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"note": "x"})
    crawled(cloud)
    put("lake/dt=2026-11-23/a", {"later": 1})
    crawled(cloud)
    assert last_summary() == {"TABLE": {"UPDATE": 1}, "PARTITION": {"ADD": 1, "UPDATE": 1}}
    for partition in partitions().values():
        assert (
            partition["StorageDescriptor"]["Columns"]
            == catalog_table()["StorageDescriptor"]["Columns"]
        )


def test_without_merging_the_inferred_types_replace_those_of_the_table(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"order_id": 1, "total": 1.5})
    crawled(cloud, Configuration="")
    assert column_types() == {"order_id": "int", "total": "double"}


def test_a_crawler_that_only_logs_still_adds_partitions(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"note": "x"})
    before = catalog_table()
    crawled(cloud, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    assert catalog_table() == before
    assert list(partitions()) == ["2026-11-22"]


def test_partitions_that_do_not_inherit_have_the_columns_of_their_own_files(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"total": 1})
    crawled(cloud, Configuration='{"Version": 1}')
    own = partitions()["2026-11-22"]["StorageDescriptor"]["Columns"]
    assert own == [{"Name": "total", "Type": "int"}]


def test_a_partition_key_never_becomes_a_column(cloud: Cloud) -> None:
    put("lake/dt=2026-11-22/a", {"dt": "2026-11-22", "note": "x"})
    crawled(cloud)
    assert "dt" not in column_types()
    assert "note" in column_types()


def test_what_is_no_json_or_lies_elsewhere_is_left_alone_and_told(cloud: Cloud) -> None:
    aws("s3").put_object(Bucket="lake", Key="lake/dt=1/broken", Body=b"not json")
    aws("s3").put_object(Bucket="lake", Key="lake/dt=1/empty", Body=b"")
    put("lake/dt=2/good", {"note": "x"})
    put("lake/unpartitioned", {"stray": 1})
    put("lake/hour=1/other", {"stray": 1})
    put("lake/dt=3/hour=1/deeper", {"stray": 1})
    put("lake2/dt=4/sibling", {"stray": 1})
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert list(partitions()) == ["2"]
    assert "stray" not in column_types()
    assert not any(line.startswith("ERROR") for line in log_lines())
    told = {line.partition("lake/lake/")[2] for line in log_lines() if "do not match" in line}
    assert told == {"dt=1/broken", "dt=3/hour=1/deeper", "hour=1/other", "unpartitioned"}


def test_escaped_partition_values_are_read_and_their_folders_kept(cloud: Cloud) -> None:
    put("lake/dt=a%2Fb/x", {"note": "x"})
    crawled(cloud)
    partition = partitions()["a/b"]
    assert partition["StorageDescriptor"]["Location"] == "s3://lake/lake/dt=a%2Fb/"


def test_hundreds_of_objects_are_read_in_steps_and_their_partitions_added(cloud: Cloud) -> None:
    s3, glue = aws("s3"), aws("glue")
    for number in range(105):
        s3.put_object(Bucket="lake", Key=f"lake/dt={number:03}/x", Body=b'{"order_id": "a"}\n')
    glue.create_crawler(**definition())
    glue.start_crawler(Name="finder")
    steps = sum(iter(cloud.tick, False))
    assert glue.get_crawler(Name="finder")["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"
    assert len(partitions()) == 105
    assert steps >= 105 // A_STEP + len(["log", "read", "write", "tell", "rest"])


def test_each_state_can_be_seen(cloud: Cloud) -> None:
    put("lake/dt=1/a", {"note": "x"})
    glue, seen = aws("glue"), []
    glue.create_crawler(**definition())
    glue.start_crawler(Name="finder")
    while True:
        state = glue.get_crawler(Name="finder")["Crawler"]["State"]
        seen += [] if seen[-1:] == [state] else [state]
        if not cloud.tick():
            break
    assert seen == ["RUNNING", "STOPPING", "READY"]
    lines = log_lines()
    assert lines[0] == "BENCHMARK : Running Start Crawl for Crawler finder"
    assert lines[-1] == "BENCHMARK : Crawler has finished running and is in state READY"
    assert glue.get_crawler_metrics()["CrawlerMetricsList"][0]["TablesUpdated"] == 1


def test_a_crawl_can_be_stopped(cloud: Cloud) -> None:
    put("lake/dt=1/a", {"note": "x"})
    glue = aws("glue")
    glue.create_crawler(**definition())
    refused(glue, "stop_crawler", "CrawlerNotRunningException", Name="finder")
    glue.start_crawler(Name="finder")
    cloud.tick()
    glue.stop_crawler(Name="finder")
    refused(glue, "stop_crawler", "CrawlerStoppingException", Name="finder")
    cloud.run_until_idle()
    assert glue.get_crawler(Name="finder")["Crawler"]["LastCrawl"]["Status"] == "CANCELLED"
    assert partitions() == {}


def test_a_crawl_fails_when_its_crawler_is_killed_and_the_next_finds_all(cloud: Cloud) -> None:
    put("lake/dt=1/a", {"note": "x"})
    glue = aws("glue")
    glue.create_crawler(**definition())
    glue.start_crawler(Name="finder")
    cloud.tick()
    cloud.service(Glue).restart()
    cloud.run_until_idle()
    last = glue.get_crawler(Name="finder")["Crawler"]["LastCrawl"]
    assert (last["Status"], last["ErrorMessage"]) == ("FAILED", "Internal Service Exception")
    assert partitions() == {}
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert partitions() != {}


@pytest.mark.parametrize("missing", ["read", "write", "add", "list", "log"])
def test_a_crawl_fails_without_each_permission_it_needs(cloud: Cloud, missing: str) -> None:
    put("lake/dt=1/a", {"note": "x"})
    left_out = permissions().pop(missing)
    make_role(*(each for key, each in permissions().items() if key != missing))
    crawl = crawled(cloud)
    assert crawl["Status"] == "FAILED"
    sentence = "Service Principal: glue.amazonaws.com is not authorized to perform: "
    assert crawl["ErrorMessage"].startswith(sentence + left_out["Action"][0])
    make_role(*permissions().values())
    assert crawled(cloud)["Status"] == "SUCCEEDED"


def test_objects_that_may_not_be_read_are_passed_over_in_silence(cloud: Cloud) -> None:
    put("lake/dt=1/a", {"note": "x"})
    make_role(*(each for key, each in permissions().items() if key != "get"))
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert partitions() == {}
    assert any("s3:GetObject" in line for line in log_lines())


def test_a_missing_table_fails_the_crawl(cloud: Cloud) -> None:
    targets = {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["Changes"]}]}
    aws("glue").delete_table(DatabaseName="sales", Name="changes")
    crawl = crawled(cloud, Targets=targets)
    assert (crawl["Status"], "changes" in crawl["ErrorMessage"]) == ("FAILED", True)
    runs = aws("glue").list_crawls(CrawlerName="finder")["Crawls"]
    assert [run["State"] for run in runs] == ["FAILED"]


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        (None, "Table changes in database sales has no location in S3"),
        ({"Location": "/lake"}, "Table changes in database sales has no location in S3"),
        ({"Location": "s3://No Bucket/x"}, 'Invalid bucket name "No Bucket"'),
        ({"Location": "s3://[x/"}, "Invalid bucket name"),
        ({"Location": "s3://absent/x"}, "The specified bucket does not exist"),
    ],
)
def test_a_table_that_lies_nowhere_fails_the_crawl(
    cloud: Cloud, storage: dict[str, Any] | None, said: str
) -> None:
    told = table_input(StorageDescriptor=storage)
    aws("glue").delete_table(DatabaseName="sales", Name="changes")
    aws("glue").create_table(
        DatabaseName="sales", TableInput={k: v for k, v in told.items() if v is not None}
    )
    here = allow("s3:GetBucketLocation s3:ListBucket", "*")
    make_role(*permissions().values(), here)
    crawl = crawled(cloud)
    assert (crawl["Status"], said in crawl["ErrorMessage"]) == ("FAILED", True)


def test_a_crawl_fails_while_s3_cannot_be_reached(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("lake/dt=1/a", {"note": "x"})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    cloud._clients.clear()
    assert "Could not connect to the endpoint URL" in crawled(cloud)["ErrorMessage"]
    monkeypatch.undo()
    cloud._clients.clear()
    assert crawled(cloud)["Status"] == "SUCCEEDED"


def test_a_table_or_partition_that_lacks_columns_gains_them(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.delete_table(DatabaseName="sales", Name="changes")
    bare = table_input(StorageDescriptor={"Location": "s3://lake/lake"})
    glue.create_table(DatabaseName="sales", TableInput=bare)
    glue.create_partition(
        DatabaseName="sales", TableName="changes", PartitionInput={"Values": ["1"]}
    )
    put("lake/dt=1/a", {"note": "x"})
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert column_types() == {"note": "string"}
    assert partitions()["1"]["StorageDescriptor"]["Columns"] == [{"Name": "note", "Type": "string"}]


def test_a_row_longer_than_a_megabyte_is_read_and_nonsense_is_passed_over(cloud: Cloud) -> None:
    put("lake/dt=1/long.gz", {"long": "x" * 2 * READ, "after": 1})
    put("lake/dt=2/long", {"long": "x" * 2 * READ, "later": 1})
    aws("s3").put_object(Bucket="lake", Key="lake/dt=3/deep", Body=b'{"a":' + b"[" * 100_000)
    assert crawled(cloud)["Status"] == "SUCCEEDED"
    assert list(partitions()) == ["1", "2"]
    assert {"after", "later"} <= set(column_types())


def test_a_role_that_no_longer_trusts_glue_fails_the_crawl(cloud: Cloud) -> None:
    aws("glue").create_crawler(**definition())
    make_role(*permissions().values(), service="lambda")
    assert "sts:AssumeRole" in crawled(cloud)["ErrorMessage"]


def refused(glue: Any, operation: str, code: str, **params: Any) -> str:
    with pytest.raises(ClientError) as error:
        getattr(glue, operation)(**params)
    assert error.value.response["Error"]["Code"] == code
    return error.value.response["Error"]["Message"]


def targets(**kinds: Any) -> dict[str, Any]:
    return {"Targets": {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["t"]}]} | kinds}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Role": "nobody"}, "Service is unable to assume provided role"),
        ({"Name": "another"}, "Service is unable to assume provided role"),  # Its ARN is another.
        ({"Targets": {}}, "At least one target"),
        ({"Targets": {"S3Targets": [{"Path": "s3://lake"}]}}, "S3Targets are not modelled"),
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
def test_a_wrong_crawler_is_refused(cloud: Cloud, wrong: dict[str, Any], message: str) -> None:
    glue = aws("glue")
    said = refused(glue, "create_crawler", "InvalidInputException", **definition(**wrong))
    assert re.search(message, said)
    assert glue.list_crawlers()["CrawlerNames"] == []
    if "Name" not in wrong:
        glue.create_crawler(**definition())
        refused(glue, "update_crawler", "InvalidInputException", Name="finder", **wrong)


def test_an_update_changes_what_it_names_and_keeps_the_rest(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**definition(Description="first"))
    before = glue.get_crawler(Name="finder")["Crawler"]
    role = f"arn:aws:iam::{ACCOUNT}:role/finder"
    glue.update_crawler(Name="finder", Description="second", Role=role)
    after = glue.get_crawler(Name="finder")["Crawler"]
    assert (after["Description"], after["Version"]) == ("second", 2)
    for same in ("Targets", "Configuration", "SchemaChangePolicy", "CreationTime", "Role"):
        assert after[same] == before[same]


def test_a_crawler_is_left_alone_while_it_runs(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**definition())
    refused(glue, "create_crawler", "AlreadyExistsException", **definition())
    glue.start_crawler(Name="finder")
    for operation in ("start_crawler", "update_crawler", "delete_crawler"):
        refused(glue, operation, "CrawlerRunningException", Name="finder")


@pytest.mark.parametrize(
    "operation",
    ["get_crawler", "start_crawler", "stop_crawler", "update_crawler", "delete_crawler"],
)
def test_an_unknown_crawler_does_not_exist(cloud: Cloud, operation: str) -> None:
    refused(aws("glue"), operation, "EntityNotFoundException", Name="nobody")


def test_a_crawler_carries_its_tags_until_it_is_deleted(cloud: Cloud) -> None:
    glue = aws("glue")
    glue.create_crawler(**definition(Tags={"pipeline": "x"}))
    assert glue.get_tags(ResourceArn=CRAWLER)["Tags"] == {"pipeline": "x"}
    assert glue.list_crawlers(Tags={"pipeline": "x"})["CrawlerNames"] == ["finder"]
    assert glue.list_crawlers(Tags={"pipeline": "y"})["CrawlerNames"] == []
    glue.delete_crawler(Name="finder")
    assert glue.get_tags(ResourceArn=CRAWLER)["Tags"] == {}
    found = glue.batch_get_crawlers(CrawlerNames=["finder"])
    assert (found["Crawlers"], found["CrawlersNotFound"]) == ([], ["finder"])


def test_crawls_are_listed_newest_first_and_by_pages(cloud: Cloud) -> None:
    started = [crawled(cloud)["MessagePrefix"] for _ in range(3)]
    glue, found, token = aws("glue"), [], {}
    while True:
        page = glue.list_crawls(CrawlerName="finder", MaxResults=2, **token)
        found += [run["CrawlId"] for run in page["Crawls"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    refused(glue, "list_crawls", "InvalidInputException", CrawlerName="finder", NextToken="next")
    assert found == started[::-1]


def test_operations_on_schedules_are_refused_loudly(cloud: Cloud) -> None:
    glue = aws("glue")
    said = refused(glue, "start_crawler_schedule", "InvalidInputException", CrawlerName="finder")
    assert "not modelled" in said


def test_a_table_is_found_by_its_name_in_any_case(cloud: Cloud) -> None:
    glue = aws("glue")
    assert glue.get_table(DatabaseName="SALES", Name="CHANGES")["Table"]["Name"] == "changes"
    assert glue.get_database(Name="SALES")["Database"]["Name"] == "sales"
