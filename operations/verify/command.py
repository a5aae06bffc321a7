"""Check that the lake equals the table, key by key, and repair it where it does not.

The first pass reads the whole lake and the whole table. It compares digests of each item's image
and of the columns that queries read, in a temporary file on disk. A key may differ only because
its last change is still in flight: so before each of two more looks at the keys that differ, it
waits as long as a change may take. A difference that remains is an error, unless the key's item or
row changed between the looks: then the key counts as unsettled.

With --repair, it sends the table's current item of each wrong key through the pipeline, and
verifies again. It leaves a key with a failed change that replay would send: replay that first.
With --gaps, it finds lost changes from the lake alone. With --part 3/24, it verifies the third of
24 shares of the table, and of the lake: 24 such runs prove what one whole run does.

It reads the copy that operations.compact has made of the lake, as far as the copy is up to date,
and the JSON of the other days. With --from-json, it reads the JSON of all days. With --copy, it
compares the copy with the JSON, row by row, and does not read the table.

The exit status is 0 if nothing is wrong, 1 if something is, and 2 if the result is inconclusive.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Protocol

import boto3

from analytics.athena import QueryFailed
from analytics.dashboard.verification import LAST_RESULT
from operations import firehose, in_flight
from operations.cli import (
    STDOUT,
    add_json_option,
    argument_parser,
    item_key,
    print_report,
    run_command,
)
from operations.kinesis_writer import DEFAULT_RATE, Sender
from operations.row_source import RowSource
from operations.table import Table
from operations.verify.compare import Comparison, RepairFunction
from operations.verify.copy_proof import prove_copy
from operations.verify.coverage import Coverage, PartReport, read_coverage
from operations.verify.damage import Damage, explain_failure
from operations.verify.failed_changes import FailedChanges, FailedKeys
from operations.verify.gaps import GapReport, find_gaps
from operations.verify.last_result import save_last_result
from operations.verify.part import part
from operations.verify.repair import Repairer
from operations.verify.result import EQUAL, INCONCLUSIVE, UNEQUAL, VerifyResult
from setup.lib.lake_identity import LakeIdentity
from setup.names import HISTORY, STATE, TABLE
from terminal.arguments import number, whole_number

MAX_WAIT = 7 * 86_400  # seconds; a longer wait is a typing error
DEFAULT_LIMIT = 20  # keys of each kind in the text output; JSON lists all
JSON_HELP = """
JSON: at (UTC), bucket, lake_id, scope ("table", "part", "gaps", "copy" or a key), equal (true or
false), table and lake (number of items in each), verified_through (when the run began, if equal),
missing, extra, different, columns (the image is right, its columns are not), unsettled (lists of
keys), counts (of each kind), differences (by key: path, table, lake), copied_until (the first day
that was read as JSON, not in the copy; null if all were); after --repair also repair (items,
tombstones: keys that were sent; left: key and reason; counts). With --gaps: at, bucket, lake_id,
scope, count, counts (by kind), gaps (kind, key, source_before, sequence_before, source, sequence),
copied_until. With --copy: at, bucket, lake_id, scope, equal, days (number), differences (by table
and day, the number of rows). With --part: part, and coverage (of, share, verified_through; parts:
by number, started_at, state, table, lake), which includes the parts in the file that this run
replaces. With exit status 1 also damaged_objects (objects of the lake that are deleted or damaged:
key, problem; null if that is not known). A file is replaced atomically. The last result of the
whole table, or of its parts, is also in build/verified.json, where the dashboard finds it, and
where parts add up without FILE.
"""


class Report(Protocol):
    """A result as exit status, as text and as JSON."""

    @property
    def status(self) -> int: ...

    def lines(self) -> Iterator[str]: ...

    def document(self) -> dict[str, object]: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args), failure_status=INCONCLUSIVE)


def _run(args: argparse.Namespace) -> int:
    """Run what the arguments ask for; an error of a query names the object that it is due to."""
    try:
        return _run_mode(args)
    except QueryFailed as error:
        raise explain_failure(error) from error


def _run_mode(args: argparse.Namespace) -> int:
    if args.gaps:
        source = _fetch_source(args, HISTORY)
        return _print_report(GapReport(find_gaps(source=source), _limit(args), source), args)
    if args.copy:
        return _print_report(prove_copy(), args)
    table = Table.describe(boto3.client("dynamodb"), TABLE)
    if args.key:
        table.require_key(args.key)
    if args.repair:
        return _verify_and_repair(table, args)
    started_at = _now()
    return _print_result(_verify(table, args), args, started_at)


def _verify(
    table: Table, args: argparse.Namespace, repair: RepairFunction | None = None
) -> VerifyResult:
    comparison = Comparison(
        table,
        wait=lambda key_count: _wait(args.wait, key_count),
        limit=_limit(args),
        repair=repair,
        source=_fetch_source(args, STATE),
    )
    return comparison.run(args.part or ([args.key] if args.key else []))


def _fetch_source(args: argparse.Namespace, table: str) -> RowSource:
    """Return where to read the lake's rows: in a table of the copy, as far as it is up to date."""
    return RowSource.fetch_json() if args.from_json else RowSource.fetch(table)


