"""Catalog and Athena: whether queries find the table, and can be run."""

from __future__ import annotations

import boto3

from operations.status.check import with_reason
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.lib.views import pending_views
from setup.names import CHANGES, CRAWLER, DATABASE, WORKGROUP

CRAWL_COMMAND = "python setup/10_glue.py --crawl"


def check_table(_: MetricHistory | None) -> CheckResult:
    """Check that Athena's table exists; views that wait for its columns are no problem."""
    table = boto3.client("glue").get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]
    column_count = len(table["StorageDescriptor"]["Columns"])
    line = f"table {DATABASE}.{CHANGES} has {column_count} columns"
    return CheckResult("catalog", "; ".join([line, *map(str, pending_views())]))


def check_crawler(_: MetricHistory | None) -> CheckResult:
    """Check that the last crawl succeeded."""
    crawl = boto3.client("glue").get_crawler(Name=CRAWLER)["Crawler"].get("LastCrawl")
    if not crawl:
        return CheckResult("last crawl", f"none yet; {CRAWL_COMMAND} adds new columns")
    state = f"{crawl['Status']} at {crawl['StartTime']:%Y-%m-%d %H:%M}"
    status = Status.PROBLEM if crawl["Status"] == "FAILED" else Status.OK
    message = with_reason(state, crawl.get("ErrorMessage", ""))
    return CheckResult("last crawl", message, status, CRAWL_COMMAND)


def check_workgroup(_: MetricHistory | None) -> CheckResult:
    """Check that queries can be run."""
    workgroup = boto3.client("athena").get_work_group(WorkGroup=WORKGROUP)["WorkGroup"]
    if workgroup["State"] == "ENABLED":
        return CheckResult("Athena", f"workgroup {WORKGROUP} is ENABLED")
    message = f"workgroup {WORKGROUP} is {workgroup['State']}"
    remedy = f"aws athena update-work-group --work-group {WORKGROUP} --state ENABLED"
    return CheckResult("Athena", message, Status.PROBLEM, remedy)
