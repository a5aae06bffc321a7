"""A lake, a table over it and a crawler of the laptop, and what tests ask of them."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.core.server import Cloud
from tests.support.iam_roles import allow, grant, trust
from tests.support.laptop_cloud import aws, empty_account

ACCOUNT, REGION = "123456789012", "us-east-1"
CRAWLER = f"arn:aws:glue:{REGION}:{ACCOUNT}:crawler/finder"
MERGE = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
}


@contextmanager
def furnished(running: Cloud) -> Iterator[Cloud]:
    """Yield an account with a lake and a table over it, and no crawler."""
    empty_account()
    aws("s3").create_bucket(Bucket="lake")
    glue = aws("glue")
    glue.create_database(DatabaseInput={"Name": "Sales"})
    glue.create_table(DatabaseName="sales", TableInput=table_input())
    make_role(*permissions().values())
    yield running
    running.run_until_idle()
    for crawler in glue.get_crawlers()["Crawlers"]:
        glue.delete_crawler(Name=crawler["Name"])


def table_input(**members: Any) -> dict[str, Any]:
    serde = {"SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe"}
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
            "SerdeInfo": serde,
        },
        **members,
    }


def permissions() -> dict[str, dict[str, Any]]:
    """The statements of a crawler's role, each named by what it is for."""
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    catalog = [f"{glue}:catalog", f"{glue}:database/sales", f"{glue}:table/sales/changes"]
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-glue/crawlers:*"
    return {
        "read": allow("glue:GetDatabase glue:GetTable glue:BatchGetPartition", *catalog),
        "write": allow("glue:UpdateTable", *catalog),
        "add": allow("glue:BatchCreatePartition", *catalog),
        "refresh": allow("glue:UpdatePartition", *catalog),
        "list": allow("s3:GetBucketLocation s3:ListBucket", "arn:aws:s3:::lake"),
        "get": allow("s3:GetObject", "arn:aws:s3:::lake/lake/*"),
        "log": allow("logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", group),
    }


def make_role(*statements: dict[str, Any], service: str = "glue") -> None:
    """Make the role `finder` anew; only crawlers of this account may wear it."""
    iam = aws("iam")
    trusted = trust(service, Condition={"ArnLike": {"aws:SourceArn": CRAWLER}})
    try:
        iam.create_role(RoleName="finder", AssumeRolePolicyDocument=trusted)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName="finder", PolicyDocument=trusted)
    grant("finder", *statements)


def put(key: str, *rows: Any) -> None:
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    zipped = gzip.compress(body) if key.endswith(".gz") else body
    aws("s3").put_object(Bucket="lake", Key=key, Body=zipped)


def definition(**members: Any) -> dict[str, Any]:
    return {
        "Name": "finder",
        "Role": "finder",
        "Targets": {"CatalogTargets": [{"DatabaseName": "sales", "Tables": ["changes"]}]},
        "SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "LOG"},
        "Configuration": json.dumps(MERGE),
        **members,
    }


def crawled(cloud: Cloud, **members: Any) -> dict[str, Any]:
    """Crawl with the crawler `finder`, making it if need be, and return its last crawl."""
    glue = aws("glue")
    if members or not glue.list_crawlers()["CrawlerNames"]:
        glue.create_crawler(**definition(**members))
    glue.start_crawler(Name="finder")
    cloud.run_until_idle()
    return glue.get_crawler(Name="finder")["Crawler"]["LastCrawl"]


def catalog_table() -> dict[str, Any]:
    return aws("glue").get_table(DatabaseName="sales", Name="changes")["Table"]


def column_types() -> dict[str, str]:
    return {each["Name"]: each["Type"] for each in catalog_table()["StorageDescriptor"]["Columns"]}


def partitions() -> dict[str, Any]:
    pages = aws("glue").get_paginator("get_partitions")
    found = pages.paginate(DatabaseName="sales", TableName="changes").build_full_result()
    return {"/".join(each["Values"]): each for each in found["Partitions"]}


def log_lines() -> list[str]:
    place = {"logGroupName": "/aws-glue/crawlers", "logStreamName": "finder"}
    events = aws("logs").get_log_events(**place)["events"]
    return [each["message"].partition("] ")[2] for each in events]


def last_summary() -> Any:
    return json.loads(aws("glue").list_crawls(CrawlerName="finder")["Crawls"][0]["Summary"])
