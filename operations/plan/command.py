"""Estimate a month's cost of a load, the first limit that it meets, and what settings save.

Prices are list prices of us-east-1 as far as they could be found, not a bill; docs/aws.md has the
assumptions. The table's own writes and storage are not included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analytics.cost.load import Load
from analytics.cost.monthly import costs_of_verification, monthly_costs, total
from analytics.cost.prices import GIB
from operations.cli import add_json_option, argument_parser, print_report, run_command
from operations.plan.limits import limits, max_item_bytes, months_until_scan_limit
from operations.plan.measured_load import fetch_load
from operations.plan.savings import savings
from operations.plan.tables import money, price_text
from terminal.arguments import number, whole_number
from terminal.text import count, format_table

MAX_ITEM_BYTES = 400 * 1024
LARGEST = 10**12


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load costs, is limited by, and could save."""

    load: Load

    def lines(self) -> Iterator[str]:
        """Yield the plan as text."""
        load = self.load
        yield (
            f"{load.changes_per_day:,.0f} changes a day of {load.item_bytes:,.0f}-byte items "
            f"({load.change_bytes:,.0f} bytes each), {load.items:,} items, "
            f"{load.questions_per_day:,.0f} questions a day"
        )
        costs = monthly_costs(load)
        rows = [("meter", "US dollars a month")]
        rows += [(cost.price.meter, money(cost.dollars)) for cost in costs]
        yield format_table([*rows, ("together", money(total(costs)))])
        yield f"the lake grows by {load.lake_bytes / GIB:,.2f} GB a month"
        yield f"a verification costs {money(total(costs_of_verification(load)))}"
        yield from self._limit_lines()
        yield "other settings would save, in US dollars a month:"
        for saving in savings(load):
            yield f"  {money(saving.dollars):>8}  {saving.setting}; gives up: {saving.gives_up}"

    def _limit_lines(self) -> Iterator[str]:
        load = self.load
        first = limits(load)[0]
        share = load.changes_per_second / first.changes_per_second
        yield (
            f"first limit: {first.part}, at {first.changes_per_second:,.0f} changes a second "
            f"({share:.1%} used): {first.consequence}"
        )
        if load.item_bytes > max_item_bytes():
            yield (
                f"changes of items over {max_item_bytes():,.0f} bytes do not fit into Kinesis: "
                f"they become dead letters"
            )
        if load.lake_bytes:
            months = count(round(months_until_scan_limit(load)), "month")
            yield f"after {months} one question cannot read the whole lake (100 GB)"

    def document(self) -> dict[str, object]:
        """Return the plan as JSON."""
        costs = monthly_costs(self.load)
        return {
            "changes_per_day": self.load.changes_per_day,
            "change_bytes": self.load.change_bytes,
            "dollars_per_month": total(costs),
            "meters": [
                {
                    "meter": cost.price.meter,
                    "quantity": cost.quantity,
                    "price": price_text(cost),
                    "dollars": cost.dollars,
                }
                for cost in costs
            ],
            "limits": [
                {"part": limit.part, "changes_per_second": limit.changes_per_second}
                for limit in limits(self.load)
            ],
            "savings": [
                {"setting": saving.setting, "dollars": saving.dollars}
                for saving in savings(self.load)
            ],
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    plan = Plan(fetch_load(args.questions_per_day) if args.from_metrics else _load(args))
    print_report(plan.lines(), plan.document(), args.json)
    return 0


def _load(args: argparse.Namespace) -> Load:
    return Load(
        changes_per_day=args.changes_per_day,
        item_bytes=args.item_bytes,
        items=args.items,
        questions_per_day=args.questions_per_day,
        active_hours=args.active_hours,
    )


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("plan", __doc__)
    _add_load_options(parser)
    parser.add_argument(
        "--from-metrics",
        action="store_true",
        help="take changes and items from the running pipeline",
    )
    add_json_option(parser)
    return parser.parse_args(argv)


def _add_load_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--changes-per-day",
        type=number(0, LARGEST),
        default=10_000,
        metavar="N",
        help="changes of the table in a day (default: 10000)",
    )
    parser.add_argument(
        "--item-bytes",
        type=whole_number(1, MAX_ITEM_BYTES),
        default=1000,
        metavar="N",
        help="bytes of an item, as DynamoDB counts them (default: 1000)",
    )
    parser.add_argument(
        "--items",
        type=whole_number(0, LARGEST),
        default=100_000,
        metavar="N",
        help="items in the table (default: 100000)",
    )
    parser.add_argument(
        "--questions-per-day",
        type=number(0, LARGEST),
        default=10,
        metavar="N",
        help="questions in a day, each about 30 days (default: 10)",
    )
    parser.add_argument(
        "--active-hours",
        type=number(0.1, 24),
        default=24,
        metavar="N",
        help="hours of a day in which the changes come (default: 24)",
    )
