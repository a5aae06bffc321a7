"""Bring back deleted and damaged objects of the lake, from the versions that S3 keeps.

An object is damaged if queries cannot read it: it cannot be decompressed, or is not lines of JSON.
Its last good version is copied on top of its present state, which stays as an older version. Unlike
verify --repair, this restores the history, not only the state. Use --dry-run first: objects that
were deleted on purpose are brought back too, unless their versions were deleted with them.

Read are objects that were overwritten and objects that Firehose did not write; all with --read-all.
The exit status is 0 if no object is deleted or damaged, or all are restored, and 1 if one has no
good version.
"""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError
from collections.abc import Sequence

import boto3

from operations.cli import add_json_option, argument_parser, print_report, run_command
from operations.lake_objects import LakeVersions
from operations.restore.report import RestoreReport
from setup.names import LAKE, bucket


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    """Restore, and print the report even if that ends with an error."""
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


def _lake_prefix(text: str) -> str:
    if not text.startswith(LAKE):
        raise ArgumentTypeError(f"expected a prefix such as {LAKE}dt=2026-11-18/, found {text!r}")
    return text


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("restore", __doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="report what would be restored without changing anything",
    )
    parser.add_argument(
        "--prefix",
        type=_lake_prefix,
        default=LAKE,
        help=f"only objects whose keys begin so (default: {LAKE})",
    )
    parser.add_argument(
        "--read-all",
        action="store_true",
        help="read every object, not only suspicious ones",
    )
    add_json_option(parser)
    return parser.parse_args(argv)
