"""Hops: what each part received against what the next part got from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import (
    DELIVERED_ROWS,
    FIREHOSE_READS,
    FUNCTION_ERRORS,
    KINESIS_RECORDS,
    PARTITION_OVERFLOW,
    PIPE_EVENTS,
    PIPE_FAILURES,
    PIPE_PARTIAL_FAILURES,
    TRANSFORM_FAILURES,
    TRANSFORMED_ROWS,
    Metric,
    MetricHistory,
)
from terminal.text import count, format_table

VERIFY = "python -m operations.verify tells which changes are missing"


class HopDefinition(NamedTuple):
    """The metrics of a hop; `failed` is None if AWS does not count its failures.

    While one of `failures` is not zero, the counts of the hop need not agree.
    """

    name: str
    received: Metric
    delivered: Metric
    failed: Metric | None = None
    failures: tuple[Metric, ...] = ()


HOPS = (
    HopDefinition(
        "pipe -> Kinesis",
        PIPE_EVENTS,
        KINESIS_RECORDS,
        # AWS may count the events of a failed execution, and counts them again when it retries.
        failures=(PIPE_FAILURES, PIPE_PARTIAL_FAILURES),
    ),
    HopDefinition("Kinesis -> Firehose", KINESIS_RECORDS, FIREHOSE_READS),
    HopDefinition(
        "Firehose -> function",
        FIREHOSE_READS,
        TRANSFORMED_ROWS,
        TRANSFORM_FAILURES,
        failures=(FUNCTION_ERRORS,),
    ),
    HopDefinition(
        "Firehose -> S3", TRANSFORMED_ROWS, DELIVERED_ROWS, failures=(PARTITION_OVERFLOW,)
    ),
)


@dataclass(frozen=True, slots=True)
class Hop:
    """What a hop received, delivered and failed.

    `overdue` are the records that it received long enough ago, and neither delivered nor failed.
    """

    name: str
    received: int
    delivered: int
    failed: int
    overdue: int = 0
    has_failures: bool = False

    @property
    def open(self) -> int:
        """Records in flight, or failed where AWS does not count failures."""
        return max(0, self.received - self.delivered - self.failed)

    def check(self, hours: int) -> CheckResult:
        """Return whether everything that the hop received was delivered or failed."""
        if not self.received:
            return CheckResult(self.name, f"nothing received in the last {hours} h")
        message = f"{self.delivered} of {count(self.received, 'record')} delivered"
        if self.failed:
            message += f", {self.failed} failed"
        if self.open > self.overdue:
            message += f", {self.open - self.overdue} in flight"
        if not self.overdue:
            return CheckResult(self.name, message)
        status = Status.UNKNOWN if self.has_failures else Status.PROBLEM
        return CheckResult(self.name, f"{message}, {self.overdue} missing", status, VERIFY)

    def document(self) -> dict[str, object]:
        """Return the hop as JSON."""
        return {
            "hop": self.name,
            "received": self.received,
            "delivered": self.delivered,
            "failed": self.failed,
            "open": self.open,
            "missing": self.overdue,
        }


def count_hops(history: MetricHistory | None) -> list[Hop]:
    """Return the counts of every hop; zeros without metrics."""
    if history is None:
        return [Hop(definition.name, 0, 0, 0) for definition in HOPS]
    return [_count_hop(definition, history) for definition in HOPS]


def _count_hop(definition: HopDefinition, history: MetricHistory) -> Hop:
    delivered = history.total(definition.delivered)
    failed = history.total(definition.failed) if definition.failed else 0
    overdue = history.settled_total(definition.received) - delivered - failed
    return Hop(
        name=definition.name,
        received=history.total(definition.received),
        delivered=delivered,
        failed=failed,
        overdue=max(0, overdue),
        has_failures=any(history.total(metric) for metric in definition.failures),
    )


def hop_table(hops: Iterable[Hop]) -> str:
    """Return a table of the counts, one line per hop."""
    rows: list[tuple[str, ...]] = [("hop", "received", "delivered", "failed", "open")]
    for hop in hops:
        counts = (hop.received, hop.delivered, hop.failed, hop.open)
        rows.append((hop.name, *map(str, counts)))
    return format_table(rows)
