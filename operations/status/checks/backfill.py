"""Backfill: whether the items that are older than the table's stream were sent to the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from operations.backfill.command import DEFAULT_CHECKPOINT
from operations.backfill.completion import is_completed
from operations.status.check_result import CheckResult, Status
from operations.status.checks.table import describe_table
from operations.status.metrics import MetricHistory
from setup.names import TABLE

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

BACKFILL = "python -m operations.backfill"
# AWS creates the stream of a new table a little later than the table.
CREATION_MARGIN = timedelta(minutes=1)


def check(_: MetricHistory | None) -> CheckResult:
    """Check that no backfill is unfinished, and that none is missing."""
    if DEFAULT_CHECKPOINT.exists():
        message = f"unfinished: {DEFAULT_CHECKPOINT} says how far it got"
        return CheckResult("backfill", message, Status.PROBLEM, f"{BACKFILL} resumes it")
    return check_description(describe_table())


def check_description(table: TableDescriptionTypeDef) -> CheckResult:
    """Return the result for a table as DynamoDB describes it."""
    label = table.get("LatestStreamLabel")
    if label is None:
        return CheckResult("backfill", "the table has no stream", Status.UNKNOWN)
    if stream_time(label) - table["CreationDateTime"] <= CREATION_MARGIN:
        return CheckResult("backfill", "not needed: the stream is as old as the table")
    item_count = table.get("ItemCount")  # A server other than AWS may not report it.
    if item_count == 0:
        return CheckResult("backfill", "not needed: the table was empty")
    if is_completed(table["LatestStreamArn"]):
        return CheckResult("backfill", "done: it sent every item")
    items = "has items" if item_count else "may have items"
    message = f"none was completed, but {TABLE} {items} and is older than its stream"
    return CheckResult("backfill", message, Status.UNKNOWN, BACKFILL)


def stream_time(label: str) -> datetime:
    """Return the creation time of a stream, which is its label."""
    return datetime.fromisoformat(label).replace(tzinfo=UTC)