def _verify_and_repair(table: Table, args: argparse.Namespace) -> int:
    """Repair what differs, verify again, and return the status of the last result."""
    firehose.require_active()
    table.require_stream()
    sender = Sender(boto3.client("kinesis"), rate=DEFAULT_RATE)
    started_at = _now()
    with closing(FailedKeys(FailedChanges.of_pipeline())) as failed_keys:
        repairer = Repairer(table, sender, failed_keys, _limit(args))
        result = _verify(table, args, repairer.repair)
    if args.json != STDOUT:
        result_lines = [*result.lines(), *Damage.find().lines()] if repairer.sent_count else []
        for line in [*result_lines, *repairer.lines()]:
            print(line, flush=True)
    if repairer.sent_count:
        started_at = _now()
        result = _verify(table, args)
    return _print_result(result, args, started_at, repair=repairer.document())


def _print_result(
    result: VerifyResult, args: argparse.Namespace, started_at: str, **extra: object
) -> int:
    """Print a result with the time through which it is proven; of a part, with its coverage."""
    through = started_at if result.status == EQUAL else None
    if args.part is None:
        return _print_report(result, args, verified_through=through, **extra)
    file = LAST_RESULT if args.json in (None, STDOUT) else args.json
    earlier = read_coverage(file, LakeIdentity.fetch())
    coverage = Coverage.of_run(args.part, result, started_at, earlier)
    report = PartReport(result, coverage)
    return _print_report(report, args, verified_through=through, **extra)


def _print_report(report: Report, args: argparse.Namespace, **extra: object) -> int:
    """Print a report or write it as JSON, and return its status."""
    lines = list(report.lines())
    header = {"at": _now(), **asdict(LakeIdentity.fetch()), "scope": _scope(args)}
    document = header | report.document() | extra
    if report.status == UNEQUAL:
        damage = Damage.find()
        lines += damage.lines()
        document |= damage.document()
    save_last_result(document)
    print_report(lines, document, args.json)
    return report.status


def _scope(args: argparse.Namespace) -> str:
    """Return what a report covers; the dashboard accepts the whole table and its parts."""
    if args.gaps:
        return "gaps"
    if args.copy:
        return "copy"
    if args.part:
        return "part"
    return args.key or "table"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def _limit(args: argparse.Namespace) -> int | None:
    limit: int | None = args.limit
    if limit is None and not args.json:
        return DEFAULT_LIMIT
    return limit


def _wait(seconds: float | None, key_count: int) -> None:
    """Wait until the changes that are in flight now have reached the lake."""
    in_flight.wait("1 key differs" if key_count == 1 else f"{key_count} keys differ", seconds)


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("verify", __doc__, JSON_HELP)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--repair", action="store_true", help="repair what differs, and verify again")
    mode.add_argument("--gaps", action="store_true", help="find lost changes from the lake alone")
    mode.add_argument("--copy", action="store_true", help="compare the copy with the JSON")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--key", type=item_key, metavar="JSON", help="verify only this key")
    scope.add_argument(
        "--part", type=part, metavar="K/N", help="verify only one of N parts of the items"
    )
    parser.add_argument(
        "--wait",
        type=number(maximum=MAX_WAIT, unit="seconds"),
        metavar="SECONDS",
        help="wait for in-flight changes (default: as long as the buffers hold a change)",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(),
        metavar="N",
        help=f"keys to list of each kind (default: {DEFAULT_LIMIT}, or all with --json)",
    )
    parser.add_argument(
        "--from-json", action="store_true", help="read the JSON of all days, and not the copy"
    )
    add_json_option(parser)
    args = parser.parse_args(argv)
    if (args.gaps or args.copy) and (args.key or args.part):
        option = "--key" if args.key else "--part"
        mode_option = "--gaps" if args.gaps else "--copy"
        parser.error(f"argument {option}: not allowed with argument {mode_option}")
    return args
