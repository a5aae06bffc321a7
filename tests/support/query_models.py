"""What every question must answer: each by a few lines of Python over the history of the table."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from statistics import mean
from typing import Any

from sales.order_lifecycle import Order, OrderChange
from tests.support.dashboard_model import STEPS, is_sold
from tests.support.lake_fixture import BEGIN, STEP, typed

EVER = {"day_from": "2000-01-01", "day_to": "2999-12-31", "region": "%"}
KNOWN = {
    *("order_id", "status", "customer", "region", "channel", "currency", "subtotal", "discount"),
    *("shipping_fee", "tax", "total", "coupon", "payment", "carrier", "tracking_number"),
    *("test_order", "expires_at", "items", "placed_at", "paid_at", "payment_failed_at"),
    *("shipped_at", "delivered_at", "cancelled_at", "returned_at", "updated_at"),
}
Rows = list[tuple[str | None, ...]]


@dataclass(frozen=True)
class Past:
    """All changes in their order, the lines of the lake that tell them, and what was asked for."""

    history: list[OrderChange]
    lines: list[tuple[str, str]]
    asked: dict[str, str]

    @cached_property
    def orders(self) -> list[Order]:
        """The last image of every order that is no test."""
        lasts = {c.order_id: c.after or c.before for c in self.history}
        return [order for order in lasts.values() if not order["test_order"]]

    def sold(self) -> list[Order]:
        """Return the orders that were sold and paid in the days and regions asked for."""
        return [o for o in self.orders if is_sold(o) and self.passes(o["paid_at"], o)]

    def placed(self) -> list[Order]:
        """Return the orders that were placed in the days and regions asked for."""
        return [o for o in self.orders if self.passes(o["placed_at"], o)]

    def told(self) -> Iterator[tuple[datetime, OrderChange]]:
        """Yield the changes of the days and regions asked for, with their times."""
        for number, change in enumerate(self.history):
            at = BEGIN + number * STEP
            if self.passes(f"{at:%Y-%m-%d}", change.after or change.before):
                yield at, change

    def passes(self, day: str, order: Order) -> bool:
        """Return whether a day and an order's region are asked for."""
        asked = EVER | self.asked
        in_region = fnmatchcase(order["region"], asked["region"].replace("%", "*"))
        return asked["day_from"] <= day[:10] <= asked["day_to"] and in_region


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Return items in groups, in the order of the groups' keys."""
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(sorted(groups.items()))


def of(*names: str) -> Callable[[Order], tuple[Any, ...]]:
    """Return what takes some attributes of an order."""
    return lambda order: tuple(order[name] for name in names)


def rounded(amount: Decimal, places: int = 2) -> str:
    """Return an amount as the questions show it."""
    return format(amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), "f")


def percent(part: int, whole: int) -> str:
    """Return a share in percent."""
    return rounded(Decimal(100 * part / whole), 1)


def moment(text: str | None) -> str | None:
    """Return an order's time as Athena shows it."""
    return text and text.replace("T", " ").replace("Z", ".000")


def shown(at: datetime) -> str:
    """Return a time as Athena shows it."""
    return f"{at:%Y-%m-%d %H:%M:%S}.000"


def total(orders: Iterable[Order]) -> Decimal:
    """Return what orders come to."""
    return sum((order["total"] for order in orders), Decimal(0))


def average_order_value(past: Past) -> Rows:
    groups = grouped(past.sold(), of("region", "channel", "currency"))
    rows = []
    for key, orders in groups.items():
        totals = [order["total"] for order in orders]
        figures = map(rounded, (mean(totals), min(totals), max(totals)))
        rows.append((*key, str(len(totals)), *figures))
    return rows


def changes_per_hour(past: Past) -> Rows:
    counts = Counter((f"{at:%Y-%m-%d %H}:00:00.000", c.operation) for at, c in past.told())
    return [(*key, str(count)) for key, count in sorted(counts.items())]


def customers_by_lifetime_value(past: Past) -> Rows:
    groups = grouped(past.sold(), lambda order: (order["currency"], order["customer"]["id"]))
    ranked = sorted(groups.items(), key=lambda item: (item[0][0], -total(item[1]), item[0][1]))
    rows: Rows = []
    for (currency, customer), orders in ranked:
        place = 1 + sum(row[0] == currency for row in rows)
        last = max(orders, key=lambda order: order["paid_at"])
        who = last["customer"]
        spent = (str(len(orders)), rounded(total(orders)), moment(last["paid_at"]))
        address = who["address"]["country"]
        rows.append((currency, str(place), customer, who["name"], address, *spent))
    return [row for row in rows if int(row[1]) <= 10]


