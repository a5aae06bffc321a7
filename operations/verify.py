"""Prove that the lake holds what the table holds, key by key.

With --gaps, find lost changes by the lake alone. Ends with 0 when all is right, with 1 when it is
not, with 2 when that could not be told.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import boto3

from operations.command import exit_status
from operations.comparison import verdict
from operations.gaps import Gaps, gaps
from operations.table import Table
from operations.verdict import UNKNOWN
from setup.names import DELIVERY, TABLE, bucket
from transform import canonical

LISTED = 20  # keys of each kind that people are shown; programs get all
PATIENCE = 1.5  # Firehose's intervals: dynamic partitioning may delay a change for so long
STDOUT = Path("-")


class Report(Protocol):
    """What came of a question, for the shell, for people and for programs."""

    @property
    def status(self) -> int: ...

    def lines(self) -> Iterator[str]: ...

    def document(self) -> dict[str, object]: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer what the command line asks, and return the exit status."""
    options = _options(arguments)
    return exit_status(lambda: _told(options), failed=UNKNOWN)


def _report(options: argparse.Namespace) -> Report:
    limit = LISTED if options.limit is None and not options.json else options.limit
    if options.gaps:
        return Gaps(gaps(), limit)
    table = Table.described(boto3.client("dynamodb"), TABLE)
    keys = [table.checked(options.key)] if options.key else []
    return verdict(table, keys, limit, lambda doubts: _wait(options.wait, doubts))


def _told(options: argparse.Namespace) -> int:
    """Print a report, or write it to a file as JSON as well, and return its status."""
    file, begun = options.json, datetime.now(timezone.utc)
    report = _report(options)
    of_what = {"at": f"{begun:%Y-%m-%d %H:%M:%S}", "bucket": bucket(), "asked": _asked(options)}
    document = json.dumps(of_what | report.document(), indent=2)
    if file == STDOUT:
        print(document)
        return report.status
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(document + "\n")
    for line in report.lines():
        print(line)
    return report.status


def _asked(options: argparse.Namespace) -> str:
    """Return what a report speaks of: a dashboard shows only one of the whole table."""
    return "gaps" if options.gaps else options.key or "table"


def _wait(seconds: float | None, doubts: int) -> None:
    """Give what is on its way to the lake the time to arrive."""
    seconds = _delay() if seconds is None else seconds
    if seconds:
        note = f"{doubts} keys differ so far: waiting {seconds:g} s for what is on its way"
        print(note, file=sys.stderr, flush=True)
        time.sleep(seconds)


def _delay() -> float:
    """Return for how long Firehose may hold a change back."""
    stream = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=DELIVERY)
    destination = stream["DeliveryStreamDescription"]["Destinations"][0]
    buffering = destination["ExtendedS3DestinationDescription"]["BufferingHints"]
    return PATIENCE * buffering["IntervalInSeconds"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operations.verify", description=__doc__)
    parser.add_argument("--gaps", action="store_true", help="find lost changes in the lake alone")
    parser.add_argument("--key", type=_key, metavar="JSON", help="verify this one key")
    parser.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="for changes on their way; default: 1.5 times Firehose's buffering interval",
    )
    parser.add_argument(
        "--limit",
        type=_count,
        metavar="N",
        help=f"keys of each kind to list; default: {LISTED}, or all of them with --json",
    )
    parser.add_argument(
        "--json",
        type=Path,
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write JSON into a file, or print it instead of the words",
    )
    return parser.parse_args(arguments)


def _key(text: str) -> str:
    try:
        return canonical(json.loads(text))
    except (ValueError, RecursionError):
        example = '{"order_id": {"S": "SO-1"}}'
        raise argparse.ArgumentTypeError(f"expected a key such as {example}") from None


def _seconds(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number of seconds, found {text!r}")
    return float(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
