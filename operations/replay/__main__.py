"""Send again what failed, now that its cause is mended: error objects and dead letters.

What the transform accepts now goes back into Kinesis and its object to replayed/, with an audit;
all else stays, with its reason. Ends with 0 when nothing stays, else with 1.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing

import boto3

from operations import arguments as given
from operations.cli import exit_status
from operations.kinesis_writer import RATE, Sender
from operations.replay.dead_letters import DeadLetters, Stream
from operations.replay.error_objects import ErrorObjects
from operations.replay.preflight import obstacle
from operations.replay.replayer import Replay
from operations.replay.summary import Tally
from operations.report import add_json, tell
from setup.names import DEAD_LETTERS, bucket

FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks, and return the exit status."""
    options = _options(arguments)
    return exit_status(lambda: _replayed(options))


def _replayed(options: argparse.Namespace) -> int:
    """Replay, and tell what came of it, also where it could not go on to the end."""
    if blocked := obstacle():
        print(blocked, file=sys.stderr)
        if not options.dry_run:
            return FAILED
    total = Tally()
    try:
        with closing(_replay(options).tallies()) as tallies:
            for tally in tallies:
                total.add(tally)
    except BaseException:
        if total.found:
            _tell(total, options, is_whole=False)
        raise
    _tell(total, options)
    return total.status


def _replay(options: argparse.Namespace) -> Replay:
    sender = Sender(boto3.client("kinesis"), rate=options.rate)
    return Replay(
        ErrorObjects(boto3.client("s3"), bucket()),
        DeadLetters(boto3.client("sqs"), DEAD_LETTERS),
        Stream(boto3.client("dynamodbstreams")),
        None if options.dry_run else sender.send,
        options.repaired,
    )


def _tell(total: Tally, options: argparse.Namespace, is_whole: bool = True) -> None:
    told = {"dry_run": options.dry_run, "whole": is_whole, **total.document()}
    tell(total.lines(options.dry_run), told, options.json)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operations.replay", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="tell it all, change nothing")
    parser.add_argument(
        "--repaired",
        action="store_true",
        help="file what no replay can bring back too: verify --repair has mended it",
    )
    parser.add_argument(
        "--rate",
        type=given.rate,
        default=RATE,
        metavar="N",
        help=f"put at most N records a second into Kinesis; default: {RATE:.0f}",
    )
    add_json(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