def duplicate_changes(past: Past) -> Rows:
    ids = ((day, json.loads(line)["cdc_event_id"]) for day, line in past.lines)
    asked = EVER | past.asked
    copies = Counter(one for one in ids if asked["day_from"] <= one[0] <= asked["day_to"])
    rows = []
    for day, found in grouped(copies, lambda one: one[0]).items():
        counts = [copies[one] for one in found]
        stored, distinct = sum(counts), len(counts)
        rows.append((day, *map(str, (stored, distinct, stored - distinct, max(counts)))))
    return rows


def failure_rates(past: Past) -> Rows:
    rows = []
    for (region,), orders in grouped(past.placed(), of("region")).items():
        row = [region, str(len(orders))]
        for status in ("payment_failed", "cancelled", "returned"):
            count = sum(f"{status}_at" in order for order in orders)
            row += [str(count), percent(count, len(orders))]
        rows.append(tuple(row))
    return rows


def late_changes(past: Past) -> Rows:
    told = [(at, c.after) for at, c in past.told() if c.after]
    groups = grouped(told, lambda one: (f"{one[0]:%Y-%m-%d}", one[1]["region"]))
    rows = []
    for key, changes in groups.items():
        late = [seconds_between(order["updated_at"], at) for at, order in changes]
        counts = len(late), sum(one > 3600 for one in late), sum(one > 86400 for one in late)
        rows.append((*key, *map(str, counts), rounded(Decimal(max(late) / 3600))))
    return rows


def seconds_between(begin: str, end: datetime) -> int:
    """Return the seconds from an order's time to a time."""
    began = datetime.fromisoformat(begin.replace("Z", "+00:00"))
    return int((end - began).total_seconds())


def new_attributes(past: Past) -> Rows:
    seen = ((name, at) for at, c in past.told() for name in (c.after or {}).keys() - KNOWN)
    groups = grouped(seen, lambda one: one[0])
    times = {name: sorted(at for _, at in found) for name, found in groups.items()}
    rows = [(name, str(len(at)), shown(at[0]), shown(at[-1])) for name, at in times.items()]
    return sorted(rows, key=lambda row: (-int(row[1]), row[0]))


def order_history(past: Past) -> Rows:
    lines = {json.loads(line)["cdc_sequence"]: json.loads(line) for _, line in past.lines}
    rows = []
    for (number, change), sequence in zip(enumerate(past.history), sorted(lines), strict=True):
        if change.order_id == past.asked["order_id"]:
            order, told = change.after or change.before, lines[sequence]
            rows.append(
                (
                    *(shown(BEGIN + number * STEP), change.operation, "false"),
                    *(told["cdc_changed"], order["status"], moment(order["updated_at"])),
                    *(rounded(order["total"], 4), order["currency"], sequence),
                )
            )
    return rows


def orders_as_of(past: Past) -> Rows:
    until = datetime.fromisoformat(past.asked.get("moment", "2999-12-31 00:00:00") + "+00:00")
    held: dict[str, Order | None] = {}
    for number, change in enumerate(past.history):
        if BEGIN + number * STEP <= until:
            held[change.order_id] = change.after
    return [
        (
            *(key, order["status"], moment(order["updated_at"]), order["region"]),
            *(order["currency"], rounded(order["total"], 4), order["customer"]["name"]),
        )
        for key, order in sorted(held.items())
        if order
    ]


def lines_of(orders: Iterable[Order]) -> Iterator[dict[str, Any]]:
    """Yield the lines of orders, with what belongs to the order."""
    for order in orders:
        for line in order["items"]:
            amount = line["quantity"] * line["unit_price"]
            yield {**line, "order": order, "currency": order["currency"], "amount": amount}


def pieces_and_revenue(lines: list[dict[str, Any]]) -> tuple[str, str]:
    """Return how many pieces lines hold, and what they come to."""
    pieces = sum((line["quantity"] for line in lines), Decimal(0))
    return rounded(pieces, 3), rounded(sum((line["amount"] for line in lines), Decimal(0)))


