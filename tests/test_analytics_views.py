"""Views and questions: on a lake out of order and full of copies, what a model in Python says."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import mean

import pytest

import transform
from analytics.athena import answer_to
from local.cloud import Cloud
from sales.lives import Change, Order, Plan, changes
from tests.lake import (
    BEGIN,
    STEP,
    STREAM,
    asked,
    delivered,
    in_disorder,
    lake_of_views,
    line_of,
    rows,
    stored,
    typed,
)
from transform import state

PLAN = Plan(60, 8, Fraction(1, 10), date(2026, 11, 23))


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud in which the setup scripts have made the bucket, the catalog and the views."""
    with lake_of_views() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def history(lake: Cloud) -> list[Change]:
    """The changes that the lake holds, in their order."""
    made = changes(PLAN)
    stored(delivered(made))
    return made


@pytest.fixture
def other_lake(history: list[Change]) -> Iterator[Callable[[list[tuple[str, str]]], None]]:
    """What puts other rows into the lake, for one test."""
    yield stored
    stored(delivered(history))


@pytest.fixture(scope="module")
def model(history: list[Change]) -> dict[str, tuple[Order, bool]]:
    """The last image of every order, and whether it was removed."""
    lasts: dict[str, tuple[Order, bool]] = {}
    for change in history:
        lasts[change.order_id] = (change.after or change.before, change.after is None)
    return lasts


@pytest.fixture(scope="module")
def sold(model: dict[str, tuple[Order, bool]]) -> list[Order]:
    """The orders that count as money."""
    return [
        order
        for order, _ in model.values()
        if "paid_at" in order
        and not {"cancelled_at", "returned_at"} & order.keys()
        and not order["test_order"]
    ]


