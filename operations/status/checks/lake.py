"""The lake: the newest row that Athena reads.

A query proves more than any configuration: that the catalog's table, its partition projection, the
workgroup and the objects themselves give rows. It reads the newest days only, whatever the lake's
size. The newest change in those rows is compared with the newest change that was read from the
table's stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import boto3

from analytics.athena import literal, run_query
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import (
    PERIOD,
    PIPE_EVENTS,
    PIPE_FAILURES,
    PIPE_PARTIAL_FAILURES,
    TRANSFORM_FAILURES,
    MetricHistory,
)
from setup.names import CHANGES, DATABASE, FIRST_DAY, LAKE, bucket
from terminal.text import count

QUERIED_DAYS = 3
VERIFY = "python -m operations.verify tells whether a change is missing"
# Rows without a key are counted as none: they come from no transform of this project.
NEWEST_ROW_SQL = f"""
SELECT count(cdc_key), max(changed_at), count(CASE WHEN changed_at >= {{since}} THEN 1 END)
FROM (
  SELECT cdc_key, CASE WHEN cdc_operation <> 'SNAPSHOT' THEN cdc_changed_at END AS changed_at
  FROM {CHANGES}
  WHERE dt >= {{day}}
)"""
# A change that the pipe delivers is some seconds old.
CHANGE_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NewestRow:
    """The newest change among the rows of the newest days, which begin at `day`.

    `recent_count` is the number of changes in the hours that the metrics cover.
    """

    day: str
    row_count: int
    changed_at: datetime | None
    recent_count: int = 0


def check(history: MetricHistory | None) -> CheckResult:
    """Check that Athena reads rows, and that the newest is not older than the newest change."""
    folders = _folders()
    hidden = [folder for folder in folders if not _is_projected(folder)]
    if hidden:
        message = f"Athena does not read {LAKE}{hidden[0]}, and {len(hidden) - 1} more such folders"
        remedy = f"check the clock of the source; partitions begin on {FIRST_DAY}, end tomorrow"
        return CheckResult("lake", message, Status.PROBLEM, remedy)
    if not folders:
        return check_empty_lake(history)
    row = _newest_row(folders, history)
    if not row.row_count:
        message = f"Athena reads no row of {DATABASE}.{CHANGES} since {row.day}, but objects exist"
        return CheckResult("lake", message, Status.PROBLEM, "python setup/10_glue.py")
    return compare_with_stream(row, history)


def _newest_row(folders: Sequence[str], history: MetricHistory | None) -> NewestRow:
    """Return what Athena reads of the newest days, which cover the hours of the metrics."""
    since = (history.started_at if history else datetime.now(UTC)) - CHANGE_AGE
    day = min(_day(folders[-QUERIED_DAYS:][0]), since.date().isoformat())
    sql = NEWEST_ROW_SQL.format(day=literal(day), since=literal(f"{since:%Y-%m-%d %H:%M:%S}"))
    [[row_count, changed_at, recent_count]] = run_query(sql).rows
    return NewestRow(day, int(row_count or 0), _parse_time(changed_at), int(recent_count or 0))


def compare_with_stream(row: NewestRow, history: MetricHistory | None) -> CheckResult:
    """Return whether the newest change that was read from the stream is in the lake."""
    message = f"newest change {_time_text(row.changed_at) or f'older than {row.day}'}"
    if history is None:
        text = f"{message}; without metrics it is not known whether newer ones are missing"
        return CheckResult("lake", text, Status.UNKNOWN, VERIFY)
    read_at = history.newest_read()
    is_current = row.changed_at is not None and read_at and row.changed_at >= read_at - PERIOD
    if read_at is None or is_current:
        return _compare_with_pipe(message, row, history)
    text = f"{message}, but the pipe read a newer one after {_time_text(read_at)}"
    return CheckResult("lake", text, Status.UNKNOWN, VERIFY)


def _compare_with_pipe(message: str, row: NewestRow, history: MetricHistory) -> CheckResult:
    """Return whether the lake has a row for each change that the pipe delivered."""
    event_count = history.settled_total(PIPE_EVENTS) - history.total(TRANSFORM_FAILURES)
    # AWS may count the events of a failed execution, and counts them again when it retries.
    has_retries = any(map(history.total, (PIPE_FAILURES, PIPE_PARTIAL_FAILURES)))
    if has_retries or row.recent_count >= event_count:
        return CheckResult("lake", message)
    text = f"{message}, but it has only {row.recent_count} of {count(event_count, 'change')}"
    return CheckResult("lake", f"{text} that the pipe delivered", Status.UNKNOWN, VERIFY)


def check_empty_lake(history: MetricHistory | None) -> CheckResult:
    """Return whether changes should have reached a lake that has no objects."""
    read_at = history.newest_read() if history else None
    if read_at:
        message = f"empty, but the pipe read changes after {_time_text(read_at)}"
        remedy = "python -m operations.verify --repair"
        return CheckResult("lake", message, Status.PROBLEM, remedy)
    message = "empty: no change has arrived yet, so it is not known whether one would"
    return CheckResult("lake", message, Status.UNKNOWN, "write an order; check three minutes later")


def _folders() -> list[str]:
    """Return the names of the folders directly below the lake's prefix, in order."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    return sorted(
        entry["Prefix"].removeprefix(LAKE)
        for page in pages.paginate(Bucket=bucket(), Prefix=LAKE, Delimiter="/")
        for entry in page.get("CommonPrefixes", ())
    )


def _day(folder: str) -> str:
    return folder.removeprefix("dt=").removesuffix("/")


def _is_projected(folder: str) -> bool:
    """Return whether the table's partition projection covers a folder."""
    try:
        day = date.fromisoformat(_day(folder))
    except ValueError:
        return False
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    is_exact = folder == f"dt={day.isoformat()}/"
    return is_exact and date.fromisoformat(FIRST_DAY) <= day <= tomorrow


def _parse_time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=UTC)
    except ValueError:
        return None


def _time_text(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else ""
