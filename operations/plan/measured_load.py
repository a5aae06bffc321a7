"""The load of a running pipeline, from CloudWatch and the table's description."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3

from analytics.cost.load import Load
from operations.status.checks.table import describe_table
from operations.status.metrics import KINESIS_BYTES, KINESIS_RECORDS, fetch_series
from setup.lib.errors import UserError
from setup.names import STREAM

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)


class NoChangesSeen(UserError):
    """CloudWatch has no record of a change from which a load could be computed."""


def fetch_load(questions_per_day: float) -> Load:
    """Return the load of the last seven days; questions are not measured."""
    metrics = (KINESIS_RECORDS, KINESIS_BYTES)
    series = fetch_series(boto3.client("cloudwatch"), metrics, WEEK, HOUR, datetime.now(UTC))
    records = [point.value for point in series[KINESIS_RECORDS] if point.value]
    record_count = sum(records)
    if not record_count:
        raise NoChangesSeen(
            f"no record came into stream {STREAM} within seven days: give --changes-per-day "
            f"and --item-bytes"
        )
    table = describe_table()
    items = table.get("ItemCount", 0)  # DynamoDB counts every six hours.
    byte_count = sum(point.value for point in series[KINESIS_BYTES])
    return Load(
        changes_per_day=record_count / WEEK.days,
        item_bytes=table.get("TableSizeBytes", 0) / items if items else 0,
        items=items,
        questions_per_day=questions_per_day,
        active_hours=max(1, len(records) / WEEK.days),
        record_bytes=byte_count / record_count if byte_count else None,
    )
