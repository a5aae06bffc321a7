"""Page in the reporting currency: converted exactly, beside the original, or not known."""

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from operations.rates.rates_file import Rate
from sales.order_lifecycle import Order, OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import image_of, is_sold, last_images
from tests.support.dashboard_page import (
    TABLE_CELLS,
    choose,
    dollars,
    passes,
    show_unfiltered,
    text_of,
    write_page,
)
from tests.support.hostile_orders import HOSTILE_NAMES, hostile_orders, inserts
from tests.support.profile import sampled
from tests.support.query_models import LakeHistory
from tests.support.rates_model import rate_of

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

IN_EUROS = "all in EUR"
FIRST_DAY = date(2026, 10, 20)
# Every other currency has a rate of every fifth day, but yen none after the middle of the month.
RATES = [
    Rate(FIRST_DAY + timedelta(age), currency, Decimal(f"{rate}{age:02}"))
    for currency, rate in {"USD": "0.8612345678", "GBP": "1.15", "JPY": "0.0061234567"}.items()
    for age in range(0, 20 if currency == "JPY" else 40, 5)
]
KNOWN = {"from": "2026-11-01", "to": "2026-11-10"}
CHOICES = "choices.currency"
RULES = "[...document.querySelectorAll('#shop [data-chart] .rule')].map((rule) => rule.textContent)"


