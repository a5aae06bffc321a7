"""Write the lives of sales orders into the orders table, in the order in which they happen.

The same seed and day give the same orders: running twice writes the same keys again and leaves
the table as it was. The counts are those of a table that did not hold these orders before.
"""

import argparse
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from fractions import Fraction
from functools import cached_property
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from tqdm import tqdm

from sales.order_lifecycle import HISTORY_DAYS, OrderChange, Plan, generate_changes
from setup.lib.aws_errors import EXPECTED_ERRORS, error_message
from setup.names import TABLE

BATCH_LIMIT = 25  # BatchWriteItem's; so many of DynamoDB's 400 KB items stay below its 16 MB.
PATIENCE = 120.0  # seconds for which a batch that the table does not take is tried again
LONGEST_PAUSE = 5.0  # seconds between two tries
SLOWEST = 0.001  # changes a second
THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
SERIALIZER = TypeSerializer()


class NotTaken(Exception):
    """The table kept refusing changes for longer than anyone should wait."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    plan: Plan
    rate: float | None


class Writer:
    """Writes changes into the table, and counts those that it took."""

    def __init__(self, table: str) -> None:
        self.counts: Counter[str] = Counter(INSERT=0, MODIFY=0, REMOVE=0)
        self._table = table

    @cached_property
    def _dynamodb(self) -> Any:
        return boto3.client("dynamodb")

    def write(self, batch: list[OrderChange]) -> None:
        """Write changes of distinct orders; what the table does not take at once, again later."""
        waiting = {change.order_id: change for change in batch}
        give_up_at = time.monotonic() + PATIENCE
        pause = 0.05
        while waiting := self._left_over(waiting):
            if time.monotonic() > give_up_at:
                raise NotTaken(
                    f"table {self._table} did not take all of a batch in {PATIENCE:.0f} s"
                )
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _left_over(self, waiting: dict[str, OrderChange]) -> dict[str, OrderChange]:
        """Write what waits and return what the table did not take."""
        requests = {self._table: [_request(change) for change in waiting.values()]}
        try:
            answer = self._dynamodb.batch_write_item(RequestItems=requests)
        except ClientError as error:
            if error.response["Error"]["Code"] in THROTTLED:
                return waiting
            raise
        refused = {
            _order_id(request) for request in answer["UnprocessedItems"].get(self._table, ())
        }
        self.counts.update(
            change.operation for key, change in waiting.items() if key not in refused
        )
        return {key: change for key, change in waiting.items() if key in refused}

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return f"{sum(self.counts.values())} changes written to table {self._table}: {counted}"


def main() -> int:
    """Write the orders that the command line asks for, and return the exit status."""
    options = _options()
    writer = Writer(TABLE)
    try:
        _write_all(generate_changes(options.plan), options.rate, writer)
    except KeyboardInterrupt:
        print(f"interrupted: {writer}", file=sys.stderr)
        return 130
    except NotTaken as error:
        print(f"{error}; {writer}", file=sys.stderr)
        return 1
    except EXPECTED_ERRORS as error:
        print(_told(error), file=sys.stderr)
        if writer.counts.total():
            print(f"until then: {writer}", file=sys.stderr)
        return 1
    print(writer)
    return 0


def _write_all(made: list[OrderChange], rate: float | None, writer: Writer) -> None:
    """Write the changes, no more in a second than the rate allows."""
    started, written = time.monotonic(), 0
    size = BATCH_LIMIT if rate is None else max(1, min(BATCH_LIMIT, int(rate)))
    with tqdm(total=len(made), unit=" changes", disable=None, leave=False) as progress:
        for batch in batches(made, size):
            writer.write(batch)
            progress.update(len(batch))  # Its own count stands still where nobody sees it.
            written += len(batch)
            if rate is not None:
                time.sleep(max(0.0, started + written / rate - time.monotonic()))


def batches(made: Iterable[OrderChange], size: int = BATCH_LIMIT) -> Iterator[list[OrderChange]]:
    """Yield the changes in batches of distinct orders, which is what BatchWriteItem takes.

    The changes of one order stay in their order; otherwise a batch takes the earliest it can.
    """
    waiting = deque(made)
    while waiting:
        batch: dict[str, OrderChange] = {}
        skipped = []
        while waiting and len(batch) < size:
            change = waiting.popleft()
            if change.order_id in batch:
                skipped.append(change)
            else:
                batch[change.order_id] = change
        waiting.extendleft(reversed(skipped))
        yield list(batch.values())


def _request(change: OrderChange) -> dict[str, Any]:
    if change.after is None:
        return {"DeleteRequest": {"Key": {"order_id": {"S": change.order_id}}}}
    item = {name: SERIALIZER.serialize(value) for name, value in change.after.items()}
    return {"PutRequest": {"Item": item}}


def _order_id(request: dict[str, Any]) -> str:
    key = (
        request["PutRequest"]["Item"]
        if "PutRequest" in request
        else request["DeleteRequest"]["Key"]
    )
    return key["order_id"]["S"]


def _told(error: Exception) -> str:
    """Return what went wrong, and what to run where a script can mend it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code == "ResourceNotFoundException":
        return f"table {TABLE} is missing: run python setup/01_dynamodb.py"
    return error_message(error)


def _options() -> Options:
    today = datetime.now(timezone.utc).date()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, (reads, default, shown, meaning) in {
        "--orders": (_whole, 400, "N", "how many orders; default 400"),
        "--seed": (_whole, 1, "S", "of all that is left to chance; default 1"),
        "--rate": (_rate, None, "PER_SECOND", "changes a second; default: as many as go"),
        "--removals": (
            _fraction,
            "0.04",
            "FRACTION",
            "of the orders, purged in the end; default 0.04",
        ),
        "--until": (
            _day,
            today,
            "DAY",
            f"{HISTORY_DAYS} days of orders end here; default today, UTC",
        ),
    }.items():
        parser.add_argument(name, type=reads, default=default, metavar=shown, help=meaning)
    asked = parser.parse_args()
    return Options(Plan(asked.orders, asked.seed, asked.removals, asked.until), asked.rate)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not SLOWEST <= rate < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number, at least {SLOWEST}, found {text!r}")
    return rate


def _fraction(text: str) -> Fraction:
    try:
        fraction = Fraction(text)
    except (ValueError, ZeroDivisionError):
        fraction = Fraction(-1)
    if not 0 <= fraction <= 1:
        raise argparse.ArgumentTypeError(f"expected a fraction from 0 to 1, found {text!r}")
    return fraction


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 1970 < day.year < 3000:
        raise argparse.ArgumentTypeError(f"expected a day such as 2026-11-23, found {text!r}")
    return day


if __name__ == "__main__":
    sys.exit(main())