def revenue_by_category(past: Past) -> Rows:
    rows = []
    for key, lines in grouped(lines_of(past.sold()), of("category", "currency")).items():
        orders = {line["order"]["order_id"] for line in lines}
        rows.append((*key, str(len(orders)), *pieces_and_revenue(lines)))
    return sorted(rows, key=lambda row: (row[1], -Decimal(row[4]), row[0]))


def revenue_by_day(past: Past) -> Rows:
    groups = grouped(past.sold(), lambda order: (order["paid_at"][:10], order["currency"]))
    return [(*key, str(len(found)), rounded(total(found))) for key, found in groups.items()]


def revenue_by_region(past: Past) -> Rows:
    def place(order: Order) -> tuple[str, ...]:
        return order["region"], order["customer"]["address"]["country"], order["currency"]

    rows = []
    for key, orders in grouped(past.sold(), place).items():
        customers = {order["customer"]["id"] for order in orders}
        rows.append((*key, str(len(orders)), str(len(customers)), rounded(total(orders))))
    return sorted(rows, key=lambda row: (row[0], -Decimal(row[5]), row[1], row[2]))


def status_funnel(past: Past) -> Rows:
    placed = past.placed()
    counts = [sum(f"{status}_at" in order for order in placed) for status in STEPS]
    return [
        (str(step), status, str(count), percent(count, len(placed)))
        for step, (status, count) in enumerate(zip(STEPS, counts, strict=True), 1)
    ]


def time_between_statuses(past: Past) -> Rows:
    rows = []
    for (region,), orders in grouped(past.placed(), of("region")).items():
        for begin, end in pairwise(STEPS):
            times = sorted(taken(orders, f"{begin}_at", f"{end}_at"))
            if times:
                rows.append((region, begin, end, str(len(times)), *hours(times, 0.5, 0.9)))
    return rows


def taken(orders: Iterable[Order], begin: str, end: str) -> Iterator[int]:
    """Yield the seconds that orders took between two times, where they have both."""
    for order in orders:
        if begin in order and end in order:
            ended = datetime.fromisoformat(order[end].replace("Z", "+00:00"))
            yield seconds_between(order[begin], ended)


def hours(times: list[int], *shares: float) -> list[str]:
    """Return the hours that shares of sorted times stay within."""
    places = [math.ceil(share * len(times)) - 1 for share in shares]
    return [rounded(Decimal(times[place] / 3600)) for place in places]


def top_products(past: Past) -> Rows:
    rows: Rows = []
    for (currency, sku), lines in grouped(lines_of(past.sold()), of("currency", "sku")).items():
        named = max(line["name"] for line in lines), max(line["category"] for line in lines)
        rows.append((currency, sku, *named, *pieces_and_revenue(lines)))
    rows.sort(key=lambda row: (row[0], -Decimal(row[5]), row[1]))
    placed = [(row[0], str(1 + _before(rows, at)), *row[1:]) for at, row in enumerate(rows)]
    return [row for row in placed if int(row[1]) <= 10]


def _before(rows: Rows, at: int) -> int:
    return sum(row[0] == rows[at][0] for row in rows[:at])


def type_drift(past: Past) -> Rows:
    seen = defaultdict(list)
    for at, change in past.told():
        for name, value in typed(change.after or {}).items():
            seen[name, next(iter(value))].append(at)
    types = Counter(name for name, _ in seen)
    rows = [
        (*key, str(len(at)), shown(min(at)), shown(max(at)))
        for key, at in seen.items()
        if types[key[0]] > 1
    ]
    return sorted(rows, key=lambda row: (row[0], -int(row[2]), row[1]))


def unfit_values(past: Past) -> Rows:
    return []  # The generator's orders fit; those that do not have a test of their own.


MODELS: dict[str, Callable[[Past], Rows]] = {
    model.__name__: model
    for model in (
        *(average_order_value, changes_per_hour, customers_by_lifetime_value, duplicate_changes),
        *(failure_rates, late_changes, new_attributes, order_history, orders_as_of),
        *(revenue_by_category, revenue_by_day, revenue_by_region, status_funnel),
        *(time_between_statuses, top_products, type_drift, unfit_values),
    )
}
