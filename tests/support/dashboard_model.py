"""The dashboard by a model in Python: the facts that Athena must answer, and the page of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics.athena import Column, QueryResult, Row
from analytics.dashboard.facts import encode_columns
from analytics.dashboard.page import render_page
from sales.order_lifecycle import Order, OrderChange

STEPS = ("placed", "paid", "shipped", "delivered", "returned")
COLUMNS = {
    "placed": "day:date region category test:boolean placed:bigint paid:bigint shipped:bigint "
    "delivered:bigint returned:bigint cancelled:bigint held:bigint",
    "sold": "day:date region category currency orders:bigint unread:bigint revenue:decimal",
    "products": "day:date region category currency sku product pieces:decimal revenue:decimal",
    "steps": "day:date region category step:bigint minutes",
    "changes": "hour:timestamp region category operation changes:bigint last_second:bigint",
    "unread": "day:date region category order_id total",
}
MOST_UNREAD = 500  # as facts/unread.sql says
MADE_AT = "2026-11-22 23:30:00"
VERIFY = {"at": "2026-11-22 23:29:00", "state": "equal", "table": 135, "lake": 135}
Rows = list[Row]


@dataclass(frozen=True, slots=True)
class Kept:
    """An order's last image, and whether the table still holds it."""

    order: Order
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A change: when, what, and the image that its row of the lake shows."""

    at: datetime
    operation: str
    order: Order


def modelled(kept: Iterable[Kept], told: Iterable[Told]) -> dict[str, Rows]:
    """Return the rows of every fact, in any order."""
    orders = list(kept)
    sold = [one.order for one in orders if is_sold(one.order)]
    return {
        "placed": _placed(orders),
        "sold": _sold(sold),
        "products": _products(sold),
        "steps": _steps(one.order for one in orders if not one.order.get("test_order")),
        "changes": _changes(told),
        "unread": [
            (order["paid_at"][:10], where(order), category, order["order_id"], str(order["total"]))
            for order in sold
            if not is_amount(order["total"])
            for category in categories(order)
        ],
    }


def lasts(history: Iterable[OrderChange]) -> dict[str, Kept]:
    """Return the last image of every order."""
    return {c.order_id: Kept(c.after or c.before, c.after is None) for c in history}


def write(path: Path, history: list[OrderChange], **other: Any) -> Path:
    """Write the page of a history."""
    told = [
        Told(c.changed_at.replace(tzinfo=None), c.operation, c.after or c.before) for c in history
    ]
    rows = modelled(lasts(history).values(), told)
    rows["unread"] = rows["unread"][:MOST_UNREAD]
    facts = encode_facts(rows)
    document = {"pipeline": "sales-cdc", "made_at": MADE_AT, "watch": None, "verify": VERIFY}
    path.write_text(render_page({**document, "facts": facts, **other}), "utf-8")
    return path


def encode_facts(rows: dict[str, Rows]) -> dict[str, dict[str, Any]]:
    """Return the facts as the page reads them."""
    return {
        name: encode_columns(QueryResult(_columns(named), iter(sorted(rows[name], key=str)), 0))
        for name, named in COLUMNS.items()
    }


def _columns(named: str) -> tuple[Column, ...]:
    pairs = (one.partition(":") for one in named.split())
    return tuple(Column(name, kind or "varchar") for name, _, kind in pairs)


def is_sold(order: Order) -> bool:
    """Return whether an order counts as money."""
    ended = {"cancelled_at", "returned_at"} & order.keys()
    return "paid_at" in order and not ended and not order.get("test_order")


def is_amount(total: object) -> bool:
    """Return whether the views' type holds a total."""
    return isinstance(total, Decimal) and abs(total) < 10**14


def categories(order: Order) -> list[str | None]:
    """Return the categories of an order's lines, and None, which is all of them."""
    return [None, *dict.fromkeys(line.get("category", "") for line in order["items"])]


def where(order: Order) -> str:
    """Return an order's region."""
    return order.get("region", "")


def minutes(order: Order, step: int) -> int | None:
    """Return the whole minutes from a step to the next, where the order took both."""
    begin, end = (order.get(f"{name}_at") for name in STEPS[step - 1 : step + 1])
    if begin is None or end is None:
        return None
    began, ended = (datetime.fromisoformat(text[:-1]) for text in (begin, end))
    return int((ended - began).total_seconds() // 60)


def _placed(orders: list[Kept]) -> Rows:
    groups: dict[tuple, list[Kept]] = defaultdict(list)
    for one in orders:
        for category in categories(one.order):
            test = str(bool(one.order.get("test_order"))).lower()
            groups[one.order["placed_at"][:10], where(one.order), category, test].append(one)
    statuses = (*STEPS[1:], "cancelled")
    return [
        (
            *key,
            str(len(of)),
            *(str(sum(f"{status}_at" in one.order for one in of)) for status in statuses),
            str(sum(not one.removed for one in of)),
        )
        for key, of in groups.items()
    ]


def _sold(sold: list[Order]) -> Rows:
    groups: dict[tuple, list[object]] = defaultdict(list)
    for order in sold:
        for category in categories(order):
            key = (order["paid_at"][:10], where(order), category, order["currency"])
            groups[key].append(order["total"])
    rows = []
    for key, totals in groups.items():
        amounts = [total for total in totals if is_amount(total)]
        counts = str(len(totals)), str(len(totals) - len(amounts))
        rows.append((*key, *counts, digits(sum(amounts, Decimal(0)), 4)))
    return rows


def _products(sold: list[Order]) -> Rows:
    groups: dict[tuple, list[Order]] = defaultdict(list)
    for order in sold:
        for line in order["items"]:
            sold_as = (line.get("category", ""), order["currency"], line["sku"])
            groups[(order["paid_at"][:10], where(order), *sold_as)].append(line)
    return [
        (
            *key,
            max(line["name"] for line in lines),
            digits(sum((line["quantity"] for line in lines), Decimal(0)), 3),
            digits(sum((line["quantity"] * line["unit_price"] for line in lines), Decimal(0)), 7),
        )
        for key, lines in groups.items()
    ]


def _steps(orders: Iterable[Order]) -> Rows:
    groups: dict[tuple, list[int]] = defaultdict(list)
    for order, step, taken in _taken(orders):
        for category in categories(order):
            groups[order["placed_at"][:10], where(order), category, str(step)].append(taken)
    return [(*key, " ".join(map(str, sorted(of)))) for key, of in groups.items()]


def _taken(orders: Iterable[Order]) -> Iterator[tuple[Order, int, int]]:
    for order in orders:
        for step in range(1, len(STEPS)):
            if (taken := minutes(order, step)) is not None:
                yield order, step, taken


def _changes(told: Iterable[Told]) -> Rows:
    groups: dict[tuple, list[datetime]] = defaultdict(list)
    for one in told:
        for category in categories(one.order):
            hour = f"{one.at:%Y-%m-%d %H}:00:00.000"
            groups[hour, where(one.order), category, one.operation].append(one.at)
    return [
        (*key, str(len(at)), str(60 * max(at).minute + max(at).second))
        for key, at in groups.items()
    ]


def digits(amount: Decimal, places: int) -> str:
    """Return an amount with so many places, as Athena shows it."""
    return format(amount.quantize(Decimal(1).scaleb(-places)), "f")
