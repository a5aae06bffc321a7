"""Model of the dashboard's facts: what Athena must return, in plain Python."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from operator import itemgetter
from typing import Any, TypeGuard
from zoneinfo import ZoneInfo

from analytics.athena import Column, QueryResult, Row
from analytics.dashboard.facts import encode_columns
from sales.order_lifecycle import Order, OrderChange

STATUSES = ("placed", "paid", "shipped", "delivered", "returned")
FACT_COLUMNS = {
    "placed_orders": "day:date region category test:boolean placed:bigint paid:bigint "
    "shipped:bigint delivered:bigint returned:bigint cancelled:bigint in_table:bigint",
    "sold_orders": "day:date region category currency orders:bigint unreadable:bigint "
    "revenue:decimal",
    "products": "day:date region category currency sku product quantity:decimal revenue:decimal",
    "step_times": "day:date region step:bigint durations",
    "changes": "hour:timestamp day:date operation changes:bigint last_second:bigint",
    "customers": "day:date region previous_day:date new_customers:bigint "
    "returning_customers:bigint",
    "cohorts": "day:date region months_later:bigint customers:bigint",
    "unreadable_totals": "day:date region category order_id total",
    "listed_orders": "day:date region categories currency order_id customer status total",
}
Rows = list[Row]
Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class LastImage:
    """An order's last image, and whether the order was removed since."""

    order: Order
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change as the lake shows it: its time and its operation."""

    changed_at: datetime
    operation: str


def image_of(change: OrderChange) -> Order:
    """Return the image that the lake shows of a change: the new one, or else the old one."""
    image = change.after or change.before
    assert image is not None
    return image


def last_images(history: Iterable[OrderChange]) -> dict[str, LastImage]:
    """Return the last image of every order."""
    return {c.order_id: LastImage(image_of(c), c.after is None) for c in history}


def model_facts(
    images: Iterable[LastImage], changes: Iterable[ChangeRow], zone: str = "UTC"
) -> dict[str, Rows]:
    """Return the rows of every fact, in any order, with the days of a time zone."""
    images = [replace(image, order=with_days(image.order, zone)) for image in images]
    sold_orders = [image.order for image in images if is_sold(image.order)]
    return {
        "placed_orders": _placed_orders(images),
        "sold_orders": _sold_orders(sold_orders),
        "products": _products(sold_orders),
        "step_times": _step_times(i.order for i in images if not i.order.get("test_order")),
        "changes": _changes(changes, zone),
        "customers": _customers(sold_orders),
        "cohorts": _cohorts(sold_orders),
        "unreadable_totals": _unreadable_totals(sold_orders),
        "listed_orders": _listed_orders(sold_orders),
    }


def with_days(order: Order, zone: str) -> Order:
    """Return an order with the days on which it was placed and paid."""
    times = {name: order[f"{name}_at"] for name in ("placed", "paid") if f"{name}_at" in order}
    days = {f"{name}_day": day_of(time, zone) for name, time in times.items()}
    return {**order, **days}


def day_of(time: str | datetime, zone: str) -> str:
    """Return the day of a UTC time in a time zone."""
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return f"{time.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def encode_facts(rows: dict[str, Rows]) -> dict[str, dict[str, Any]]:
    """Return the facts as the page reads them."""
    return {
        name: encode_columns(QueryResult(_columns(columns), iter(sorted(rows[name], key=str)), 0))
        for name, columns in FACT_COLUMNS.items()
    }


def _columns(declaration: str) -> tuple[Column, ...]:
    parts = (column.partition(":") for column in declaration.split())
    return tuple(Column(name, column_type or "varchar") for name, _, column_type in parts)


def is_sold(order: Order) -> bool:
    """Return whether an order counts as revenue."""
    is_ended = bool({"cancelled_at", "returned_at"} & order.keys())
    return "paid_at" in order and not is_ended and not order.get("test_order")


def is_readable_total(total: object) -> TypeGuard[Decimal]:
    """Return whether a total fits the type of the views."""
    return isinstance(total, Decimal) and abs(total) < 10**14


def category_groups(order: Order) -> list[str | None]:
    """Return the categories of an order's lines, and None for all of them."""
    return [None, *dict.fromkeys(line.get("category", "") for line in order["items"])]


def region_of(order: Order) -> str:
    """Return an order's region, or "" if it has none."""
    region: str = order.get("region", "")
    return region


def minutes_to_next_status(order: Order, step: int) -> int | None:
    """Return the whole minutes from a step's status to the next, if the order reached both."""
    start, end = (order.get(f"{status}_at") for status in STATUSES[step - 1 : step + 1])
    if start is None or end is None:
        return None
    started_at, ended_at = (datetime.fromisoformat(text[:-1]) for text in (start, end))
    return int((ended_at - started_at).total_seconds() // 60)


def fixed_point(number: Decimal, places: int = 2) -> str:
    """Return a number with this many decimal places, rounded half up, as Athena shows it."""
    return format(number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), "f")


def _placed_orders(images: list[LastImage]) -> Rows:
    groups: dict[Key, list[LastImage]] = defaultdict(list)
    for image in images:
        order = image.order
        is_test = str(bool(order.get("test_order"))).lower()
        for category in category_groups(order):
            groups[order["placed_day"], region_of(order), category, is_test].append(image)
    return [(*key, *_placed_counts(group)) for key, group in groups.items()]


