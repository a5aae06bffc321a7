"""Send failed records again once their cause is fixed: error objects and dead letters.

Records that the transform accepts now go back into Kinesis, and their objects to replayed/ with an
audit. All others stay where they are, with the reason in the report, unless an option lets them be
archived: --repaired what can never be replayed (too large, expired, never a change), and
--archive-rejected also changes that the transform rejects, which a corrected one might accept.

With --from-kinesis it instead sends again every change that the Kinesis stream still holds since a
time: for changes that Firehose did not deliver because it was made again, or lost. The stream holds
24 hours. It is harmless to send too much, or to do it twice.

Then it waits until what it sent is in the lake, and compares these keys with the table: a change
that is older than what the lake lacks would become the current state. The exit status is 0 if
nothing stays and all keys are right, 1 if not, and 2 if keys kept changing meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from time import sleep

import boto3

from operations import in_flight
from operations.cli import (
    add_json_option,
    argument_parser,
    past_time,
    print_report,
    rate,
    run_command,
)
from operations.kinesis_writer import DEFAULT_RATE, OutgoingRecord, Sender
from operations.replay.audit import Archive
from operations.replay.dead_letters import DeadLetterQueue, TableStreams
from operations.replay.error_objects import ErrorObjects
from operations.replay.kinesis_reader import KinesisReader
from operations.replay.kinesis_replayer import KinesisReplayer
from operations.replay.preflight import find_blocker
from operations.replay.replayer import Replayer
from operations.replay.report import ReplayReport
from operations.replay.summary import ReplaySummary
from operations.replay.text_set import SentKeys
from operations.replay.verification import VERIFY_COMMAND, SentKeysResult, verify_sent_keys
from operations.table import Table
from setup.names import DEAD_LETTERS, STREAM, TABLE, bucket
from terminal.arguments import number

FAILED = 1
MAX_WAIT = 7 * 86_400  # seconds; a longer wait is a typing error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    """Replay and verify, and print the report even if either ends with an error."""
    blocker = find_blocker()
    if blocker:
        print(blocker, file=sys.stderr)
        if not args.dry_run:
            return FAILED
    report = ReplayReport(args.dry_run, _empty_summary(args))
    with closing(SentKeys()) as sent_keys:
        try:
            _replay(args, sent_keys, report.summary)
            report.is_whole = True
            report.sent_key_count = sent_keys.count
            if args.verify and sent_keys.count:
                report.verification = _verify(args, sent_keys)
        except BaseException:
            if report.summary.record_counts:
                print_report(report.lines(), report.document(), args.json)
            raise
    print_report(report.lines(), report.document(), args.json)
    return report.status


def _empty_summary(args: argparse.Namespace) -> ReplaySummary:
    if args.from_kinesis:
        return ReplaySummary(sources=f"no records in stream {STREAM} since then")
    return ReplaySummary()


def _replay(args: argparse.Namespace, sent_keys: SentKeys, total: ReplaySummary) -> None:
    """Replay from every source, and add up what happened to each record."""
    sender = Sender(boto3.client("kinesis"), rate=args.rate)

    def send(records: Iterable[OutgoingRecord]) -> None:
        sender.send(sent_keys.note(records))

    with closing(_summaries(args, None if args.dry_run else send)) as summaries:
        for summary in summaries:
            total.add(summary)


def _summaries(
    args: argparse.Namespace, send: Callable[[Iterable[OutgoingRecord]], None] | None
) -> Generator[ReplaySummary, None, None]:
    """Return the summaries of the replay that the arguments ask for."""
    if args.from_kinesis:
        reader = KinesisReader(boto3.client("kinesis"), STREAM)
        _warn_of_missing_records(reader.oldest_time(), args.from_kinesis)
        return KinesisReplayer(reader, send).replay_since(args.from_kinesis)
    replayer = Replayer(
        error_objects=ErrorObjects(boto3.client("s3"), bucket()),
        dead_letters=DeadLetterQueue(boto3.client("sqs"), DEAD_LETTERS),
        streams=TableStreams(boto3.client("dynamodbstreams")),
        send=send,
        archive=args.archive,
    )
    return replayer.replay_all()


def _warn_of_missing_records(oldest: datetime, since: datetime) -> None:
    if oldest > since:
        oldest_text = f"{oldest.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        print(
            f"stream {STREAM} holds nothing from before {oldest_text}: run "
            f"{VERIFY_COMMAND} --gaps to find what is missing",
            file=sys.stderr,
        )


def _verify(args: argparse.Namespace, sent_keys: SentKeys) -> SentKeysResult:
    table = Table.describe(boto3.client("dynamodb"), TABLE)
    seconds = in_flight.max_delay_seconds() if args.wait is None else args.wait
    return verify_sent_keys(table, sent_keys, lambda: _wait(seconds))


def _wait(seconds: float) -> None:
    if seconds:
        note = f"waiting {seconds:g} s until the replayed changes are in the lake"
        print(note, file=sys.stderr, flush=True)
        sleep(seconds)


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("replay", __doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="report what would be replayed without changing anything",
    )
    parser.add_argument(
        "--from-kinesis",
        type=past_time,
        metavar="SINCE",
        help="send again what Kinesis holds since a time (UTC) or 24h",
    )
    _add_archive_options(parser)
    parser.add_argument(
        "--rate",
        type=rate,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"maximum records per second (default: {DEFAULT_RATE:g})",
    )
    _add_verify_options(parser)
    add_json_option(parser)
    args = parser.parse_args(argv)
    if args.from_kinesis and args.archive is not Archive.NOTHING:
        parser.error("argument --from-kinesis: not allowed with --repaired or --archive-rejected")
    return args


def _add_archive_options(parser: argparse.ArgumentParser) -> None:
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


def _add_verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=number(maximum=MAX_WAIT, unit="seconds"),
        metavar="SECONDS",
        help="wait before verifying (default: as long as the buffers hold a change)",
    )
    parser.add_argument(
        "--no-verify",
        action="store_false",
        dest="verify",
        help="do not compare what was sent with the table",
    )
