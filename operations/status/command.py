"""Report the health of every part and hop of the pipeline, with the fix for each problem.

The exit status is 0 if the pipeline is healthy, 1 if it has a problem, and 2 if a part could not be
checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import ClientError

from operations import in_flight
from operations.cli import add_json_option, argument_parser, print_report, run_command
from operations.status.check import failed_call
from operations.status.check_result import (
    CheckResult,
    Status,
    headline,
    overall_status,
    sort_by_urgency,
)
from operations.status.checks import CHECKS
from operations.status.checks.table import describe_table
from operations.status.configuration import check_configuration
from operations.status.hops import Hop, count_hops, hop_table
from operations.status.metrics import MetricHistory, fetch_history
from setup.lib.drift import SCRIPTS
from setup.names import PIPELINE, location
from terminal.arguments import whole_number

MAX_HOURS = 24 * 60  # CloudWatch keeps five-minute data for 63 days


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The result of every check, and the counts of every hop in the last hours."""

    account: str
    region: str
    results: list[CheckResult]
    hops: list[Hop]
    hours: int

    @property
    def status(self) -> Status:
        """The status of the pipeline."""
        return overall_status(self.results)

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return {
            "pipeline": PIPELINE,
            "account": self.account,
            "region": self.region,
            "status": self.status,
            "headline": headline(self.results),
            "parts": [result.document() for result in self.results],
            "hours": self.hours,
            "hops": [hop.document() for hop in self.hops],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as text; the first line is the summary."""
        yield f"{PIPELINE} in {self.account}, {self.region}: {headline(self.results)}"
        for result in sort_by_urgency(self.results):
            yield from result.lines()
        yield f"last {self.hours} h, from CloudWatch (one or two minutes behind)"
        yield hop_table(self.hops)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args), failure_status=Status.UNKNOWN)


def _run(args: argparse.Namespace) -> int:
    report = _collect(args.hours)
    print_report(report.lines(), report.document(), args.json)
    return report.status


def _collect(hours: int) -> StatusReport:
    here = location()
    results = []
    history = None
    try:
        history = _fetch_history(hours)
    except ClientError as error:
        results.append(CheckResult("metrics", failed_call(error), Status.UNKNOWN))
    hops = count_hops(history)
    results += [check.run(history) for check in CHECKS]
    if history:
        results += [hop.check(hours) for hop in hops]
    results += check_configuration(SCRIPTS, results)
    return StatusReport(here.account, here.region, results, hops, hours)


def _fetch_history(hours: int) -> MetricHistory:
    label = describe_table().get("LatestStreamLabel", "")
    delay = timedelta(seconds=in_flight.max_delay_seconds())
    return fetch_history(boto3.client("cloudwatch"), label, hours, delay, _now())


def _now() -> datetime:
    return datetime.now(UTC)


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("status", __doc__)
    parser.add_argument(
        "--hours",
        type=whole_number(1, MAX_HOURS),
        default=3,
        metavar="N",
        help="hours covered by the counts (default: 3)",
    )
    add_json_option(parser)
    return parser.parse_args(argv)