def _placed_counts(images: list[LastImage]) -> Iterator[str]:
    yield str(len(images))
    for status in (*STATUSES[1:], "cancelled"):
        yield str(sum(f"{status}_at" in image.order for image in images))
    yield str(sum(not image.is_removed for image in images))


def _sold_orders(orders: list[Order]) -> Rows:
    groups: dict[Key, list[object]] = defaultdict(list)
    for order in orders:
        for category in category_groups(order):
            day = order["paid_day"]
            groups[day, region_of(order), category, order["currency"]].append(order["total"])
    rows: Rows = []
    for key, totals in groups.items():
        amounts = [total for total in totals if is_readable_total(total)]
        unreadable = len(totals) - len(amounts)
        revenue = fixed_point(sum(amounts, Decimal(0)), 4)
        rows.append((*key, str(len(totals)), str(unreadable), revenue))
    return rows


def _unreadable_totals(orders: list[Order]) -> Rows:
    return [
        (order["paid_day"], region_of(order), category, order["order_id"], str(order["total"]))
        for order in orders
        if not is_readable_total(order["total"])
        for category in category_groups(order)
    ]


def _listed_orders(orders: list[Order]) -> Rows:
    return [
        (
            order["paid_day"],
            region_of(order),
            json.dumps(category_groups(order)[1:], ensure_ascii=False, separators=(",", ":")),
            order["currency"],
            order["order_id"],
            order["customer"].get("name", ""),
            order.get("status", ""),
            fixed_point(order["total"], 4) if is_readable_total(order["total"]) else None,
        )
        for order in orders
    ]


def _products(orders: list[Order]) -> Rows:
    groups: dict[Key, list[Order]] = defaultdict(list)
    for order in orders:
        for line in order["items"]:
            product = (line.get("category", ""), order["currency"], line["sku"])
            groups[(order["paid_day"], region_of(order), *product)].append(line)
    return [
        (
            *key,
            max(line["name"] for line in lines),
            fixed_point(sum((line["quantity"] for line in lines), Decimal(0)), 3),
            fixed_point(sum((x["quantity"] * x["unit_price"] for x in lines), Decimal(0)), 7),
        )
        for key, lines in groups.items()
    ]


def _step_times(orders: Iterable[Order]) -> Rows:
    groups: dict[Key, Counter[int]] = defaultdict(Counter)
    for order in orders:
        for step in range(1, len(STATUSES)):
            minutes = minutes_to_next_status(order, step)
            if minutes is not None:
                key = (order["placed_day"], region_of(order), str(step))
                groups[key][duration_number(minutes)] += 1
    return [(*key, duration_list(counts)) for key, counts in groups.items()]


def duration_number(minutes: int) -> int:
    """Return the number of a duration: minutes, tenths of hours and tenths of days in one row."""
    if minutes < 120:
        return minutes
    return 100 + (minutes + 3) // 6 if minutes < 2880 else 560 + (minutes + 72) // 144


def duration_list(counts: Counter[int]) -> str:
    """Return durations as distances from the one before, with their numbers of orders."""
    entries = []
    previous = 0
    for number, count in sorted(counts.items()):
        entries.append(str(number - previous) if count == 1 else f"{number - previous}x{count}")
        previous = number
    return " ".join(entries)


def _changes(changes: Iterable[ChangeRow], zone: str) -> Rows:
    groups: dict[Key, list[datetime]] = defaultdict(list)
    for change in changes:
        hour = f"{change.changed_at:%Y-%m-%d %H}:00:00.000"
        groups[hour, day_of(change.changed_at, zone), change.operation].append(change.changed_at)
    return [
        (*key, str(len(times)), str(60 * max(times).minute + max(times).second))
        for key, times in groups.items()
    ]


def _customers(orders: list[Order]) -> Rows:
    counts: dict[Key, Counter[bool]] = defaultdict(Counter)
    for customer_orders in orders_of_customers(orders):
        first_month = customer_orders[0]["paid_day"][:7]
        regions: set[str | None] = {None, *map(region_of, customer_orders)}
        for region in regions:
            days = sorted(
                {o["paid_day"] for o in customer_orders if region in (None, region_of(o))}
            )
            for previous, day in zip([None, *days], days, strict=False):
                is_same_month = previous is not None and previous[:7] == day[:7]
                key = (day, region, previous if is_same_month else None)
                counts[key][day[:7] == first_month] += 1
    return [(*key, str(count[True]), str(count[False])) for key, count in counts.items()]


def _cohorts(orders: list[Order]) -> Rows:
    counts: Counter[Key] = Counter()
    for first, *others in orders_of_customers(orders):
        months = {month_number(order) - month_number(first) for order in (first, *others)}
        counts.update((first["paid_day"], region_of(first), str(month)) for month in months)
    return [(*key, str(count)) for key, count in counts.items()]


def orders_of_customers(orders: list[Order]) -> list[list[Order]]:
    """Return the orders of each customer, the first paid first."""
    groups: dict[str, list[Order]] = defaultdict(list)
    for order in sorted(orders, key=itemgetter("paid_at", "order_id")):
        groups[order["customer"]["id"]].append(order)
    return list(groups.values())


def month_number(order: Order) -> int:
    """Return the number of the month in which an order was paid."""
    year, month = order["paid_day"].split("-")[:2]
    return 12 * int(year) + int(month)
