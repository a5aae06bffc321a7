"""A lake with a catalog table, and a crawler of the laptop cloud that tests run over it."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.core.server import Cloud
from tests.support.iam_roles import allow, grant, trust
from tests.support.laptop_cloud import aws, empty_account

ACCOUNT = "123456789012"
REGION = "us-east-1"
CRAWLER = f"arn:aws:glue:{REGION}:{ACCOUNT}:crawler/finder"
MERGE_CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
}


@contextmanager
def lake_account(shared_cloud: Cloud) -> Iterator[Cloud]:
    """Yield an account with a lake, a table over it and a crawler's role, but no crawler."""
    empty_account()
    aws("s3").create_bucket(Bucket="lake")
    glue = aws("glue")
    glue.create_database(DatabaseInput={"Name": "Sales"})
    glue.create_table(DatabaseName="sales", TableInput=table_input())
    create_role(*role_statements().values())
    yield shared_cloud
    shared_cloud.run_until_idle()
    for crawler in glue.get_crawlers()["Crawlers"]:
        glue.delete_crawler(Name=crawler["Name"])


def table_input(**members: Any) -> dict[str, Any]:
    return {
        "Name": "Changes",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "Parameters": {"classification": "json", "projection.enabled": "true"},
        "StorageDescriptor": {
            "Columns": [
                {"Name": "order_id", "Type": "string"},
                {"Name": "total", "Type": "string"},
            ],
            "Location": "s3://lake/lake",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe",
            },
        },
        **members,
    }


def role_statements() -> dict[str, dict[str, Any]]:
    """Return the policy statements of the crawler's role by purpose."""
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    catalog = [f"{glue}:catalog", f"{glue}:database/sales", f"{glue}:table/sales/changes"]
    log_group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-glue/crawlers:*"
    return {
        "read": allow("glue:GetDatabase glue:GetTable glue:BatchGetPartition", *catalog),
        "write": allow("glue:UpdateTable", *catalog),
        "add": allow("glue:BatchCreatePartition", *catalog),
        "refresh": allow("glue:UpdatePartition", *catalog),
        "list": allow("s3:GetBucketLocation s3:ListBucket", "arn:aws:s3:::lake"),
        "get": allow("s3:GetObject", "arn:aws:s3:::lake/lake/*"),
        "log": allow("logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", log_group),
    }


def create_role(*statements: dict[str, Any], service: str = "glue") -> None:
    """Create or replace the role `finder`, which only the crawler `finder` may assume."""
    iam = aws("iam")
    trust_policy = trust(service, Condition={"ArnLike": {"aws:SourceArn": CRAWLER}})
    try:
        iam.create_role(RoleName="finder", AssumeRolePolicyDocument=trust_policy)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName="finder", PolicyDocument=trust_policy)
    grant("finder", *statements)


def put_rows(key: str, *rows: Any) -> None:
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if key.endswith(".gz"):
        body = gzip.compress(body)
    aws("s3").put_object(Bucket="lake", Key=key, Body=body)


def crawler_definition(**members: Any) -> dict[str, Any]:
    return {
        "Name": "finder",
        "Role": "finder",
        "Targets": {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["changes"]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "Configuration": json.dumps(MERGE_CONFIGURATION),
        **members,
    }


def run_crawler(cloud: Cloud, **members: Any) -> dict[str, Any]:
    """Run the crawler `finder`, creating it if necessary, and return its last crawl."""
    glue = aws("glue")
    if members or not glue.list_crawlers()["CrawlerNames"]:
        glue.create_crawler(**crawler_definition(**members))
    glue.start_crawler(Name="finder")
    cloud.run_until_idle()
    return last_crawl()


def last_crawl() -> dict[str, Any]:
    crawl: dict[str, Any] = aws("glue").get_crawler(Name="finder")["Crawler"]["LastCrawl"]
    return crawl


def catalog_table() -> dict[str, Any]:
    table: dict[str, Any] = aws("glue").get_table(DatabaseName="sales", Name="changes")["Table"]
    return table


def column_types() -> dict[str, str]:
    columns = catalog_table()["StorageDescriptor"]["Columns"]
    return {column["Name"]: column["Type"] for column in columns}


def partitions() -> dict[str, Any]:
    """Return the table's partitions by their values, joined by slashes."""
    paginator = aws("glue").get_paginator("get_partitions")
    response = paginator.paginate(DatabaseName="sales", TableName="changes").build_full_result()
    return {"/".join(partition["Values"]): partition for partition in response["Partitions"]}


def log_lines() -> list[str]:
    response = aws("logs").get_log_events(logGroupName="/aws-glue/crawlers", logStreamName="finder")
    return [event["message"].partition("] ")[2] for event in response["events"]]


def last_summary() -> Any:
    return json.loads(aws("glue").list_crawls(CrawlerName="finder")["Crawls"][0]["Summary"])
