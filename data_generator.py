"""Write the histories of sales orders into the orders table, sorted by time.

The same seed and day give the same orders: a second run writes the same keys again and leaves the
table as it was. The printed counts assume that the table does not have these orders yet.
"""

import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from tqdm import tqdm

from sales.order_lifecycle import HISTORY_DAYS, OrderChange, Plan, generate_changes
from setup.lib.backoff import backoff
from setup.lib.cli import INTERRUPTED, argument_parser, exit_status
from setup.lib.errors import UserError
from setup.names import TABLE
from terminal.arguments import day, fraction, number, whole_number
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        WriteRequestOutputTypeDef,
        WriteRequestUnionTypeDef,
    )

BATCH_LIMIT = 25  # BatchWriteItem accepts 25 items; 25 of 400 KB are below its 16 MB.
RETRY_SECONDS = 120.0  # How long a batch is retried while the table is throttling.
LONGEST_PAUSE = 5.0  # Seconds between two attempts.
MIN_RATE = 0.001  # Changes per second.
THROTTLING_CODES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
SERIALIZER = TypeSerializer()


class TableThrottled(UserError):
    """The table rejected writes for too long."""


@dataclass(frozen=True, slots=True)
class Options:
    """The parsed command line."""

    plan: Plan
    rate: float | None


class Writer:
    """Writes changes into the table and counts them by operation."""

    def __init__(self, table: str) -> None:
        self.counts: Counter[str] = Counter(INSERT=0, MODIFY=0, REMOVE=0)
        self._table = table

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        return boto3.client("dynamodb")

    def write(self, batch: list[OrderChange]) -> None:
        """Write changes of distinct orders; rejected writes are retried with backoff."""
        pending = {change.order_id: change for change in batch}
        deadline = time.monotonic() + RETRY_SECONDS
        pauses = backoff(0.05, LONGEST_PAUSE)
        while pending := self._write_once(pending):
            if time.monotonic() > deadline:
                raise TableThrottled(
                    f"table {self._table} is throttling: it rejected writes for "
                    f"{RETRY_SECONDS:.0f} s; run this again later"
                )
            time.sleep(random.uniform(0, next(pauses)))

    def _write_once(self, pending: dict[str, OrderChange]) -> dict[str, OrderChange]:
        """Write the pending changes, and return those that the table rejected."""
        requests = [_write_request(change) for change in pending.values()]
        try:
            response = self._dynamodb.batch_write_item(RequestItems={self._table: requests})
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in THROTTLING_CODES:
                return pending
            if code == "ResourceNotFoundException":
                raise UserError(
                    f"table {self._table} is missing: run python setup/01_dynamodb.py"
                ) from error
            raise
        unprocessed = response["UnprocessedItems"].get(self._table, [])
        rejected = {_order_id(request) for request in unprocessed}
        self.counts.update(
            change.operation for key, change in pending.items() if key not in rejected
        )
        return {key: change for key, change in pending.items() if key in rejected}

    def summary(self) -> str:
        """Return the number of changes written, in total and by operation."""
        by_operation = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        changes = count(self.counts.total(), "change")
        return f"{changes} written to table {self._table}: {by_operation}"


def main() -> int:
    """Write the orders that the command line describes, and return the exit status."""
    options = _parse_arguments()
    writer = Writer(TABLE)

    def write_orders() -> int:
        _write_all(generate_changes(options.plan), options.rate, writer)
        print(writer.summary())
        return 0

    status = exit_status(write_orders)
    if status == INTERRUPTED:
        print(f"interrupted: {writer.summary()}", file=sys.stderr)
    elif status and writer.counts.total():
        print(f"written before the error: {writer.summary()}", file=sys.stderr)
    return status


def _write_all(changes: list[OrderChange], rate: float | None, writer: Writer) -> None:
    """Write the changes, at most `rate` per second."""
    started_at = time.monotonic()
    write_count = 0
    batch_size = BATCH_LIMIT if rate is None else max(1, min(BATCH_LIMIT, int(rate)))
    with tqdm(total=len(changes), unit=" changes", disable=None, leave=False) as progress:
        for batch in batches(changes, batch_size):
            writer.write(batch)
            progress.update(len(batch))
            write_count += len(batch)  # A disabled progress bar does not count.
            if rate is not None:
                time.sleep(max(0.0, started_at + write_count / rate - time.monotonic()))


def batches(changes: Iterable[OrderChange], size: int = BATCH_LIMIT) -> Iterator[list[OrderChange]]:
    """Yield the changes in batches of distinct orders, as BatchWriteItem requires.

    The changes of one order keep their order; apart from that, a batch takes the earliest changes.
    """
    queue = deque(changes)
    while queue:
        batch: dict[str, OrderChange] = {}
        skipped = []
        while queue and len(batch) < size:
            change = queue.popleft()
            if change.order_id in batch:
                skipped.append(change)
            else:
                batch[change.order_id] = change
        queue.extendleft(reversed(skipped))
        yield list(batch.values())


def _write_request(change: OrderChange) -> "WriteRequestUnionTypeDef":
    if change.after is None:
        return {"DeleteRequest": {"Key": {"order_id": {"S": change.order_id}}}}
    item = {name: SERIALIZER.serialize(value) for name, value in change.after.items()}
    return {"PutRequest": {"Item": item}}


def _order_id(request: "WriteRequestOutputTypeDef") -> str:
    if "PutRequest" in request:
        return request["PutRequest"]["Item"]["order_id"]["S"]
    return request["DeleteRequest"]["Key"]["order_id"]["S"]


def _parse_arguments() -> Options:
    today = datetime.now(UTC).date()
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--orders",
        type=whole_number(),
        default=400,
        metavar="N",
        help="number of orders (default: 400)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(),
        default=1,
        metavar="N",
        help="random seed for the orders (default: 1)",
    )
    parser.add_argument(
        "--rate",
        type=number(MIN_RATE),
        metavar="N",
        help="maximum number of changes per second (default: unlimited)",
    )
    parser.add_argument(
        "--removals",
        type=fraction,
        default="0.04",
        metavar="FRACTION",
        help="fraction of orders to delete at the end (default: 0.04)",
    )
    parser.add_argument(
        "--until",
        type=day,
        default=today,
        metavar="DAY",
        help=f"end of the {HISTORY_DAYS} days of orders, exclusive (default: today in UTC)",
    )
    args = parser.parse_args()
    return Options(Plan(args.orders, args.seed, args.removals, args.until), args.rate)


if __name__ == "__main__":
    sys.exit(main())
