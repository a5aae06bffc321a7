"""Models of the named queries about customers, baskets and trends, in plain Python."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from operator import itemgetter
from typing import Any

from sales.order_lifecycle import Order
from tests.support.dashboard_model import Rows, fixed_point, is_sold
from tests.support.lake_fixture import change_time
from tests.support.query_models import (
    LakeHistory,
    athena_timestamp,
    attributes,
    group_by,
    order_lines,
    percent,
    seconds_between,
    sum_totals,
)

DAY = 86400


def orders_by_customer(history: LakeHistory) -> dict[str, list[Order]]:
    """Return the sold orders of each customer, the first paid first."""
    sold = sorted(filter(is_sold, history.orders), key=itemgetter("paid_at", "order_id"))
    return group_by(sold, lambda order: order["customer"]["id"])


def months_between(start: str, end: str) -> int:
    """Return by how many calendar months one day is later than another."""
    (year, month), (later_year, later_month) = (
        map(int, day[:7].split("-")) for day in (start, end)
    )
    return 12 * (later_year - year) + later_month - month


def new_and_returning_customers(history: LakeHistory) -> Rows:
    customers: dict[str, dict[bool, set[str]]] = defaultdict(lambda: {True: set(), False: set()})
    for customer, orders in orders_by_customer(history).items():
        for order in orders:
            if history.is_selected(order["paid_at"], order):
                is_new = history.month(order) == history.month(orders[0])
                customers[history.month(order)][is_new].add(customer)
    rows: Rows = []
    for month, groups in sorted(customers.items()):
        new, returning = len(groups[True]), len(groups[False])
        counts = map(str, (new + returning, new, returning))
        rows.append((month, *counts, percent(returning, new + returning)))
    return rows


def orders_by_cohort(history: LakeHistory) -> dict[str, dict[int, list[Order]]]:
    """Return the selected cohorts' orders by the months after the first one."""
    cohorts: dict[str, dict[int, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for first, *others in orders_by_customer(history).values():
        cohort = history.month(first)
        if history.is_selected(first["paid_at"], first):
            for order in (first, *others):
                cohorts[cohort][months_between(cohort, history.month(order))].append(order)
    return dict(sorted(cohorts.items()))


def cohort_retention(history: LakeHistory) -> Rows:
    rows: Rows = []
    for cohort, orders_by_month in orders_by_cohort(history).items():
        active = {
            months: len({order["customer"]["id"] for order in orders})
            for months, orders in sorted(orders_by_month.items())
        }
        for months, count in active.items():
            counts = map(str, (months, active[0], count))
            rows.append((cohort, *counts, percent(count, active[0])))
    return rows


def cohort_revenue(history: LakeHistory) -> Rows:
    rows: Rows = []
    for cohort, orders_by_month in orders_by_cohort(history).items():
        all_orders = [
            (months, order) for months, orders in orders_by_month.items() for order in orders
        ]
        for currency, pairs in group_by(all_orders, lambda pair: pair[1]["currency"]).items():
            so_far = Decimal(0)
            for months in sorted({months for months, _ in pairs}):
                orders = [order for later, order in pairs if later == months]
                so_far += sum_totals(orders)
                amounts = map(fixed_point, (sum_totals(orders), so_far))
                rows.append((cohort, currency, str(months), str(len(orders)), *amounts))
    return rows


def customer_segments(history: LakeHistory) -> Rows:
    rows: list[Any] = []
    for currency, orders in group_by(history.sold_orders(), lambda o: o["currency"]).items():
        customers = list(group_by(orders, lambda order: order["customer"]["id"]).values())
        recencies = scores([max(map(itemgetter("paid_at"), bought)) for bought in customers])
        frequencies = scores([len(bought) for bought in customers])
        amounts = scores([sum_totals(bought) for bought in customers])
        segments = defaultdict(list)
        for number, bought in enumerate(customers):
            value = -(-(frequencies[number] + amounts[number]) // 2)
            segments[segment_of(recencies[number], value)].append(bought)
        for segment, members in segments.items():
            last_times = [max(map(itemgetter("paid_at"), bought)) for bought in members]
            their_orders = [order for bought in members for order in bought]
            rows.append(
                (
                    currency,
                    segment,
                    str(len(members)),
                    str(len(their_orders)),
                    fixed_point(sum_totals(their_orders)),
                    athena_timestamp(min(last_times)),
                    athena_timestamp(max(last_times)),
                )
            )
    return sorted(rows, key=lambda row: (row[0], -Decimal(row[4]), row[1]))


def scores(values: list[Any]) -> list[int]:
    """Return for each value 1 to 5: the fifth of all values in which it lies; equals lie alike."""
    in_order = sorted(values)
    return [1 + 5 * in_order.index(value) // len(values) for value in values]


def segment_of(recency: int, value: int) -> str:
    """Return the name of the segment of a customer's scores."""
    if recency >= 3:
        if value < 3:
            return "recent"
        return "champions" if min(recency, value) >= 4 else "loyal"
    return "at risk" if value >= 3 else "dormant"


def net_sales(history: LakeHistory) -> Rows:
    paid = [o for o in history.orders if "paid_at" in o and history.is_selected(o["paid_at"], o)]
    rows: Rows = []
    for key, orders in group_by(paid, lambda o: (history.month(o), o["currency"])).items():
        refunded = [o for o in orders if "cancelled_at" in o or "returned_at" in o]
        gross = sum((order["subtotal"] for order in orders), Decimal(0))
        discounts = sum((order["discount"] for order in orders), Decimal(0))
        refunds = sum((order["subtotal"] - order["discount"] for order in refunded), Decimal(0))
        rows.append(
            (
                *key,
                str(len(orders)),
                fixed_point(gross),
                fixed_point(discounts),
                str(len(refunded)),
                fixed_point(refunds),
                fixed_point(gross - discounts - refunds),
            )
        )
    return rows


def sold_together(history: LakeHistory) -> Rows:
    baskets = [{line["sku"] for line in order["items"]} for order in history.sold_orders()]

    def count(*skus: str) -> int:
        return sum(basket.issuperset(skus) for basket in baskets)

    skus = sorted(set().union(*baskets))
    pairs = [(count(*pair), *pair) for pair in combinations(skus, 2)]
    pairs.sort(key=lambda pair: (-pair[0], pair))
    rows: Rows = []
    for both, sku, other in pairs[:20]:
        if both:
            lift = Decimal(both * len(baskets)) / (count(sku) * count(other))
            counts = map(str, (both, count(sku), count(other)))
            rows.append((sku, other, *counts, percent(both, count(sku)), fixed_point(lift)))
    return rows


def product_trends(history: LakeHistory) -> Rows:
    parameters = {"days": "28", "day_to": "2999-12-31"} | history.parameters
    days = int(parameters["days"])
    sold_days = [history.day(order["paid_at"]) for order in history.orders if is_sold(order)]
    last_day = datetime.fromisoformat(max(d for d in sold_days if d <= parameters["day_to"]))
    starts = [f"{last_day - timedelta(days * periods - 1):%Y-%m-%d}" for periods in (2, 1)]
    selected = LakeHistory(history.changes, history.lines, {**parameters, "day_from": starts[0]})
    lines = order_lines(selected.sold_orders())
    rows = []
    for (currency, sku), group in group_by(lines, attributes("currency", "sku")).items():
        before = [line for line in group if history.day(line["order"]["paid_at"]) < starts[1]]
        recent = [line for line in group if history.day(line["order"]["paid_at"]) >= starts[1]]
        pieces = [fixed_point(total_of(part, "quantity"), 3) for part in (before, recent)]
        revenues = [total_of(part, "amount") for part in (before, recent)]
        amounts = map(fixed_point, (*revenues, revenues[1] - revenues[0]))
        rows.append((currency, sku, max(line["name"] for line in group), *pieces, *amounts))
    rows.sort(key=lambda row: (row[0], -abs(Decimal(row[7])), row[1]))
    return [
        (currency, str(rank), *rest)
        for currency, group in group_by(rows, itemgetter(0)).items()
        for rank, (_, *rest) in enumerate(group[:10], 1)
    ]


def total_of(lines: list[dict[str, Any]], name: str) -> Decimal:
    """Return the sum of one number of all lines."""
    return sum((line[name] for line in lines), Decimal(0))


def revenue_by_period(history: LakeHistory) -> Rows:
    def start_of(order: Order) -> date:
        return period_start(history, date.fromisoformat(history.day(order["paid_at"])))

    rows: Rows = []
    groups = group_by(history.sold_orders(), lambda o: (f"{start_of(o)}", o["currency"]))
    for (start, currency), orders in groups.items():
        day_before = date.fromisoformat(start) - timedelta(days=1)
        previous = groups.get((f"{period_start(history, day_before)}", currency))
        change = percentage = None
        if previous:
            difference = sum_totals(orders) - sum_totals(previous)
            change = fixed_point(difference)
            percentage = fixed_point(100 * difference / sum_totals(previous), 1)
        revenue = fixed_point(sum_totals(orders))
        rows.append((start, currency, str(len(orders)), revenue, change, percentage))
    return rows


def period_start(history: LakeHistory, day: date) -> date:
    """Return the first day of the period that a day lies in."""
    defaults = {"period": "month", "week_start": "1", "fiscal_year_start": "1"}
    parameters = defaults | history.parameters
    first_month = int(parameters["fiscal_year_start"])

    def begins(day: date) -> bool:
        is_first = day.day == 1
        return {
            "day": True,
            "week": day.isoweekday() == int(parameters["week_start"]),
            "month": is_first,
            "quarter": is_first and (day.month - first_month) % 3 == 0,
            "year": is_first and day.month == first_month,
        }[parameters["period"]]

    while not begins(day):
        day -= timedelta(days=1)
    return day


def time_to_second_order(history: LakeHistory) -> Rows:
    customers = [
        orders
        for orders in orders_by_customer(history).values()
        if history.is_selected(orders[0]["paid_at"], orders[0])
    ]
    rows: Rows = []
    for region, group in group_by(customers, lambda orders: orders[0]["region"]).items():
        seconds = sorted(
            seconds_between(orders[0]["paid_at"], datetime.fromisoformat(orders[1]["paid_at"]))
            for orders in group
            if len(orders) > 1
        )
        counts = map(str, (len(group), len(seconds)))
        days = [days_at_quantile(seconds, tenths) for tenths in (5, 9)]
        rows.append((region, *counts, percent(len(seconds), len(group)), *days))
    return rows


def days_at_quantile(seconds: list[int], tenths: int) -> str | None:
    """Return the nearest-rank quantile of sorted seconds, in days."""
    if not seconds:
        return None
    return fixed_point(Decimal(seconds[-(-tenths * len(seconds) // 10) - 1]) / DAY)


def orders_at_risk(history: LakeHistory) -> Rows:
    parameters = {"days": "3", "region": "%"} | history.parameters
    now = change_time(len(history.changes) - 1)
    removed = {change.order_id for change in history.changes if not change.after}
    rows = []
    for order in history.orders:
        if is_sold(order) and not {"shipped_at", "delivered_at"} & order.keys():
            days = seconds_between(order["paid_at"], now) // DAY
            is_waiting = days >= int(parameters["days"]) and order["order_id"] not in removed
            if is_waiting and history.is_selected("1900-01-01", order):
                rows.append(
                    (
                        order["order_id"],
                        order["status"],
                        athena_timestamp(order["paid_at"]),
                        str(days),
                        order["region"],
                        order["currency"],
                        fixed_point(order["total"], 4),
                        order["customer"]["id"],
                        order["channel"],
                    )
                )
    return sorted(rows, key=itemgetter(2, 0))


CUSTOMER_MODELS: dict[str, Callable[[LakeHistory], Rows]] = {
    model.__name__: model
    for model in (
        cohort_retention,
        cohort_revenue,
        customer_segments,
        net_sales,
        new_and_returning_customers,
        orders_at_risk,
        product_trends,
        revenue_by_period,
        sold_together,
        time_to_second_order,
    )
}
