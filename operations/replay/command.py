"""Send failed records again once their cause is fixed: error objects and dead letters.

Records that the transform accepts now go back into Kinesis, and their objects to replayed/ with an
audit. All others stay where they are, with the reason in the report, unless an option lets them be
archived: --repaired what can never be replayed (too large, expired, never a change), and
--archive-rejected also changes that the transform rejects, which a corrected one might accept.
The exit status is 0 if nothing stays, else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing

import boto3

from operations.cli import add_json_option, argument_parser, print_report, rate, run_command
from operations.kinesis_writer import DEFAULT_RATE, Sender
from operations.replay.audit import Archive
from operations.replay.dead_letters import DeadLetterQueue, TableStreams
from operations.replay.error_objects import ErrorObjects
from operations.replay.preflight import find_blocker
from operations.replay.replayer import Replayer
from operations.replay.summary import ReplaySummary
from setup.names import DEAD_LETTERS, bucket

FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    """Replay, and print the summary even if the replay ends with an error."""
    blocker = find_blocker()
    if blocker:
        print(blocker, file=sys.stderr)
        if not args.dry_run:
            return FAILED
    total = ReplaySummary()
    try:
        with closing(_replayer(args).replay_all()) as summaries:
            for summary in summaries:
                total.add(summary)
    except BaseException:
        if total.record_counts:
            _print_summary(total, args, is_whole=False)
        raise
    _print_summary(total, args)
    return total.status


def _replayer(args: argparse.Namespace) -> Replayer:
    sender = Sender(boto3.client("kinesis"), rate=args.rate)
    return Replayer(
        error_objects=ErrorObjects(boto3.client("s3"), bucket()),
        dead_letters=DeadLetterQueue(boto3.client("sqs"), DEAD_LETTERS),
        streams=TableStreams(boto3.client("dynamodbstreams")),
        send=None if args.dry_run else sender.send,
        archive=args.archive,
    )


def _print_summary(total: ReplaySummary, args: argparse.Namespace, is_whole: bool = True) -> None:
    document = {"dry_run": args.dry_run, "whole": is_whole, **total.document()}
    print_report(total.lines(args.dry_run), document, args.json)


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("replay", __doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="report what would be replayed without changing anything",
    )
    parser.set_defaults(archive=Archive.NOTHING)
    archive = parser.add_mutually_exclusive_group()
    archive.add_argument(
        "--repaired",
        action="store_const",
        dest="archive",
        const=Archive.UNRECOVERABLE,
        help="also archive what can never be replayed (run verify --repair first)",
    )
    archive.add_argument(
        "--archive-rejected",
        action="store_const",
        dest="archive",
        const=Archive.REJECTED,
        help="also archive what the transform rejects (run verify --repair first)",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"maximum records per second (default: {DEFAULT_RATE:g})",
    )
    add_json_option(parser)
    return parser.parse_args(argv)
