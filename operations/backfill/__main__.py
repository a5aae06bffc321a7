"""Send every item of the table into the lake, down the road of every change.

For a table older than its stream. An item becomes a SNAPSHOT change that ranks below every change
of the table's present stream, so it overwrites nothing newer, and may be sent again. Where it was
stopped or killed, it goes on: a small file says how far it is. It mends no change that was lost
within the present stream, and sees no item that was removed while no stream looked: for both, run
python -m operations.verify --repair.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
from tqdm import tqdm

from operations import arguments as given
from operations import firehose as delivery
from operations.backfill.checkpoint import Checkpoint
from operations.cli import exit_status
from operations.kinesis_writer import RATE, Outgoing, Rehearsal, Sender
from operations.table import Page, Table
from operations.verify.repair import TOO_LARGE
from setup.names import PIPE, TABLE
from transform import canonical
from transform.snapshot import backfill_record

CHECKPOINT = Path(__file__).resolve().parent.parent.parent / "build" / f"backfill-{TABLE}.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks, and return 0 when every item was sent."""
    options = _options(arguments)
    return exit_status(lambda: _backfill(options))


def _backfill(options: argparse.Namespace) -> int:
    table = Table.described(boto3.client("dynamodb"), TABLE)
    check_road(table)
    begun = Checkpoint.read(options.checkpoint, table)
    if begun.sent:
        print(f"going on after {begun.sent} items, as {options.checkpoint} says", flush=True)
    sender = (Rehearsal if options.dry_run else Sender)(boto3.client("kinesis"), rate=options.rate)
    file = None if options.dry_run else options.checkpoint
    try:
        ended = backfilled(table, begun, sender, file)
    except KeyboardInterrupt:
        if file:
            print("stopped: run it again, and it goes on from here", file=sys.stderr)
        raise
    return _told(ended, sender, file)


def check_road(table: Table) -> None:
    """Refuse where a change after the snapshot of its item would not reach the lake."""
    stream = table.checked_stream()
    delivery.check_active()
    pipe = boto3.client("pipes").describe_pipe(Name=PIPE)
    if pipe["Source"] != stream:
        raise delivery.NotReady(
            f"pipe {PIPE} reads {pipe['Source']}, but the table's stream is {stream}: "
            f"run python setup/07_pipe.py"
        )
    if pipe["CurrentState"] != "RUNNING":
        raise delivery.NotReady(
            f"pipe {PIPE} is {pipe['CurrentState']}: run python setup/08_start_pipe.py"
        )


def backfilled(table: Table, begun: Checkpoint, sender: Sender, file: Path | None) -> Checkpoint:
    """Send what is left of a backfill; the file is never ahead of what Kinesis acknowledged."""
    state, total = begun, table.item_count or None
    with tqdm(desc="backfill", unit=" items", total=total, initial=begun.sent, disable=None) as bar:
        for page in table.pages(begun.starts(table), len(begun.segments), sender.most):
            state = state.after(page, sender.send(records(page, table, begun.stream)))
            if file:
                state.write(file)
            bar.update(len(page.items))
    return state


def records(page: Page, table: Table, stream: str) -> Iterator[Outgoing]:
    """Return the records of a page's items."""
    for item in page.items:
        key = table.key(item)
        yield Outgoing(canonical(key), backfill_record(key, item, stream, page.read_at))


def _told(ended: Checkpoint, sender: Sender, file: Path | None) -> int:
    """Say what was sent and what is to be done, and return the exit status."""
    for key in ended.left:
        print(f"left       {key}  {TOO_LARGE}")
    left = f"; {len(ended.left)} left, too large for Kinesis" if ended.left else ""
    if file is None:
        print(f"would send {sender.sent} items{left}")
        return min(len(ended.left), 1)
    file.unlink(missing_ok=True)
    print(
        f"sent {ended.sent} items{left}; all are in the lake in about {delivery.delay():g} s: "
        f"then run python -m operations.verify"
    )
    return min(len(ended.left), 1)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m operations.backfill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rate",
        type=given.rate,
        default=RATE,
        metavar="N",
        help=f"items a second; default: {RATE:g}, which leaves room for the changes",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read every item, and send none of them"
    )
    parser.add_argument(
        "--checkpoint",
        type=given.new_file,
        default=CHECKPOINT,
        metavar="FILE",
        help="how far it is; default: build/backfill-TABLE.json",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
