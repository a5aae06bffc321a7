"""A crawl: runs the crawler and checks that it left the table as 10_glue.py made it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

import boto3

from setup.lib.column_limit import (
    MAX_COLUMNS,
    is_inside_json_path,
    limit_advice,
    limit_warnings,
)
from setup.lib.comparison import matches_desired
from setup.lib.copy_tables import put_copy_tables
from setup.lib.descriptions import Entry, columns_of
from setup.lib.image_columns import days_added_since, image_columns
from setup.lib.resources import crawler_state, require
from setup.lib.views import PendingView, pending_views, put_views
from setup.lib.waiters import SetupError, wait_until
from setup.names import CHANGES, CRAWLER, DATABASE, FIRST_DAY, LAKE, WORKGROUP, bucket

if TYPE_CHECKING:
    from types_boto3_glue.client import GlueClient
    from types_boto3_glue.type_defs import LastCrawlInfoTypeDef, TableTypeDef

# The parameter of the table with the time of the newest object whose images were read.
READ_UNTIL_PARAMETER = "images.read_until"


def run_crawler() -> str:
    """Run the crawler, add the columns that it missed, and return a line with those added."""
    glue = boto3.client("glue")
    require(f"crawler {CRAWLER}", "10_glue", glue.get_crawler, Name=CRAWLER)
    get_workgroup = boto3.client("athena").get_work_group
    require(f"workgroup {WORKGROUP}", "11_athena", get_workgroup, WorkGroup=WORKGROUP)
    check_first_day()
    table_before = get_table(glue)
    lake_days = days_added_since(read_until(table_before))
    columns_of_images = image_columns(lake_days.days)
    check_limit({*column_names(table_before), *columns_of_images})
    pending = pending_views()
    crawl()
    check_table(get_table(glue))
    add_columns(glue, table_before, columns_of_images, lake_days.newest_at)
    columns = column_names(get_table(glue))
    names_before = column_names(table_before)
    names = ", ".join(name for name in columns if name not in names_before)
    line = f"added {names} to" if names else "no new columns in"
    return "; ".join(
        [
            f"crawl succeeded: {line} table {CHANGES}",
            "every attribute in the lake has a column",
            *create_views(pending),
            *limit_warnings(columns),
        ]
    )


def crawl() -> None:
    """Run the crawler to its end; raise SetupError if it fails."""
    glue = boto3.client("glue")
    wait_until(f"crawler {CRAWLER}", crawler_state, "READY")
    previous_crawl = get_last_crawl(glue).get("StartTime")

    def crawl_state() -> str:
        state = crawler_state()
        # Glue may report the crawler as ready, and the crawl before, for a moment.
        has_ended = state == "READY" and get_last_crawl(glue).get("StartTime") != previous_crawl
        return "ended" if has_ended else f"in progress (crawler {state})"

    glue.start_crawler(Name=CRAWLER)
    wait_until(f"crawl of {CRAWLER}", crawl_state, "ended", limit=3600)
    last_crawl = get_last_crawl(glue)
    if last_crawl.get("Status") != "SUCCEEDED":
        reason = last_crawl.get("ErrorMessage", "no reason given")
        raise SetupError(f"crawl {last_crawl.get('Status')}: {reason}")


def get_last_crawl(glue: GlueClient) -> LastCrawlInfoTypeDef:
    """Return how the crawler's newest crawl ended, or an empty description before the first."""
    return glue.get_crawler(Name=CRAWLER)["Crawler"].get("LastCrawl", {})


def read_until(table: Entry) -> datetime | None:
    """Return the time of the newest object whose images were read by an earlier crawl."""
    time = table.get("Parameters", {}).get(READ_UNTIL_PARAMETER)
    return datetime.fromisoformat(time) if time else None


def check_limit(columns: Collection[str]) -> None:
    """Raise SetupError if these are too many columns for a table."""
    names = [name for name in columns if not is_inside_json_path(name)]
    if len(names) > MAX_COLUMNS:
        raise SetupError(
            f"the lake has at least {len(names)} columns, more than the {MAX_COLUMNS} of a table, "
            f"so none was added: {limit_advice(names)}"
        )


def add_columns(
    glue: GlueClient,
    table_before: TableTypeDef,
    columns_of_images: Collection[str],
    newest_at: datetime | None,
) -> None:
    """Add the columns that the crawler has missed; if they are too many, take back all new ones."""
    script = import_module("setup.10_glue")
    table: Entry = get_table(glue)
    crawled = {column["Name"]: column for column in columns_of(table)}
    missing = [{"Name": name} for name in sorted({*columns_of_images} - crawled.keys())]
    try:
        check_limit({*crawled, *columns_of_images})
    except SetupError:
        script.update_table(glue, table, table_before)
        raise
    descriptor = {**table["StorageDescriptor"], "Columns": [*crawled.values(), *missing]}
    parameters = dict(table.get("Parameters", {}))
    if newest_at is not None:
        parameters[READ_UNTIL_PARAMETER] = newest_at.isoformat()
    table_after = {**table, "StorageDescriptor": descriptor, "Parameters": parameters}
    put_copy_tables(glue, script.update_table(glue, table, table_after))


def create_views(pending: Collection[PendingView]) -> list[str]:
    """Try to create the views that waited for a column, and return a line for each."""
    if not pending:
        return []
    still_pending = put_views()
    names = {view.name for view in pending} - {view.name for view in still_pending}
    return [*(f"created view {name}" for name in sorted(names)), *map(str, still_pending)]


def check_table(table: TableTypeDef) -> None:
    """Raise SetupError if the table's columns, projection or SerDe are not as setup made them."""
    script = import_module("setup.10_glue")
    desired = script.table_input(table)
    changed = [
        name for name, value in desired.items() if not matches_desired(value, table.get(name))
    ]
    if changed:
        raise SetupError(
            f"the crawl changed {', '.join(changed)} of table {CHANGES}: "
            f"run python setup/10_glue.py"
        )


def check_first_day() -> None:
    """Raise SetupError if the lake has a day before FIRST_DAY, which no query would read."""
    s3 = boto3.client("s3")
    oldest = s3.list_objects_v2(Bucket=bucket(), Prefix=f"{LAKE}dt=", MaxKeys=1)
    for entry in oldest.get("Contents", []):
        if entry["Key"] < f"{LAKE}dt={FIRST_DAY}":
            raise SetupError(
                f"{entry['Key']} predates FIRST_DAY ({FIRST_DAY}), so Athena cannot see it: set "
                f"FIRST_DAY in setup/names.py, and run python setup/10_glue.py"
            )


def get_table(glue: GlueClient) -> TableTypeDef:
    """Return the catalog's description of the table over the lake."""
    table: TableTypeDef = glue.get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]
    return table


def column_names(table: TableTypeDef) -> list[str]:
    """Return the names of the table's columns, without its partition keys."""
    return [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
