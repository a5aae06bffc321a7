"""Say whether all is well, and if not, what to do: each part, each hop, the last hours.

Ends with 0 when all is well, with 1 when something needs a person, with 2 when that could not be
told.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from operations.cli import exit_status
from operations.report import add_json, tell
from operations.status import check_result as signs
from operations.status.check_result import Sign
from operations.status.checks import CHECKS
from operations.status.metrics import COUNTED, Hop, hops, measured, table
from setup.names import PIPELINE, location

MOST_HOURS = 24 * 60  # CloudWatch keeps points of five minutes for 63 days


@dataclass(frozen=True, slots=True)
class Status:
    """What every part says, and what the hops did in the last hours."""

    where: str
    signs: list[Sign]
    hops: list[Hop]
    hours: int

    def document(self) -> dict[str, object]:
        """Return the status for programs."""
        return {
            "pipeline": PIPELINE,
            "where": self.where,
            "status": signs.status(self.signs),
            "says": signs.headline(self.signs),
            "parts": signs.documents(self.signs),
            "hours": self.hours,
            "hops": [hop.document() for hop in self.hops],
        }

    def lines(self) -> Iterator[str]:
        """Return the status in words; the first line says it all."""
        yield f"{PIPELINE} in {self.where}: {signs.headline(self.signs)}"
        for sign in signs.in_order(self.signs):
            yield from sign.lines()
        yield f"the last {self.hours} h, as CloudWatch counts (a minute or two behind)"
        yield from table(self.hops)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer what the command line asks, and return the exit status."""
    options = _options(arguments)
    return exit_status(lambda: _told(_status(options.hours), options.json), failed=signs.UNKNOWN)


def _status(hours: int) -> Status:
    here = location()
    found = [check.sign() for check in CHECKS]
    try:
        counts = measured(boto3.client("cloudwatch"), COUNTED, timedelta(hours=hours))
    except ClientError as error:
        found.append(Sign("measures", str(error), None))
        counts = dict.fromkeys(COUNTED)
    return Status(f"{here.account}, {here.region}", found, hops(counts), hours)


def _told(status: Status, file: Path | None) -> int:
    """Tell the status, and return its exit status."""
    tell(status.lines(), status.document(), file)
    return signs.status(status.signs)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operations.status", description=__doc__)
    parser.add_argument(
        "--hours",
        type=_hours,
        default=3,
        metavar="N",
        help="how far the counts go back; default: 3",
    )
    add_json(parser)
    return parser.parse_args(arguments)


def _hours(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"expected 1 to {MOST_HOURS} hours, found {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
