"""Check the expectations of analytics/expectations: queries that must return no rows.

The status is 0 if all are met, or if only warnings are not; 1 if an error is found; 2 if a query
could not be run, so that the answer is not known.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import boto3

from analytics.athena import Column, QueryFailed, QueryResult, Row, run_query
from analytics.formatters import table_lines
from analytics.named_queries import NamedQuery, load_named_queries
from analytics.run import explain_error
from setup.lib.cli import exit_status, make_stdout_total
from setup.lib.errors import UserError
from setup.names import PIPELINE, UNMET_EXPECTATIONS
from terminal.arguments import whole_number
from terminal.text import count

EXPECTATION_FOLDER = Path(__file__).with_name("expectations")
SEVERITY = re.compile(r"^-- severity: (.*)$", re.MULTILINE)
SEVERITIES = ("error", "warning")
SHOWN_ROWS = 5
NOT_KNOWN = 2


class InvalidExpectation(UserError):
    """A file whose severity is neither `error` nor `warning`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expectation's query found: the first rows against it, and the number of all."""

    expectation: NamedQuery
    severity: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    row_count: int = 0
    failure: str = ""  # Why the query could not be run.

    @property
    def result(self) -> str:
        """`met`, `not known`, or the severity of what was found."""
        if self.failure:
            return "not known"
        return self.severity if self.row_count else "met"

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as an object for `--json`; values are text, as Athena returns it."""
        names = [column.name for column in self.columns]
        return {
            "name": self.expectation.name,
            "description": self.expectation.description,
            "severity": self.severity,
            "result": self.result,
            "row_count": self.row_count,
            "rows": [dict(zip(names, row, strict=True)) for row in self.rows],
            "failure": self.failure,
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Check the expectations that the command line names, and return the exit status."""
    args = _parse_arguments(argv)
    make_stdout_total()
    return exit_status(partial(_run, args), failed=NOT_KNOWN, name="analytics.check")


def severity_of(query: NamedQuery) -> str:
    """Return whether rows of an expectation are an `error`, the default, or a `warning`."""
    match = SEVERITY.search(query.sql)
    severity = match[1].strip() if match else SEVERITIES[0]
    if severity not in SEVERITIES:
        raise InvalidExpectation(
            f"{query.name}.sql: expected -- severity: {' or '.join(SEVERITIES)}, found {severity!r}"
        )
    return severity


def check(query: NamedQuery, day_from: str = "") -> Outcome:
    """Run an expectation's query, over the orders that changed since a day if one is given."""
    given = {"day_from": day_from} if day_from and "day_from" in query.parameters else {}
    severity = severity_of(query)
    try:
        result = run_query(query.sql, query.parameter_values(given))
    except QueryFailed as error:
        return Outcome(query, severity, failure=explain_error(error, query.sql))
    rows = tuple(islice(result.rows, SHOWN_ROWS))
    row_count = len(rows) + sum(1 for _ in result.rows)
    return Outcome(query, severity, result.columns, rows, row_count)


def exit_status_of(results: set[str]) -> int:
    """Return the exit status for results: what is not known outweighs what is wrong."""
    if "not known" in results:
        return NOT_KNOWN
    return 1 if "error" in results else 0


def _run(args: argparse.Namespace) -> int:
    outcomes = []
    for query in args.expectations:
        outcomes.append(check(query, _first_of_last_days(args.days)))
        if not args.json:
            print("\n".join(_report_lines(outcomes[-1])), flush=True)
    if args.json:
        print(json.dumps([outcome.to_json() for outcome in outcomes], indent=2))
    results = [outcome.result for outcome in outcomes]
    if args.publish:
        _publish(results.count("error") + results.count("not known"))
    return exit_status_of(set(results))


def _first_of_last_days(days: int | None) -> str:
    if days is None:
        return ""
    return f"{datetime.now(UTC) - timedelta(days=days - 1):%Y-%m-%d}"


def _report_lines(outcome: Outcome) -> Iterator[str]:
    query = outcome.expectation
    rows = f" ({count(outcome.row_count, 'row')})" if outcome.row_count else ""
    yield f"{outcome.result:9}  {query.description}{rows}"
    if outcome.failure:
        yield from (f"{'':11}{line}" for line in outcome.failure.splitlines())
    if outcome.row_count:
        first_rows = QueryResult(outcome.columns, iter(outcome.rows), 0)
        yield from (f"{'':11}{line}" for line in table_lines(first_rows))
    if outcome.row_count > SHOWN_ROWS:
        yield f"{'':11}… {outcome.row_count - SHOWN_ROWS} more: the query is {query.name}.sql"


def _publish(unmet: int) -> None:
    boto3.client("cloudwatch").put_metric_data(
        Namespace=PIPELINE,
        MetricData=[{"MetricName": UNMET_EXPECTATIONS, "Value": unmet, "Unit": "Count"}],
    )


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    description, statuses = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m analytics.check", description=description, epilog=statuses
    )
    parser.add_argument(
        "expectations",
        nargs="*",
        metavar="EXPECTATION",
        help="file name without .sql (default: all)",
    )
    parser.add_argument(
        "--days", type=whole_number(1, 9999), help="only orders that changed in the last N UTC days"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument(
        "--publish",
        action="store_true",
        help=f"publish the metric {UNMET_EXPECTATIONS}, on which an alarm fires",
    )
    args = parser.parse_args(argv)
    queries = load_named_queries(EXPECTATION_FOLDER)
    unknown = [name for name in args.expectations if name not in queries]
    if unknown:
        parser.error(f"unknown expectation {unknown[0]}: choose from {', '.join(queries)}")
    args.expectations = [queries[name] for name in args.expectations or queries]
    return args


if __name__ == "__main__":
    sys.exit(main())
