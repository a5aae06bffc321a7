"""Models of the named queries: their rows, computed from the table's history in plain Python."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from statistics import mean
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sales.order_lifecycle import Order, OrderChange
from tests.support.dashboard_model import STATUSES, Rows, fixed_point, image_of, is_sold
from tests.support.lake_fixture import change_time, dynamodb_image

DEFAULT_PARAMETERS = {"day_from": "1900-01-01", "day_to": "2999-12-31", "region": "%"}
VIEW_ATTRIBUTES = {
    "order_id",
    "status",
    "customer",
    "region",
    "channel",
    "currency",
    "subtotal",
    "discount",
    "shipping_fee",
    "tax",
    "total",
    "coupon",
    "payment",
    "carrier",
    "tracking_number",
    "test_order",
    "expires_at",
    "items",
    "placed_at",
    "paid_at",
    "payment_failed_at",
    "shipped_at",
    "delivered_at",
    "cancelled_at",
    "returned_at",
    "updated_at",
}
T = TypeVar("T")
K = TypeVar("K", str, tuple[str, ...])


@dataclass(frozen=True)
class LakeHistory:
    """All changes in order, the lake's lines for them, and the parameters of a query."""

    changes: list[OrderChange]
    lines: list[tuple[str, str]]
    parameters: dict[str, str]

    @cached_property
    def orders(self) -> list[Order]:
        """The last image of every order that is not a test."""
        images = {change.order_id: image_of(change) for change in self.changes}
        return [order for order in images.values() if not order["test_order"]]

    def sold_orders(self) -> list[Order]:
        """Return the sold orders that were paid in the selected days and regions."""
        return [o for o in self.orders if is_sold(o) and self.is_selected(o["paid_at"], o)]

    def placed_orders(self) -> list[Order]:
        """Return the orders that were placed in the selected days and regions."""
        return [o for o in self.orders if self.is_selected(o["placed_at"], o)]

    def selected_changes(self) -> Iterator[tuple[datetime, OrderChange]]:
        """Yield the changes of the selected days and regions with their times."""
        for number, change in enumerate(self.changes):
            changed_at = change_time(number)
            if self.is_selected(f"{changed_at:%Y-%m-%d}", image_of(change)):
                yield changed_at, change

    def is_selected(self, time: str, order: Order) -> bool:
        """Return whether the parameters select the day of a time and an order's region."""
        parameters = DEFAULT_PARAMETERS | self.parameters
        is_in_region = fnmatchcase(order["region"], parameters["region"].replace("%", "*"))
        return parameters["day_from"] <= self.day(time) <= parameters["day_to"] and is_in_region

    def day(self, time: str) -> str:
        """Return the day of a time in the business time zone; a day stays as it is."""
        if len(time) == len("2026-03-01"):
            return time
        zone = ZoneInfo(self.parameters.get("zone", "UTC"))
        return f"{datetime.fromisoformat(time).astimezone(zone):%Y-%m-%d}"

    def month(self, order: Order) -> str:
        """Return the first day of the month in which an order was paid."""
        return f"{self.day(order['paid_at'])[:7]}-01"