def cents(amount: Decimal) -> str:
    """Return an amount as the questions show it."""
    return format(amount.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")


def moment(text: str | None) -> str | None:
    """Return an order's time as Athena shows it."""
    return text and text.replace("T", " ").replace("Z", ".000")


def test_every_change_is_there_once(history: list[Change]) -> None:
    found = rows("SELECT order_id, operation, updated_at, total FROM order_changes")
    expected = [
        (
            change.order_id,
            change.operation,
            moment((change.after or change.before)["updated_at"]),
            format((change.after or change.before)["total"].quantize(Decimal("0.0001")), "f"),
        )
        for change in history
    ]
    assert Counter(found) == Counter(expected)


def test_a_condition_on_the_day_reads_that_day_only(history: list[Change]) -> None:
    def scanned(where: str) -> int:
        return answer_to(f"SELECT count(*) FROM order_changes WHERE {where}").scanned

    days = {f"{BEGIN + number * STEP:%Y-%m-%d}" for number in range(len(history))}
    read = [scanned(f"dt = '{day}'") for day in days]
    assert len(read) > 2
    assert min(read) > 0
    assert sum(read) == scanned("true")


def test_orders_are_the_last_images(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows("SELECT order_id, status, shipped_at, city, carrier, image, removed FROM orders")
    assert sorted(found) == sorted(
        (
            key,
            order["status"],
            moment(order.get("shipped_at")),
            order["customer"]["address"]["city"],
            order.get("carrier"),
            transform.canonical(typed(order)),
            str(removed).lower(),
        )
        for key, (order, removed) in model.items()
    )


def test_current_orders_are_those_not_removed(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows("SELECT order_id, image FROM current_orders")
    images = {
        key: transform.canonical(typed(o)) for key, (o, removed) in model.items() if not removed
    }
    assert dict(found) == images
    assert len(found) == len(images) < len(model)


def test_order_lines_are_the_items_in_their_order(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows(
        "SELECT order_id, line_number, sku, product, category, CAST(amount AS decimal(38, 2)) "
        "FROM order_lines"
    )
    assert sorted(found) == sorted(
        (key, str(number), line["sku"], line["name"], line["category"],
         cents(line["quantity"] * line["unit_price"]))
        for key, (order, _) in model.items()
        for number, line in enumerate(order["items"], 1)
    )  # fmt: skip


def totals(orders: Iterable[Order], *attributes: str) -> dict[tuple[str, ...], list[Decimal]]:
    """Return the orders' totals, by some of their attributes."""
    groups = defaultdict(list)
    for order in orders:
        groups[tuple(order[name] for name in attributes)].append(order["total"])
    return groups


def test_revenue_by_day_is_the_sum_of_the_days_totals(sold: list[Order]) -> None:
    dated = [{**order, "day": order["paid_at"][:10]} for order in sold]
    expected = [
        (day, currency, str(len(found)), cents(sum(found)))
        for (day, currency), found in sorted(totals(dated, "day", "currency").items())
    ]
    assert asked("revenue_by_day") == expected
    day = expected[len(expected) // 2][0]
    assert asked("revenue_by_day", day_from=day, day_to=day) == [
        row for row in expected if row[0] == day
    ]
    euros = [row for row in expected if row[1] == "EUR"]
    assert asked("revenue_by_day", region="EU") == euros
    assert asked("revenue_by_day", region="' OR '' = '") == []


def test_revenue_by_region_adds_up_to_the_same(sold: list[Order]) -> None:
    found = asked("revenue_by_region")
    sums = defaultdict(Decimal)
    for region, _, currency, *_, revenue in found:
        sums[region, currency] += Decimal(revenue)
    assert sums == {
        key: sum(amounts) for key, amounts in totals(sold, "region", "currency").items()
    }


def test_average_order_value_is_the_mean_to_the_cent(sold: list[Order]) -> None:
    expected = {
        key: (str(len(found)), cents(mean(found)), cents(min(found)), cents(max(found)))
        for key, found in totals(sold, "region", "channel", "currency").items()
    }
    found = asked("average_order_value")
    assert {row[:3]: row[3:] for row in found} == expected


def lines_of(orders: Iterable[Order]) -> Iterator[tuple[Order, Order]]:
    """Yield each line of the orders with its order."""
    return ((order, line) for order in orders for line in order["items"])


def test_categories_and_products_share_the_revenue_of_the_lines(sold: list[Order]) -> None:
    by_category, by_product = defaultdict(Decimal), defaultdict(Decimal)
    for order, line in lines_of(sold):
        amount = line["quantity"] * line["unit_price"]
        by_category[line["category"], order["currency"]] += amount
        by_product[order["currency"], line["sku"]] += amount
    found = {(row[0], row[1]): row[4] for row in asked("revenue_by_category")}
    assert found == {key: cents(amount) for key, amount in by_category.items()}
    products = asked("top_products")
    for currency in {currency for currency, _ in by_product}:
        ranked = sorted(
            (-amount, sku) for (money, sku), amount in by_product.items() if money == currency
        )
        top = [(row[2], row[6]) for row in products if row[0] == currency]
        assert top == [(sku, cents(-amount)) for amount, sku in ranked[:10]]


def test_customers_are_ranked_by_what_they_spent(sold: list[Order]) -> None:
    spent: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for order in sold:
        spent[order["currency"], order["customer"]["id"]].append(order["total"])
    customers = asked("customers_by_lifetime_value")
    for currency in {currency for currency, _ in spent}:
        ranked = sorted(
            (-sum(found), customer, str(len(found)))
            for (money, customer), found in spent.items()
            if money == currency
        )
        top = [row for row in customers if row[0] == currency]
        assert [(row[2], row[5], row[6]) for row in top] == [
            (customer, orders, cents(-amount)) for amount, customer, orders in ranked[:10]
        ]


def seconds(order: Order, begin: str, end: str) -> int:
    """Return the seconds between two statuses of an order."""
    began, ended = (datetime.fromisoformat(order[f"{name}_at"][:-1]) for name in (begin, end))
    return int((ended - began).total_seconds())


def test_funnel_and_failures_count_the_orders_that_got_there(
    model: dict[str, tuple[Order, bool]],
) -> None:
    real = [order for order, _ in model.values() if not order["test_order"]]
    reached = Counter(name for order in real for name in order if name.endswith("_at"))
    steps = ("placed", "paid", "shipped", "delivered", "returned")
    funnel, rates = asked("status_funnel"), asked("failure_rates")
    assert [(row[1], row[2]) for row in funnel] == [
        (step, str(reached[f"{step}_at"])) for step in steps
    ]
    assert funnel[0][3] == "100.0"
    sums = [sum(int(row[column]) for row in rates) for column in (1, 2, 4, 6)]
    assert sums == [
        len(real),
        *(reached[f"{name}_at"] for name in ("payment_failed", "cancelled", "returned")),
    ]


def test_the_median_time_lies_in_the_middle(model: dict[str, tuple[Order, bool]]) -> None:
    real = [order for order, _ in model.values() if not order["test_order"]]
    for region, begin, end, count, median, _ in asked("time_between_statuses"):
        times = sorted(
            seconds(order, begin, end)
            for order in real
            if order["region"] == region and f"{begin}_at" in order and f"{end}_at" in order
        )
        assert len(times) == int(count)
        around = times[(len(times) - 1) // 2], times[len(times) // 2]
        low, high = (Decimal(second) / 3600 for second in around)
        assert low - Decimal("0.01") <= Decimal(median) <= high + Decimal("0.01")


def test_changes_per_hour_counts_each_change_once(history: list[Change]) -> None:
    found = asked("changes_per_hour")
    assert sum(int(row[2]) for row in found) == len(history)
    assert Counter(
        {op: sum(int(n) for _, o, n in found if o == op) for _, op, _ in found}
    ) == Counter(change.operation for change in history)
    hours = {f"{BEGIN + n * STEP:%Y-%m-%d %H}:00:00.000" for n in range(len(history))}
    assert {row[0] for row in found} == hours


def test_duplicates_are_counted_though_no_view_shows_them(history: list[Change]) -> None:
    found = asked("duplicate_changes")
    assert sum(int(row[2]) for row in found) == len(history)
    assert sum(int(row[3]) for row in found) == len(history) // 3


def test_new_attributes_are_found_before_any_crawler(history: list[Change]) -> None:
    noted = sum("gift_note" in (change.after or {}) for change in history)
    assert [row[:2] for row in asked("new_attributes")] == [("gift_note", str(noted))]


def test_the_history_of_an_order_is_in_order(history: list[Change]) -> None:
    order_id = history[-1].order_id
    life = [change for change in history if change.order_id == order_id]
    found = asked("order_history", order_id=order_id)
    assert [row[1] for row in found] == [change.operation for change in life]
    assert [row[5] for row in found] == [
        moment((change.after or change.before)["updated_at"]) for change in life
    ]


def test_orders_as_of_a_moment_are_what_the_table_held_then(history: list[Change]) -> None:
    for number in (0, len(history) // 2, len(history) - 1):
        held: dict[str, Order] = {}
        for change in history[: number + 1]:
            held.pop(change.order_id, None)
            if change.after is not None:
                held[change.order_id] = change.after
        text = f"{BEGIN + number * STEP:%Y-%m-%d %H:%M:%S}"
        assert [row[:3] for row in asked("orders_as_of", moment=text)] == sorted(
            (key, order["status"], moment(order["updated_at"])) for key, order in held.items()
        )


def test_what_a_type_does_not_hold_is_listed(
    history: list[Change], other_lake: Callable[[list[tuple[str, str]]], None]
) -> None:
    assert asked("unfit_values") == []
    bad = {
        "total": Decimal("1.23456"),
        "subtotal": Decimal("123456789012345"),
        "tax": "free",
        "paid_at": "yesterday",
        "test_order": "maybe",
        "expires_at": Decimal("1E+30"),
        "items": [{"sku": "x", "quantity": Decimal("0.0001"), "unit_price": "two"}],
    }
    order = {**history[0].after, **bad}
    other_lake([line_of(Change("SO-1", history[0].at, None, order), 0)])
    assert {(row[1], row[2]) for row in asked("unfit_values")} == {
        ("total", "1.23456"),
        ("subtotal", "123456789012345"),
        ("tax", "free"),
        ("paid_at", "yesterday"),
        ("test_order", "maybe"),
        ("expires_at", "1" + "0" * 30),
        ("items.quantity", "0.0001"),
        ("items.unit_price", "two"),
    }
    typed_columns = "total, subtotal, tax, paid_at, test_order, expires_at"
    assert rows(f"SELECT {typed_columns} FROM orders") == [("1.2346", *[None] * 5)]


def test_the_views_hold_the_law_of_state(
    other_lake: Callable[[list[tuple[str, str]]], None],
) -> None:
    """Re-created tables, backfills, repairs, lost removals: in any order, any number of times."""
    chance = random.Random(11)
    log = [row for number in range(150) for row in any_rows(f"SO-{number}", chance)]
    other_lake(in_disorder([(row.changed_at[:10], told(row)) for row in log]))
    current = state.current(log)
    assert dict(rows("SELECT cdc_key, image FROM current_orders")) == {
        key: row.new_image for key, row in current.items()
    }
    removed = {
        key: row.key not in current
        for key, row in state.latest(log).items()
        if any(one.new_image or one.old_image for one in log if one.key == key)
    }
    found = rows("SELECT cdc_key, removed FROM orders")
    assert {key: flag == "true" for key, flag in found} == removed
    assert len(found) == len(removed)


def any_rows(order_id: str, chance: random.Random) -> list[state.Row]:
    """Return rows of one key, distinct, of few sources and places, so that many compete."""
    found = {}
    for number in range(chance.randint(1, 8)):
        is_snapshot = chance.random() < 0.4
        images = [f'{{"order_id":{{"S":"{order_id}"}},"n":{{"N":"{n}"}}}}' for n in (number, 9)]
        old, new = chance.choice([(None, images[0]), tuple(images), (images[0], None)])
        row = state.Row(
            operation="SNAPSHOT" if is_snapshot else "MODIFY",
            key=f'{{"order_id":{{"S":"{order_id}"}}}}',
            source=chance.choice([STREAM, STREAM.replace("10:00", "12:00")]),
            sequence=f"{chance.choice([0, 9, 10, 10**20, 10**39]):040}",
            snapshot_at=f"2026-03-0{chance.randint(1, 3)} 10:00:00.000" if is_snapshot else None,
            event_id=f"{order_id}-{number}",
            changed_at=f"2026-03-0{chance.randint(1, 3)} 00:00:00.000",
            old_image=None if is_snapshot else old,
            new_image=new,
        )
        found[state.rank(row)[:3]] = row  # Of equal places only one: else the images contradict.
    return list(found.values())


def told(row: state.Row) -> str:
    """Return the line of such a row."""
    columns = {f"cdc_{name}": getattr(row, name) for name in state.Row.__dataclass_fields__}
    image = row.new_image or row.old_image
    attributes = {"order_id": json.loads(image)["order_id"]["S"]} if image else {}
    return json.dumps({**columns, "cdc_expired": "false", **attributes}) + "\n"
