"""Tables of docs/aws.md, in Markdown, so that the document and the plan cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from analytics.cost.load import DAYS, Load
from analytics.cost.monthly import (
    DEFAULTS,
    Cost,
    costs_at_rest,
    costs_of_changes,
    costs_of_questions,
    least_cost_at_rest,
    total,
)
from analytics.cost.prices import GIB, MILLION, TIB
from operations.plan.savings import savings

BYTE_UNITS = {GIB: "GB", TIB: "TB"}
ORDER_BYTES = 581  # Of the generator's orders.
# A million orders in a month: within one day of it, or evenly.
BUSY = Load(MILLION / DAYS, ORDER_BYTES, active_hours=24 / DAYS)
TRICKLE = Load(MILLION / DAYS, ORDER_BYTES, items=MILLION, questions_per_day=10)


def money(dollars: float) -> str:
    """Return an amount in dollars and cents.

    >>> money(1.005), money(0.0031), money(0)
    ('1.00', '0.003', '0.00')
    """
    return f"{dollars:.2f}" if abs(dollars) >= 0.005 or not dollars else f"{dollars:.3f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def price_text(cost: Cost) -> str:
    """Return a meter's quantity and price.

    >>> from analytics.cost import prices
    >>> price_text(Cost(prices.PIPE, 1_000_000))
    '1,000,000 pieces of 64 KB, 0.4 per 1,000,000'
    >>> price_text(Cost(prices.LOGS, 1 << 30))
    '1.00 GB, 0.5 each'
    """
    price = cost.price
    dollars = f"{price.dollars:.10f}".rstrip("0").rstrip(".")
    if price.per in BYTE_UNITS:
        return f"{cost.quantity / price.per:,.2f} {BYTE_UNITS[price.per]}, {dollars} each"
    per = f"per {price.per:,}" if price.per > 1 else "each"
    return f"{cost.quantity:,.0f} {price.unit}, {dollars} {per}"


def at_rest() -> str:
    """Return the costs of a month without any change."""
    costs = list(costs_at_rest())
    rows = [(cost.price.meter, price_text(cost), money(cost.dollars)) for cost in costs]
    rows.append(("**together**", "", f"**{money(total(costs))}**"))
    rows.append(
        (
            "with one shard of the table's stream, and all free tiers left",
            "2,500,000 stream reads, 10 alarm metrics and 10 metrics free",
            money(least_cost_at_rest()),
        )
    )
    return markdown(("meter", "quantity and price", "US dollars a month"), rows)


def million_changes() -> str:
    """Return the costs of a million changes, within a day and spread over a month."""
    pairs = list(zip(costs_of_changes(BUSY), costs_of_changes(TRICKLE), strict=True))
    rows = [
        (busy.price.meter, price_text(busy), money(busy.dollars), money(trickle.dollars))
        for busy, trickle in pairs
    ]
    sums = [money(total(costs)) for costs in zip(*pairs, strict=True)]
    rows.append(("**together**", "", f"**{sums[0]}**", f"**{sums[1]}**"))
    return markdown(("meter", "busy: quantity and price", "busy", "trickle"), rows)


def questions() -> str:
    """Return the costs of a month of questions, without and with a copy."""
    with_copy = replace(DEFAULTS, has_copy=True)
    minute_costs = list(costs_of_questions(TRICKLE))
    copy_costs = list(costs_of_questions(TRICKLE, with_copy))
    rows = [
        (minute.price.meter, price_text(minute), money(minute.dollars), money(copied.dollars))
        for minute, copied in zip(minute_costs, copy_costs, strict=True)
    ]
    sums = (money(total(minute_costs)), money(total(copy_costs)))
    rows.append(("**together**", "", f"**{sums[0]}**", f"**{sums[1]}**"))
    return markdown(("meter", "quantity and price", "files of a minute", "with the copy"), rows)


def settings() -> str:
    """Return what each other setting would save."""
    rows = [(saving.setting, money(saving.dollars), saving.gives_up) for saving in savings(TRICKLE)]
    return markdown(("setting", "saves a month", "gives up"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "at rest": at_rest,
    "a million changes": million_changes,
    "questions": questions,
    "settings": settings,
}


def with_tables(document: str) -> str:
    """Return a document with each table between its two marks made again."""
    for name, make_table in TABLES.items():
        start, end = f"<!-- plan: {name} -->\n", "<!-- end of plan -->"
        before, _, rest = document.partition(start)
        _, _, after = rest.partition(end)
        document = f"{before}{start}{make_table()}\n{end}{after}"
    return document
