"""Copy the lake's older days into Parquet, which queries read in their place: cheaper and faster.

The lake stays as it is, and is the truth. Copied are all days before today (UTC), and again those
to which objects were added since. Each copy is compared with the lake, row by row, before it
counts. Run it once a night: queries read the copy of a day from the next run on, and see a row that
arrives late for a copied day after the next run. It may be interrupted, or run twice at once.

The exit status is 0 if all these days are copied, and 1 if a day changed meanwhile, or the copy
differs from the lake.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from operations.cli import add_json_option, argument_parser, print_report, run_command
from operations.compact.compaction import Compaction, Outcome
from terminal.text import count


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    compaction = Compaction(datetime.now(UTC).date(), _note, rebuild=args.rebuild)
    if args.dry_run:
        days = compaction.days_to_copy()
        size = sum(day.size for day in days)
        lines = [*(f"{day.name}  {day.size:,} bytes" for day in days)]
        lines.append(f"would copy {count(len(days), 'day')}, {size:,} bytes")
        document = {"dry_run": True, "days": [day.name for day in days], "bytes": size}
        print_report(lines, document, args.json)
        return 0
    outcome = compaction.run()
    print_report(_lines(outcome), {"dry_run": False, **asdict(outcome)}, args.json)
    return 1 if outcome.changed_days else 0


def _lines(outcome: Outcome) -> Iterator[str]:
    """Yield the report as text."""
    yield (
        f"copied {count(len(outcome.copied_days), 'day')}; Athena read "
        f"{outcome.bytes_scanned:,} bytes"
    )
    if outcome.dropped_parts or outcome.deleted_objects:
        yield (
            f"dropped {count(outcome.dropped_parts, 'part')}, deleted "
            f"{count(outcome.deleted_objects, 'object')} of the copy"
        )
    if outcome.changed_days:
        days = count(len(outcome.changed_days), "day")
        yield f"{days} changed while they were copied: run it again"
    yield f"queries read the copy of all days before {outcome.recent_from}"


def _note(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("compact", __doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the days that would be copied without changing anything",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="copy all days again, and drop the copy before"
    )
    add_json_option(parser)
    return parser.parse_args(argv)