@pytest.fixture(scope="module")
def euros(history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with exchange rates."""
    path = tmp_path_factory.mktemp("page") / "euros.html"
    return write_page(path, history, RATES, with_details=True)


def sold_orders(history: list[OrderChange], filters: dict[str, str]) -> list[Order]:
    orders = [image.order for image in last_images(history).values()]
    return [order for order in orders if is_sold(order) and passes(order, "paid_at", filters)]


def rate(order: Order) -> Fraction | None:
    """Return the rate of an order's day of payment according to the query's model."""
    return rate_of(order, LakeHistory([], [], {"zone": "UTC"}), RATES)


def converted(orders: Iterable[Order]) -> Fraction | None:
    """Return the revenue of orders in euros; None if a rate is not known."""
    total = Fraction(0)
    for order in orders:
        if (euros := rate(order)) is None:
            return None
        total += Fraction(order["total"]) * euros
    return total


def in_euros(amount: Fraction | None) -> str:
    """Return an amount of euros as the page shows it to an American."""
    return "not known" if amount is None else dollars(amount).replace("$", "€")


def sums_by(orders: list[Order], key: Callable[[Order], str]) -> list[str]:
    """Return the converted revenue of each group, in the order of their keys."""
    return [
        in_euros(converted(order for order in orders if key(order) == name))
        for name in sorted({key(order) for order in orders})
    ]


@pytest.mark.parametrize(
    ("filters", "is_known"),
    sampled(
        [
            (KNOWN, True),
            ({"region": "US"}, True),
            ({}, False),
            ({"category": "Toys"} | KNOWN, True),
        ],
        step=2,
    ),
    ids=str,
)
def test_revenue_is_converted_as_in_the_query(
    tab: Tab, euros: Path, history: list[OrderChange], filters: dict[str, str], is_known: bool
) -> None:
    show_unfiltered(tab, euros)
    choose(tab, currency=IN_EUROS, **filters)
    orders = sold_orders(history, filters)
    revenue = converted(orders)
    assert (revenue is not None) == is_known
    assert text_of(tab, "revenue") == in_euros(revenue)
    assert text_of(tab, "average") == in_euros(revenue and revenue / len(orders))
    assert text_of(tab, "revenue-note").startswith(f"{len(orders)} orders ")
    unknown = sum(rate(order) is None for order in orders)
    notice = "" if is_known else f"{unknown} orders without an exchange rate"
    assert text_of(tab, "revenue-unreadable") == notice
    days = [row[2] for row in tab.evaluate(TABLE_CELLS % "by-day") if row[1] != "0"]
    assert days == sums_by(orders, lambda order: str(order["paid_at"][:10]))
    regions = {row[0]: row[2] for row in tab.evaluate(TABLE_CELLS % "regions") if row[2][0] in "n€"}
    assert [regions[name] for name in sorted(regions)] == sums_by(orders, lambda o: o["region"])


@pytest.mark.slow
def test_lines_are_converted_beside_their_originals(
    tab: Tab, euros: Path, history: list[OrderChange]
) -> None:
    show_unfiltered(tab, euros)
    choose(tab, currency=IN_EUROS, region="JP")
    lines = [
        (line["category"], line["quantity"] * line["unit_price"], rate(order))
        for order in sold_orders(history, {"region": "JP"})
        for line in order["items"]
    ]
    expected = {}
    for name in {category for category, *_ in lines}:
        amounts = [(amount, euros) for category, amount, euros in lines if category == name]
        total = sum((Fraction(amount) * (euros or 0) for amount, euros in amounts), Fraction(0))
        yen = sum(amount for amount, _ in amounts)
        is_known = all(euros for _, euros in amounts)
        expected[name] = [in_euros(total if is_known else None), f"¥{yen:,.0f}"]
    rows = tab.evaluate(TABLE_CELLS % "by-category")
    assert {row[0]: row[2:] for row in rows} == expected
    texts = [row[2] for row in rows]
    assert texts[-1] == "not known" != texts[0]
    assert texts.index("not known") + texts.count("not known") == len(texts)  # They are the last.
    by_day, *_, products, _ = tab.evaluate(RULES)
    assert re.search(r"by UTC day of payment; \d days not known$", by_day)
    assert re.search(r"; not ranked: \d+ products without an exchange rate$", products)


@pytest.mark.slow
def test_exports_have_the_converted_and_the_original(
    tab: Tab, euros: Path, history: list[OrderChange]
) -> None:
    show_unfiltered(tab, euros)
    choose(tab, currency=IN_EUROS, region="JP")
    header, *lines = tab.evaluate("formatCsv(tiles['by-day'](figures).csv())").split("\r\n")[:-1]
    assert header == "Day,Whole,Orders,Converted revenue (EUR),Revenue (JPY)"
    orders = sold_orders(history, {"region": "JP"})
    for day, _, count, euros_of_day, yen in (line.split(",") for line in lines):
        of_day = [order for order in orders if order["paid_at"][:10] == day]
        total = converted(of_day)
        assert (int(count), Fraction(yen)) == (len(of_day), sum(o["total"] for o in of_day))
        assert (Fraction(euros_of_day) if euros_of_day else None) == total
    totals = tab.evaluate("orderLines(figures).slice(1).map((line) => line.at(-1)?.toString())")
    assert len(totals) == len(orders)
    assert totals.count(None) == sum(rate(order) is None for order in orders) > 0
    listed = tab.evaluate("document.getElementById('listed-table').textContent")
    assert listed.count("not known") == totals.count(None)


@pytest.mark.slow
def test_converted_periods_are_compared(tab: Tab, euros: Path, history: list[OrderChange]) -> None:
    show_unfiltered(tab, euros)
    choose(tab, currency=IN_EUROS, **{"from": "2026-11-06", "to": "2026-11-10"})
    before = converted(sold_orders(history, {"from": "2026-11-01", "to": "2026-11-05"}))
    assert text_of(tab, "revenue-before").startswith(f"5 days before: {in_euros(before)}, ")
    choose(tab, **{"from": "2026-11-17", "to": "2026-11-22"})
    for tile in ("revenue", "average"):
        assert text_of(tab, f"{tile}-before") == "6 days before: not known"


@pytest.mark.slow
def test_without_rates_nothing_is_converted(
    tab: Tab, page: Path, history: list[OrderChange]
) -> None:
    show_unfiltered(tab, page)
    assert tab.evaluate(CHOICES) == sorted(
        {order["currency"] for order in sold_orders(history, {})}
    )
    assert text_of(tab, "conversion") == ""
    tab.load(page, "#currency=all+in+EUR")
    assert text_of(tab, "revenue").startswith("$")


def test_hostile_currencies_are_not_converted(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    orders = hostile_orders(image_of(history[0]))
    path = write_page(tmp_path / "hostile.html", inserts(orders, history[-1]), RATES)
    tab.load(path, "#currency=all+in+EUR")
    assert text_of(tab, "revenue") == "not known"
    assert set(tab.evaluate(CHOICES)) > {IN_EUROS, HOSTILE_NAMES[1]}
    assert tab.console_problems() == []
    assert tab.evaluate("window.hit ?? null") is None
