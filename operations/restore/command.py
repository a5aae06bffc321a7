"""Bring back deleted and damaged objects of the lake, or the table's items as of a time.

An object is damaged if queries cannot read it: it cannot be decompressed, or is not lines of JSON.
Its last good version is copied on top of its present state, which stays as an older version. Unlike
verify --repair, this restores the history, not only the state. Use --dry-run first: objects that
were deleted on purpose are brought back too, unless their versions were deleted with them.

Read are objects that were overwritten and objects that Firehose did not write; all with --read-all.

With --as-of, it writes the items that the lake had at a time into another, empty table, and proves
that a scan of that table equals the lake as of then. It refuses a time for which the history is
incomplete. Into the pipeline's own table it writes only single items, named with --key, and only
with --yes. Killed, it continues when it is run again.

The exit status is 0 if no object is deleted or damaged, or all are restored, and 1 if one has no
good version; with --as-of, 0 if the table equals the lake as of then, else 1.
"""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import datetime

import boto3

from operations.cli import (
    add_json_option,
    argument_parser,
    item_key,
    past_time,
    print_report,
    rate,
    run_command,
)
from operations.lake_objects import LakeVersions
from operations.restore.report import RestoreReport
from operations.restore.table_restore import (
    TableRestore,
    refuse_masked_items,
    refuse_unknown_time,
)
from operations.state_as_of import StateAsOf
from operations.table_writer import TableWriter
from setup.names import LAKE, TABLE, bucket
from terminal.text import count

DEFAULT_RATE = 1000.0  # items per second: a quarter of what a new on-demand table accepts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run_as_of(args) if args.as_of else _run(args))


def _run(args: argparse.Namespace) -> int:
    """Restore objects, and print the report even if that ends with an error."""
    versions = LakeVersions(boto3.client("s3"), bucket())
    report = RestoreReport(args.dry_run)
    try:
        for damaged_object in versions.find_damaged(args.prefix, read_all=args.read_all):
            if damaged_object.good_version and not args.dry_run:
                versions.restore(damaged_object)
            report.objects.append(damaged_object)
    except BaseException:
        if report.objects:
            print_report(report.lines(), report.document(), args.json)
        raise
    print_report(report.lines(), report.document(), args.json)
    return report.status


def _run_as_of(args: argparse.Namespace) -> int:
    """Restore items as of a time into a table, and print what was done."""
    if args.table == TABLE:
        refuse_masked_items()
    state = StateAsOf(args.as_of, frozenset(args.key or ()), args.where or "true")
    refuse_unknown_time(state)
    restore = TableRestore.into(state, args.table)
    if not args.accept_gaps:
        restore.refuse_unknown_state()
    counts = restore.run(None if args.dry_run else TableWriter(restore.table, args.rate))
    items = count(counts["items"], "item")
    line = f"{items} as of {state.timestamp} UTC into {args.table}"
    if args.dry_run:
        line = f"would restore {line}: {counts['to_write']} to write"
    else:
        line = f"restored {line}: it equals the lake as of then, {counts['written']} were written"
    document = {"as_of": state.timestamp, "table": args.table, "dry_run": args.dry_run, **counts}
    print_report([line], document, args.json)
    return 0


def _lake_prefix(text: str) -> str:
    if not text.startswith(LAKE):
        raise ArgumentTypeError(f"expected a prefix such as {LAKE}dt=2026-11-18/, found {text!r}")
    return text


def _past_second(text: str) -> datetime:
    return past_time(text).replace(microsecond=0)


def _table_name(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", text):
        raise ArgumentTypeError(f"expected the name of a table, found {text!r}")
    return text


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("restore", __doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="report what would be restored without changing anything",
    )
    parser.add_argument(
        "--prefix", type=_lake_prefix, help=f"only objects whose keys begin so (default: {LAKE})"
    )
    parser.add_argument(
        "--read-all", action="store_true", help="read every object, not only suspicious ones"
    )
    _add_as_of_options(parser)
    add_json_option(parser)
    args = parser.parse_args(argv)
    _check_options(parser, args)
    args.prefix = args.prefix or LAKE
    args.rate = args.rate or DEFAULT_RATE
    return args


def _add_as_of_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("items as of a time")
    group.add_argument(
        "--as-of",
        type=_past_second,
        metavar="TIME",
        help="restore a table as of a time (UTC, whole seconds) or 24h ago",
    )
    group.add_argument("--table", type=_table_name, help="empty table to restore into")
    scope = group.add_mutually_exclusive_group()
    scope.add_argument(
        "--where", metavar="SQL", help="only items whose columns meet a condition of SQL"
    )
    scope.add_argument(
        "--key", type=item_key, action="append", metavar="JSON", help="only this key; repeatable"
    )
    group.add_argument("--yes", action="store_true", help=f"restore single items into {TABLE}")
    group.add_argument(
        "--accept-gaps",
        action="store_true",
        help="restore what the lake has although its history is incomplete",
    )
    group.add_argument(
        "--rate",
        type=rate,
        metavar="N",
        help=f"maximum items per second (default: {DEFAULT_RATE:g})",
    )


def _check_options(parser: ArgumentParser, args: argparse.Namespace) -> None:
    """Exit with a usage error unless the options go together."""
    if not args.as_of:
        for name in ("table", "where", "key", "yes", "accept_gaps", "rate"):
            if getattr(args, name):
                parser.error(f"argument --{name.replace('_', '-')}: not allowed without --as-of")
        return
    if args.prefix or args.read_all:
        option = "--prefix" if args.prefix else "--read-all"
        parser.error(f"argument {option}: not allowed with argument --as-of")
    if not args.table:
        parser.error("argument --as-of: name the table to restore into with --table")
    if args.table == TABLE and not (args.key and args.yes):
        parser.error(
            f"argument --table: {TABLE} is the pipeline's own table: name single items with --key, "
            f"and add --yes"
        )
