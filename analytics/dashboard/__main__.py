"""Write the dashboard: one self-contained HTML file that makes no network requests."""

import argparse
import sys
import time
import webbrowser
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from analytics.atomic_write import write_atomically
from analytics.dashboard.cost import estimate_cost
from analytics.dashboard.exchange_rates import with_used_rates
from analytics.dashboard.facts import fetch_facts
from analytics.dashboard.page import render_page
from analytics.dashboard.targets import InvalidTargets, read_targets
from analytics.dashboard.verification import (
    LAST_RESULT,
    InvalidVerifyResult,
    VerifyResult,
    WrongLake,
    read_verify_result,
)
from analytics.run import explain_error, format_cost
from setup import names
from setup.lib.aws_errors import EXPECTED_ERRORS
from setup.lib.cli import exit_status
from setup.lib.lake_identity import LakeIdentity
from setup.names import PIPELINE, TABLE, TABLE_IS_ADOPTED
from terminal.arguments import output_file, whole_number

MIN_WATCH_SECONDS = 2
MAX_WATCH_SECONDS = 86_400


def main() -> int:
    """Write the page, repeatedly with --watch, and return the exit status."""
    args = _parse_arguments()
    return exit_status(partial(_run, args))


def write_dashboard(args: argparse.Namespace) -> int:
    """Write the page once, print its path and cost, and return the exit status."""
    started_at = datetime.now(UTC)
    try:
        verify_result = last_verify_result(args.verified)
        targets = read_targets(args.targets) if args.targets else {}
        facts = fetch_facts(args.page, with_details=args.with_details)
        document = {
            "pipeline": PIPELINE,
            "made_at": f"{started_at:%Y-%m-%d %H:%M:%S}",
            "zone": names.BUSINESS_TIME_ZONE,
            "week_start": int(names.WEEK_START),
            "fiscal_year_start": int(names.FISCAL_YEAR_START),
            "watch": args.watch,
            "with_details": args.with_details,
            "targets": targets,
            "verify": verify_result and verify_result.document(),
            "cost": estimate_cost(facts.columns, started_at),
            "facts": with_used_rates(facts.columns),
        }
        title = "Sales" if args.page == "shop" else TABLE
        write_atomically(args.out, render_page(document, args.page, title))
    except (InvalidTargets, InvalidVerifyResult) as error:
        print(f"no dashboard: {error}", file=sys.stderr)
        return 2
    except EXPECTED_ERRORS as error:
        print(f"no dashboard: {explain_error(error)}", file=sys.stderr)
        return 1
    print(f"dashboard: {args.out.resolve()}", flush=True)
    print(format_cost(*facts.bytes_scanned), file=sys.stderr)
    return 0


def last_verify_result(path: Path | None) -> VerifyResult | None:
    """Return the verify result in the file, or in the default one if that is for this lake."""
    try:
        result = read_verify_result(path or LAST_RESULT, LakeIdentity.fetch())
    except WrongLake:
        if path:
            raise
        return None
    if path and result is None:
        raise InvalidVerifyResult(
            f"{path} does not exist: create it with python -m operations.verify --json {path}"
        )
    return result


def _run(args: argparse.Namespace) -> int:
    status = write_dashboard(args)
    if args.open and status == 0:
        webbrowser.open(args.out.resolve().as_uri())
    while args.watch:
        time.sleep(args.watch)
        write_dashboard(args)  # A failure may be temporary, and the page shows its age.
    return status


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analytics.dashboard", description=__doc__)
    parser.add_argument(
        "--out",
        type=output_file,
        default=Path("dashboard.html"),
        metavar="FILE",
        help="output file (default: dashboard.html)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--watch",
        type=whole_number(MIN_WATCH_SECONDS, MAX_WATCH_SECONDS),
        metavar="SECONDS",
        help="regenerate every SECONDS; an open page reloads itself",
    )
    default_page = "table" if TABLE_IS_ADOPTED else "shop"
    parser.add_argument(
        "--page",
        choices=("shop", "table"),
        default=default_page,
        help="the shop's orders, or any table's items (default: table for one of your own)",
    )
    parser.add_argument(
        "--with-details",
        action="store_true",
        help="include orders with their customers, or the values of attributes",
    )
    parser.add_argument(
        "--verified",
        type=Path,
        metavar="FILE",
        help="result of operations.verify --json (default: that of its last run)",
    )
    parser.add_argument(
        "--targets",
        type=Path,
        metavar="FILE",
        help="JSON file of the monthly revenue to reach, by currency",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
