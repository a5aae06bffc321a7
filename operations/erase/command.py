"""Erase what the lake has of items that the table no longer has, and prove that it is erased.

Images and attributes of their rows go; keys, ranks and times stay, so the history still counts the
changes. It sends a tombstone for each key, rewrites the objects that hold its rows, also below
errors/ and replayed/, deletes older versions that hold them and all results of queries, drops the
copy (operations.compact copies the lake again), and then reads every version of every object of the
bucket until none holds them. Killed, it continues when it is run again.

A late copy of a change can bring content back: run --check a day later. The exit status is 0 if
nothing is held, and 1 if something is, or if an item cannot be erased, or is not wholly erased yet.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from shlex import quote

import boto3

from operations import firehose
from operations.cli import add_json_option, argument_parser, item_key, print_report, run_command
from operations.erase import scope
from operations.erase.erasing import NO_LIMIT, Limits
from operations.erase.versions import BucketVersions
from operations.kinesis_writer import Sender
from operations.lake_copy.parts import drop_copy
from operations.lake_objects import LakeVersions
from operations.running_queries import wait_for_queries
from operations.table import Table
from setup.names import QUERIES, TABLE, bucket
from terminal.text import count

MAX_SCANS = 5  # of the bucket, while others write into it
REMAINS = (
    "the key and the times of its changes: in rows, tombstones and audits, for good",
    "changes in the table's stream and in Kinesis: for 24 hours, in which "
    "replay --from-kinesis would bring them back",
    "dead letters: for 14 days; they name changes, without their content",
    "the table's own backups: for 35 days; exports and other backups until you delete them",
    "the text of queries, such as that of --where, in Athena's history: for 45 days",
)
SUSPICION = (
    "it cannot be read, or has a text of an erased item where it names no key: look at it, and "
    "delete it with its versions"
)
ERASE = "python -m operations.erase"
CHECK = f"run {ERASE} --check in a day: a late copy can bring content back"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _check(args) if args.check else _erase(args))


def _erase(args: argparse.Namespace) -> int:
    """Erase the items that the arguments name, and print the report."""
    table = Table.describe(boto3.client("dynamodb"), TABLE)
    earlier = scope.ErasedKeys.fetch_settled()
    # Nothing tells up to where to erase an item whose tombstone is lost: it may have been there
    # again since, and nobody asked to erase that. All others are continued, up to their tombstones.
    unfinished = earlier.without_tombstone - table.get_items(earlier.without_tombstone).keys()
    keys = set(args.key) if args.key else scope.keys_where(args.where)
    scope.refuse_existing_items(table, keys)
    rows = scope.latest_rows(keys) if keys else {}
    paths = scope.object_keys(keys) if keys else []
    if args.dry_run:
        items = f"{count(len(keys), 'item')} in {count(len(paths), 'object')}"
        document = {"keys": sorted(keys), "objects": paths}
        print_report([f"would erase {items} of the lake"], document, args.json)
        return 0
    firehose.require_active()
    records = list(scope.tombstones(rows, table.require_stream()))
    limits = earlier.limits | scope.limits_of(keys, rows, records)
    _refuse_damaged_objects(limits | dict.fromkeys(keys, NO_LIMIT))
    versions = BucketVersions(boto3.client("s3"), bucket(), limits)
    Sender(boto3.client("kinesis")).send(records)
    drop_copy()  # operations.compact fails if the copy has more than the lake.
    for path in paths:
        versions.rewrite(path)
    _erase_every_version(versions)
    advice_by_key = {key: _lost_tombstone(key) for key in unfinished - keys}
    line = (
        f"erased what the bucket held of {count(len(keys), 'item')}: "
        f"{count(versions.rewritten, 'object')} rewritten, "
        f"{count(versions.deleted, 'version')} deleted"
    )
    remains = [f"remains: {text}" for text in REMAINS]
    return _report(args, keys, versions, advice_by_key, line, *remains, CHECK)


def _refuse_damaged_objects(limits: Limits) -> None:
    """Refuse to delete the version from which a deleted or damaged object can be restored.

    It may have later changes than the lake: so no rank limits what it may hold of an item.
    """
    versions = BucketVersions(boto3.client("s3"), bucket(), limits)
    for damaged_object in LakeVersions(versions.s3, versions.bucket).find_damaged():
        version = damaged_object.good_version
        if version and versions.holds(version):
            raise scope.EraseRefused(
                f"{damaged_object.key} is deleted or damaged, and its last good version holds what "
                f"is to be erased: run python -m operations.restore, or delete all its versions"
            )


def _erase_every_version(versions: BucketVersions) -> None:
    """Erase what any version holds, until none does but for results of later queries.

    A query that read an object before may write what it has read after that is erased: a result, or
    a part of the copy, if operations.compact runs. So each pass first waits for those that run.
    What they have written is found; no later query can read what is erased. A part that has lost an
    object here is dropped in the next pass, or by the proof of the run that is about to publish it.
    """
    for _ in range(MAX_SCANS):
        drop_copy()
        wait_for_queries()
        is_clean = True
        for version in versions.find_holding():
            is_clean &= version.key.startswith(QUERIES)
            versions.erase_version(version)
        if is_clean:
            return
    raise scope.EraseRefused("the lake still receives what is to be erased: run this again later")


def _check(args: argparse.Namespace) -> int:
    """Look for content of erased items, and print what holds it."""
    erased = scope.ErasedKeys.fetch_settled()
    for key in args.key or ():
        if key not in erased.limits:
            raise scope.EraseRefused(f"{key} is not erased, or {_lost_tombstone(key)}")
    limits = {key: erased.limits[key] for key in args.key or erased.limits}
    versions = BucketVersions(boto3.client("s3"), bucket(), limits)
    keys = {version.key for version in versions.find_holding()}
    advice_by_key = {key: f"run {ERASE} again" for key in keys if not key.startswith(QUERIES)}
    if not args.key:
        advice_by_key |= {key: _lost_tombstone(key) for key in erased.without_tombstone}
    line = f"checked {count(len(limits), 'erased item')}"
    return _report(args, limits, versions, advice_by_key, line)


def _lost_tombstone(key: str) -> str:
    """Return what to do about an item whose tombstone is lost."""
    return f"its tombstone is lost: run {ERASE} --key {quote(key)}"


def _report(
    args: argparse.Namespace,
    keys: Collection[str],
    versions: BucketVersions,
    advice_by_key: Mapping[str, str],
    line: str,
    *notes: str,
) -> int:
    """Print what holds content, with what to do, and what was done; return the exit status."""
    findings = [f"held     {key}  {advice}" for key, advice in sorted(advice_by_key.items())]
    findings += [f"unknown  {key}  {SUSPICION}" for key in sorted(versions.suspicious)]
    holding = len(findings) or "none"
    read = f"read {count(versions.read, 'version')} in the bucket: {holding} may hold content"
    document = {
        "keys": sorted(keys),
        "rewritten": versions.rewritten,
        "deleted": versions.deleted,
        "read": versions.read,
        "held": sorted(advice_by_key),
        "unknown": sorted(versions.suspicious),
    }
    print_report([*findings, line, f"{read} of the items", *notes], document, args.json)
    return 1 if findings else 0


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("erase", __doc__)
    items = parser.add_mutually_exclusive_group()
    items.add_argument(
        "--key", type=item_key, action="append", metavar="JSON", help="this key; repeatable"
    )
    items.add_argument(
        "--where", metavar="SQL", help="keys of which a row meets a condition of SQL"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="count what would be erased")
    mode.add_argument(
        "--check", action="store_true", help="look for content of what was erased; change nothing"
    )
    add_json_option(parser)
    args = parser.parse_args(argv)
    if args.check and args.where:
        parser.error("argument --where: not allowed with argument --check")
    if not (args.check or args.key or args.where):
        parser.error("name what to erase with --key or --where")
    return args
