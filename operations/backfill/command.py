"""Send every item of the table into the lake.

This is for a table that is older than its stream. Each item becomes a SNAPSHOT change that ranks
below every change of the table's current stream, so it overwrites nothing newer and may be sent
again. A checkpoint file records the progress: run the command again to resume after an
interruption.

Backfill does not repair changes lost within the current stream, and does not see items that were
removed while the table had no stream: for both, run python -m operations.verify --repair.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
from tqdm import tqdm

from operations import firehose
from operations.backfill.checkpoint import Checkpoint
from operations.backfill.completion import record_completion
from operations.backfill.scope import describe_scope
from operations.cli import argument_parser, rate, run_command
from operations.kinesis_writer import (
    DEFAULT_RATE,
    ITEM_TOO_LARGE,
    DryRunSender,
    OutgoingRecord,
    Sender,
)
from operations.table import Item, Page, Table
from setup.names import PIPE, TABLE
from terminal.arguments import output_file
from terminal.text import count
from transform import canonical
from transform.snapshot import backfill_record

DEFAULT_CHECKPOINT = Path(__file__).resolve().parents[2] / "build" / f"backfill-{TABLE}.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return 0 when every item was sent."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    table = Table.describe(boto3.client("dynamodb"), TABLE)
    require_pipeline(table)
    start = Checkpoint.read(args.checkpoint, describe_scope(table, is_dry_run=args.dry_run))
    if start.sent:
        items = count(start.sent, "item")
        print(f"resuming from {args.checkpoint}: {items} already sent", flush=True)
    sender_class = DryRunSender if args.dry_run else Sender
    sender = sender_class(boto3.client("kinesis"), rate=args.rate)
    checkpoint_path = None if args.dry_run else args.checkpoint
    try:
        end = send_items(table, start, sender, checkpoint_path)
    except KeyboardInterrupt:
        if checkpoint_path:
            print("interrupted; run again to resume", file=sys.stderr)
        raise
    if checkpoint_path:
        if not end.oversized:
            record_completion(table.require_stream())
        checkpoint_path.unlink(missing_ok=True)
    _print_summary(end, sender, args.dry_run)
    return 1 if end.oversized else 0


def require_pipeline(table: Table) -> None:
    """Raise PipelineNotReady if a change made after an item's snapshot would not reach the lake."""
    stream = table.require_stream()
    firehose.require_active()
    pipe = boto3.client("pipes").describe_pipe(Name=PIPE)
    if pipe["Source"] != stream:
        raise firehose.PipelineNotReady(
            f"pipe {PIPE} reads {pipe['Source']}, but the table's stream is {stream}: "
            f"run python setup/07_pipe.py"
        )
    if pipe["CurrentState"] != "RUNNING":
        raise firehose.PipelineNotReady(
            f"pipe {PIPE} is {pipe['CurrentState']}: run python setup/08_start_pipe.py"
        )


def send_items(
    table: Table, start: Checkpoint, sender: Sender, checkpoint_path: Path | None
) -> Checkpoint:
    """Send the items after a checkpoint, and return the checkpoint at the end.

    The file is written after Kinesis has acknowledged a page, so it is never ahead.
    """
    checkpoint = start
    pages = table.scan_pages(
        start.start_keys(table), len(start.segments), dict, page_size=sender.batch_size
    )
    with tqdm(
        desc="backfill",
        unit=" items",
        total=table.item_count or None,
        initial=start.sent,
        disable=None,
    ) as bar:
        for page in pages:
            oversized = sender.send(page_records(page, table, start.scope.table_stream))
            checkpoint = checkpoint.advance(page, oversized)
            if checkpoint_path:
                checkpoint.write(checkpoint_path)
            bar.update(len(page.items))
    return checkpoint


def page_records(page: Page[Item], table: Table, stream: str) -> Iterator[OutgoingRecord]:
    """Yield the snapshot records of a page's items."""
    for item in page.items:
        key = table.key_of(item)
        record = backfill_record(key, item, stream, page.read_at)
        yield OutgoingRecord(canonical(key), record)


def _print_summary(end: Checkpoint, sender: Sender, is_dry_run: bool) -> None:
    for key in end.oversized:
        print(f"left       {key}  {ITEM_TOO_LARGE}")
    oversized = f"; {len(end.oversized)} left, too large for Kinesis" if end.oversized else ""
    if is_dry_run:
        print(f"would send {count(sender.sent_count, 'item')}{oversized}")
    else:
        print(
            f"sent {count(end.sent, 'item')}{oversized}; they reach the lake within about "
            f"{firehose.max_delay_seconds():g} s: then run python -m operations.verify"
        )


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("backfill", __doc__)
    parser.add_argument(
        "--rate",
        type=rate,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"maximum items per second (default: {DEFAULT_RATE:g})",
    )
    parser.add_argument("--dry-run", action="store_true", help="read every item, but send none")
    parser.add_argument(
        "--checkpoint",
        type=output_file,
        default=DEFAULT_CHECKPOINT,
        metavar="FILE",
        help="file that records progress, used to resume (default: build/backfill-TABLE.json)",
    )
    return parser.parse_args(argv)
