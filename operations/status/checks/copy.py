"""The copy in Parquet: how many days of the lake it has. Without one, queries read the JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime

import boto3

from operations.lake_copy.days import list_days, oldest_recent_day
from operations.lake_copy.parts import (
    COMPACT,
    CopyTable,
    copied_days,
    current_generation,
    first_recent_day,
)
from operations.status.check_result import CheckResult
from operations.status.metrics import MetricHistory
from setup.names import HISTORY, STATE
from terminal.text import count


def check(_: MetricHistory | None) -> CheckResult:
    """Say how many days are copied, and how old the oldest is that is not; neither is a problem."""
    history, state = CopyTable(HISTORY), CopyTable(STATE)
    generation = current_generation()
    parts = history.parts(generation)
    if not parts:
        return CheckResult("copy", f"none: queries read all JSON ({COMPACT} makes one)")
    days = list_days(boto3.client("s3"), history.columns())
    today = datetime.now(UTC).date()
    old_days = {day for day in days if day < oldest_recent_day(today)}
    uncopied = old_days - copied_days([parts, state.parts(generation)], days)
    message = (
        f"{len(old_days) - len(uncopied)} of {count(len(old_days), 'day')} copied; queries read "
        f"the copy of those before {first_recent_day()}"
    )
    if uncopied:
        oldest = min(uncopied)
        age = count((today - date.fromisoformat(oldest)).days, "day")
        message += f"; the oldest not copied is {oldest}, {age} ago ({COMPACT} copies it)"
    return CheckResult("copy", message)
