"""Run the crawler, and check that the table over the lake is still as 10_glue.py made it."""

from importlib import import_module
from typing import Any

import boto3

from setup.lib.resources import crawler_state, matches_desired, require
from setup.lib.waiters import SetupError, wait_until
from setup.names import CHANGES, CRAWLER, DATABASE, FIRST_DAY, LAKE, bucket


def crawl() -> str:
    """Run the crawler to its end, and say which columns it added."""
    glue = boto3.client("glue")
    require(f"crawler {CRAWLER}", "10_glue", glue.get_crawler, Name=CRAWLER)
    before = columns(table(glue))
    wait_until(f"crawler {CRAWLER}", crawler_state, "READY")
    glue.start_crawler(Name=CRAWLER)
    wait_until(f"crawler {CRAWLER}", crawler_state, "READY", limit=3600)
    last = glue.get_crawler(Name=CRAWLER)["Crawler"].get("LastCrawl", {})
    if last.get("Status") != "SUCCEEDED":
        raise SetupError(
            f"crawl {last.get('Status')}: {last.get('ErrorMessage', 'no reason given')}"
        )
    check(table(glue))
    check_days()
    new = ", ".join(name for name in columns(table(glue)) if name not in before)
    return f"crawl succeeded: table {CHANGES} " + (f"gained {new}" if new else "has all columns")


def check(found: dict[str, Any]) -> None:
    """Refuse a table whose columns, projection or SerDe are no longer as they were set."""
    wanted = import_module("setup.10_glue").table(found["StorageDescriptor"]["Columns"])
    if differing := [
        name for name, value in wanted.items() if not matches_desired(value, found.get(name))
    ]:
        raise SetupError(
            f"the crawl changed {', '.join(differing)} of table {CHANGES}: "
            f"run python setup/10_glue.py"
        )


def check_days() -> None:
    """Refuse a lake with a day that Athena does not look for: it would miss it without an error."""
    oldest = boto3.client("s3").list_objects_v2(Bucket=bucket(), Prefix=f"{LAKE}dt=", MaxKeys=1)
    for found in oldest.get("Contents", []):
        if found["Key"] < f"{LAKE}dt={FIRST_DAY}":
            raise SetupError(
                f"{found['Key']} is older than {FIRST_DAY}, where Athena begins to look: set "
                f"FIRST_DAY in setup/names.py, and run python setup/10_glue.py"
            )


def table(glue: Any) -> dict[str, Any]:
    """Return the table over the lake."""
    return glue.get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]


def columns(table: dict[str, Any]) -> list[str]:
    """Return the names of the table's columns."""
    return [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
