"""Prove that the lake holds what the table holds, key by key, and mend where it does not.

Reads both, waits for what is on its way, and reads what differs again. With --repair, sends what
the table holds of each wrong key down the road of every change, and verifies again. With --gaps,
finds lost changes by the lake alone. Ends with 0 when all is right, with 1 when it is not, with 2
when that could not be told.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from time import sleep
from typing import Protocol

import boto3

from operations import arguments as given
from operations import firehose as delivery
from operations.cli import exit_status
from operations.kinesis_writer import RATE, Sender
from operations.report import STDOUT, add_json, tell
from operations.table import Table
from operations.verify.compare import Mend, verdict
from operations.verify.gaps import Gaps, gaps
from operations.verify.repair import Repair
from operations.verify.result import UNKNOWN, Verdict
from setup.names import TABLE, bucket

LISTED = 20  # keys of each kind that people are shown; programs get all
JSON = """
JSON: at (UTC), bucket, asked ("table", "gaps" or a key), equal (true or false), table and lake (how
many items each holds), missing, extra, different, unsettled (lists of keys), counts (of each
kind), differences (by key: path, table, lake); after --repair also repair (items, tombstones: keys
that were sent; left: key and reason; counts). With --gaps: at, bucket, asked, count, gaps (key,
source_before, sequence_before, source, sequence). A file is replaced in one step.
"""


class Report(Protocol):
    """What came of a question, for the shell, for people and for programs."""

    @property
    def status(self) -> int: ...

    def lines(self) -> Iterator[str]: ...

    def document(self) -> dict[str, object]: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer what the command line asks, and return the exit status."""
    options = _options(arguments)
    return exit_status(lambda: _answer(options), failed=UNKNOWN)


def _answer(options: argparse.Namespace) -> int:
    limit = _limit(options)
    if options.gaps:
        return _told(Gaps(gaps(), limit), options)
    table = Table.described(boto3.client("dynamodb"), TABLE)
    keys = [table.checked(options.key)] if options.key else []

    def verified(mend: Mend | None = None) -> Verdict:
        return verdict(table, keys, limit, lambda doubts: _wait(options.wait, doubts), mend)

    return _repaired(options, table, verified) if options.repair else _told(verified(), options)


def _repaired(options: argparse.Namespace, table: Table, verified: Callable[..., Verdict]) -> int:
    """Mend what is wrong, and return the status of what was found then."""
    delivery.check_active()
    table.checked_stream()
    repair = Repair(table, Sender(boto3.client("kinesis"), rate=RATE), _limit(options))
    found = verified(repair.mend)
    if options.json != STDOUT:
        for line in (*(found.lines() if repair.sent else ()), *repair.lines()):
            print(line, flush=True)
    if repair.sent:
        found = verified()
    return _told(found, options, repair=repair.document())


def _told(report: Report, options: argparse.Namespace, **more: object) -> int:
    """Print a report, or write it to a file as JSON as well, and return its status."""
    now = datetime.now(timezone.utc)
    of_what = {"at": f"{now:%Y-%m-%d %H:%M:%S}", "bucket": bucket(), "asked": _asked(options)}
    tell(report.lines(), of_what | report.document() | more, options.json)
    return report.status


def _asked(options: argparse.Namespace) -> str:
    """Return what a report speaks of: a dashboard shows only one of the whole table."""
    return "gaps" if options.gaps else options.key or "table"


def _limit(options: argparse.Namespace) -> int | None:
    return LISTED if options.limit is None and not options.json else options.limit


def _wait(seconds: float | None, doubts: int) -> None:
    """Give what is on its way to the lake the time to arrive."""
    seconds = delivery.delay() if seconds is None else seconds
    if seconds:
        note = f"{doubts} keys differ so far: waiting {seconds:g} s for what is on its way"
        print(note, file=sys.stderr, flush=True)
        sleep(seconds)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m operations.verify",
        description=__doc__,
        epilog=JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--repair", action="store_true", help="mend what differs, and verify again")
    act.add_argument("--gaps", action="store_true", help="find lost changes in the lake alone")
    parser.add_argument("--key", type=given.key, metavar="JSON", help="verify this one key")
    parser.add_argument(
        "--wait",
        type=given.seconds,
        metavar="SECONDS",
        help="for changes on their way; default: 1.5 times Firehose's buffering interval",
    )
    parser.add_argument(
        "--limit",
        type=given.count,
        metavar="N",
        help=f"keys of each kind to list; default: {LISTED}, or all of them with --json",
    )
    add_json(parser)
    options = parser.parse_args(arguments)
    if options.gaps and options.key:
        parser.error("argument --key: not allowed with argument --gaps")
    return options


if __name__ == "__main__":
    sys.exit(main())