def group_by(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return items in groups, sorted by key."""
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(sorted(groups.items()))


def attributes(*names: str) -> Callable[[Order], tuple[str, ...]]:
    """Return a function that picks these attributes of an order."""

    def pick(order: Order) -> tuple[str, ...]:
        return tuple(order[name] for name in names)

    return pick


def percent(part: int, whole: int) -> str:
    """Return a share in percent."""
    return fixed_point(Decimal(100 * part / whole), 1)


def athena_timestamp(text: str | None) -> str | None:
    """Return an order's time as Athena shows it."""
    return text and text.replace("T", " ").replace("Z", ".000")


def format_timestamp(time: datetime) -> str:
    """Return a time as Athena shows it."""
    return f"{time:%Y-%m-%d %H:%M:%S}.000"


def sum_totals(orders: Iterable[Order]) -> Decimal:
    """Return the sum of the orders' totals."""
    return sum((order["total"] for order in orders), Decimal(0))


def average_order_value(history: LakeHistory) -> Rows:
    groups = group_by(history.sold_orders(), attributes("region", "channel", "currency"))
    rows: Rows = []
    for key, orders in groups.items():
        totals = [order["total"] for order in orders]
        amounts = map(fixed_point, (mean(totals), min(totals), max(totals)))
        rows.append((*key, str(len(totals)), *amounts))
    return rows


def changes_per_hour(history: LakeHistory) -> Rows:
    counts = Counter(
        (f"{changed_at:%Y-%m-%d %H}:00:00.000", change.operation)
        for changed_at, change in history.selected_changes()
    )
    return [(*key, str(count)) for key, count in sorted(counts.items())]


def customers_by_lifetime_value(history: LakeHistory) -> Rows:
    groups = group_by(history.sold_orders(), lambda o: (o["currency"], o["customer"]["id"]))
    customers = []
    for (currency, customer_id), orders in groups.items():
        last_order = max(orders, key=lambda order: order["paid_at"])
        customers.append(
            (
                currency,
                customer_id,
                last_order["customer"]["name"],
                last_order["customer"]["address"]["country"],
                str(len(orders)),
                fixed_point(sum_totals(orders)),
                athena_timestamp(last_order["paid_at"]),
            )
        )
    return top_ten_by_currency(customers, amount_index=5)


def top_ten_by_currency(rows: list[Any], amount_index: int) -> Rows:
    """Return the ten rows of each currency with the largest amounts, with their rank.

    A row begins with its currency and a key, by which equal amounts are ordered.
    """
    by_amount = sorted(rows, key=lambda row: (-Decimal(row[amount_index]), row[1]))
    return [
        (currency, str(rank), *rest)
        for currency, group in group_by(by_amount, lambda row: row[0]).items()
        for rank, (_, *rest) in enumerate(group[:10], 1)
    ]


def duplicate_changes(history: LakeHistory) -> Rows:
    parameters = DEFAULT_PARAMETERS | history.parameters
    copies = Counter(
        (day, json.loads(line)["cdc_event_id"])
        for day, line in history.lines
        if parameters["day_from"] <= day <= parameters["day_to"]
    )
    rows: Rows = []
    for day, events in group_by(copies, lambda event: event[0]).items():
        counts = [copies[event] for event in events]
        stored = sum(counts)
        distinct = len(counts)
        rows.append((day, *map(str, (stored, distinct, stored - distinct, max(counts)))))
    return rows


def failure_rates(history: LakeHistory) -> Rows:
    rows: Rows = []
    for (region,), orders in group_by(history.placed_orders(), attributes("region")).items():
        row = [region, str(len(orders))]
        for status in ("payment_failed", "cancelled", "returned"):
            count = sum(f"{status}_at" in order for order in orders)
            row += [str(count), percent(count, len(orders))]
        rows.append(tuple(row))
    return rows


def late_changes(history: LakeHistory) -> Rows:
    delays: dict[tuple[str, str], list[int]] = defaultdict(list)
    for changed_at, change in history.selected_changes():
        if change.after:
            seconds = seconds_between(change.after["updated_at"], changed_at)
            delays[f"{changed_at:%Y-%m-%d}", change.after["region"]].append(seconds)
    return [
        (
            *key,
            str(len(seconds)),
            str(sum(delay > 3600 for delay in seconds)),
            str(sum(delay > 86400 for delay in seconds)),
            fixed_point(Decimal(max(seconds) / 3600)),
        )
        for key, seconds in sorted(delays.items())
    ]


def seconds_between(start: str, end: datetime) -> int:
    """Return the seconds from an order's time to a time."""
    started_at = datetime.fromisoformat(start)
    return int((end - started_at).total_seconds())


def new_attributes(history: LakeHistory) -> Rows:
    times: dict[str, list[datetime]] = defaultdict(list)
    for changed_at, change in history.selected_changes():
        for name in (change.after or {}).keys() - VIEW_ATTRIBUTES:
            times[name].append(changed_at)
    by_count = sorted(times.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(name, *count_and_range(seen_at)) for name, seen_at in by_count]


def count_and_range(times: list[datetime]) -> tuple[str, str, str]:
    """Return the number of times, the first and the last."""
    return str(len(times)), format_timestamp(min(times)), format_timestamp(max(times))


def order_history(history: LakeHistory) -> Rows:
    rows_of_lake = (json.loads(line) for _, line in history.lines)
    row_by_sequence = {row["cdc_sequence"]: row for row in rows_of_lake}
    rows: Rows = []
    for number, sequence in enumerate(sorted(row_by_sequence)):
        change = history.changes[number]
        if change.order_id != history.parameters["order_id"]:
            continue
        order = image_of(change)
        rows.append(
            (
                format_timestamp(change_time(number)),
                change.operation,
                "false",
                row_by_sequence[sequence]["cdc_changed"],
                order["status"],
                athena_timestamp(order["updated_at"]),
                fixed_point(order["total"], 4),
                order["currency"],
                sequence,
            )
        )
    return rows


def orders_as_of(history: LakeHistory) -> Rows:
    until = datetime.fromisoformat(history.parameters.get("moment", "2999-12-31 00:00:00"))
    table: dict[str, Order | None] = {}
    for number, change in enumerate(history.changes):
        if change_time(number).replace(tzinfo=None) <= until:
            table[change.order_id] = change.after
    return [
        (
            order_id,
            order["status"],
            athena_timestamp(order["updated_at"]),
            order["region"],
            order["currency"],
            fixed_point(order["total"], 4),
            order["customer"]["name"],
        )
        for order_id, order in sorted(table.items())
        if order
    ]


def order_lines(orders: Iterable[Order]) -> Iterator[dict[str, Any]]:
    """Yield the lines of orders with their amount, their order and its currency."""
    for order in orders:
        for line in order["items"]:
            amount = line["quantity"] * line["unit_price"]
            yield {**line, "order": order, "currency": order["currency"], "amount": amount}


def quantity_and_revenue(lines: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the total quantity and the total amount of lines."""
    quantity = sum((line["quantity"] for line in lines), Decimal(0))
    return fixed_point(quantity, 3), fixed_point(
        sum((line["amount"] for line in lines), Decimal(0))
    )


def revenue_by_category(history: LakeHistory) -> Rows:
    lines = order_lines(history.sold_orders())
    rows = []
    for key, group in group_by(lines, attributes("category", "currency")).items():
        orders = {line["order"]["order_id"] for line in group}
        rows.append((*key, str(len(orders)), *quantity_and_revenue(group)))
    rows.sort(key=lambda row: (row[1], -Decimal(row[4]), row[0]))
    return [*rows]


def revenue_by_day(history: LakeHistory) -> Rows:
    groups = group_by(history.sold_orders(), lambda o: (history.day(o["paid_at"]), o["currency"]))
    return [
        (*key, str(len(orders)), fixed_point(sum_totals(orders))) for key, orders in groups.items()
    ]


def revenue_by_region(history: LakeHistory) -> Rows:
    def market(order: Order) -> tuple[str, str, str]:
        return order["region"], order["customer"]["address"]["country"], order["currency"]

    rows = []
    for key, orders in group_by(history.sold_orders(), market).items():
        customers = {order["customer"]["id"] for order in orders}
        rows.append((*key, str(len(orders)), str(len(customers)), fixed_point(sum_totals(orders))))
    rows.sort(key=lambda row: (row[0], -Decimal(row[5]), row[1], row[2]))
    return [*rows]


def shared_columns(history: LakeHistory) -> Rows:
    return []  # Generated orders share none; tests/analytics/test_queries.py has examples that do.


def status_funnel(history: LakeHistory) -> Rows:
    orders = history.placed_orders()
    counts = [sum(f"{status}_at" in order for order in orders) for status in STATUSES]
    return [
        (str(step), status, str(count), percent(count, len(orders)))
        for step, (status, count) in enumerate(zip(STATUSES, counts, strict=True), 1)
    ]


def time_between_statuses(history: LakeHistory) -> Rows:
    rows: Rows = []
    for (region,), orders in group_by(history.placed_orders(), attributes("region")).items():
        for start, end in pairwise(STATUSES):
            seconds = sorted(durations(orders, f"{start}_at", f"{end}_at"))
            if seconds:
                hours = [hours_at_quantile(seconds, share) for share in (0.5, 0.9)]
                rows.append((region, start, end, str(len(seconds)), *hours))
    return rows


def durations(orders: Iterable[Order], start: str, end: str) -> Iterator[int]:
    """Yield the seconds between two times of each order that has both."""
    for order in orders:
        if start in order and end in order:
            ended_at = datetime.fromisoformat(order[end])
            yield seconds_between(order[start], ended_at)


def hours_at_quantile(seconds: list[int], share: float) -> str:
    """Return the nearest-rank quantile of sorted seconds, in hours."""
    return fixed_point(Decimal(seconds[math.ceil(share * len(seconds)) - 1] / 3600))


def top_products(history: LakeHistory) -> Rows:
    lines = order_lines(history.sold_orders())
    products = []
    for (currency, sku), group in group_by(lines, attributes("currency", "sku")).items():
        name = max(line["name"] for line in group)
        category = max(line["category"] for line in group)
        products.append((currency, sku, name, category, *quantity_and_revenue(group)))
    return top_ten_by_currency(products, amount_index=5)


def type_drift(history: LakeHistory) -> Rows:
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for changed_at, change in history.selected_changes():
        for name, value in dynamodb_image(change.after or {}).items():
            times[name, next(iter(value))].append(changed_at)
    type_counts = Counter(name for name, _ in times)
    rows = [
        (*key, *count_and_range(seen_at))
        for key, seen_at in times.items()
        if type_counts[key[0]] > 1
    ]
    rows.sort(key=lambda row: (row[0], -int(row[2]), row[1]))
    return [*rows]


def unfit_values(history: LakeHistory) -> Rows:
    return []  # Generated orders fit; tests/analytics/test_queries.py has examples that do not.


QUERY_MODELS: dict[str, Callable[[LakeHistory], Rows]] = {
    model.__name__: model
    for model in (
        average_order_value,
        changes_per_hour,
        customers_by_lifetime_value,
        duplicate_changes,
        failure_rates,
        late_changes,
        new_attributes,
        order_history,
        orders_as_of,
        revenue_by_category,
        revenue_by_day,
        revenue_by_region,
        shared_columns,
        status_funnel,
        time_between_statuses,
        top_products,
        type_drift,
        unfit_values,
    )
}
