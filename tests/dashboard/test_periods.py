"""Periods of the page: presets, comparison with the period before, and the browser's history."""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import is_sold, last_images
from tests.support.dashboard_page import (
    choose,
    dollars,
    passes,
    show_unfiltered,
    text_of,
    write_page,
)
from tests.support.profile import sampled

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

STATE = """[location.hash, document.getElementById("period").value,
  document.getElementById("orders").textContent]"""
TRAVEL = """new Promise((done) => {
  addEventListener("popstate", () => done(0), { once: true });
  history.%s();
})"""
PERIODS = [
    {"from": "2026-11-09", "to": "2026-11-15"},
    {"from": "2026-11-20", "to": "2026-11-20", "region": "US"},
    {"from": "2026-11-10", "to": "2026-11-21", "category": "Toys"},
]


@dataclass(frozen=True)
class Sums:
    """The figures of a period, in dollars."""

    revenue: Fraction
    sold: int
    placed: int
    cancelled: int


def sum_period(history: list[OrderChange], filters: dict[str, str]) -> Sums:
    """Return the figures of the orders that pass the filters."""
    orders = [image.order for image in last_images(history).values()]
    sold = [o for o in orders if is_sold(o) and passes(o, "paid_at", filters)]
    totals = [Fraction(order["total"]) for order in sold if order["currency"] == "USD"]
    placed = [o for o in orders if not o["test_order"] and passes(o, "placed_at", filters)]
    cancelled = sum("cancelled_at" in order for order in placed)
    return Sums(sum(totals, Fraction(0)), len(totals), len(placed), cancelled)


def period_before(filters: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Return the number of days of the filters' period, and the filters of the one before."""
    start, end = (date.fromisoformat(filters[name]) for name in ("from", "to"))
    days = (end - start).days + 1
    shifted = {"from": f"{start - timedelta(days)}", "to": f"{start - timedelta(1)}"}
    return days, {**filters, **shifted}


def rounded(number: Fraction) -> str:
    """Return a number with its sign and one decimal place at most, rounded half away from zero."""
    tenths = int(abs(number) * 10 + Fraction(1, 2))
    whole, tenth = divmod(tenths, 10)
    sign = "" if tenths == 0 else "+" if number > 0 else "-"
    return f"{sign}{whole:,}" + (f".{tenth}" if tenth else "")


def growth(now: Fraction | int, before: Fraction | int) -> str:
    """Return the change of a figure as the page shows it, or nothing from zero."""
    return f", {rounded(100 * (Fraction(now) / before - 1))}%" if before else ""


@pytest.mark.parametrize("filters", sampled(PERIODS, step=2), ids=str)
def test_the_period_before_is_exact(
    tab: Tab, page: Path, history: list[OrderChange], filters: dict[str, str]
) -> None:
    show_unfiltered(tab, page)
    choose(tab, **filters)
    choose(tab, currency="USD")
    days, filters_before = period_before(filters)
    now, before = (sum_period(history, period) for period in (filters, filters_before))
    label = f"{days} day{'s' if days > 1 else ''} before: "
    revenue = dollars(before.revenue) + growth(now.revenue, before.revenue)
    assert text_of(tab, "revenue-before") == label + revenue
    orders = str(before.placed) + growth(now.placed, before.placed)
    assert text_of(tab, "orders-before") == label + orders
    averages = [sums.revenue / sums.sold for sums in (now, before)]
    average = dollars(averages[1]) + growth(*averages)
    assert text_of(tab, "average-before") == label + average
    shares = [Fraction(100 * sums.cancelled, sums.placed) for sums in (now, before)]
    points = f"{rounded(shares[1]).lstrip('+')}%, {rounded(shares[0] - shares[1])} points"
    assert text_of(tab, "cancelled-before") == label + points


def test_a_change_is_rounded_once(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    # 0.25 percent, and a third of the smallest amount: sums that floating point would not keep.
    assert tab.evaluate("formatGrowth(401n, 400n)") == "+0.3%"
    assert tab.evaluate("formatGrowth(10n ** 30n * 2n + 1n, 10n ** 30n)") == "+100%"
    assert tab.evaluate("formatGrowth(0n, 3n)") == "-100%"
    assert tab.evaluate("formatGrowth(5n, 5n)") == "0%"
    assert tab.evaluate("[formatGrowth(5n, 0n), formatGrowth(5n, -1n)]") == [None, None]


def test_nothing_compares_with_a_time_before_the_data(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    first_day = tab.evaluate("firstDay")
    choose(tab, **{"from": first_day, "to": first_day})
    assert text_of(tab, "orders-before") == "1 day before: no previous data"
    assert "does not reach back" in text_of(tab, "comparison")


@pytest.mark.parametrize(
    "filters", sampled([{"from": "2026-11-10"}, {}, {"to": "2026-11-10"}], step=3), ids=str
)
def test_an_unbounded_period_is_not_compared(tab: Tab, page: Path, filters: dict[str, str]) -> None:
    show_unfiltered(tab, page)
    choose(tab, **filters)
    assert text_of(tab, "revenue-before") == text_of(tab, "comparison") == ""


@pytest.mark.parametrize(
    ("preset", "first"),
    sampled(
        [
            ("7-days", "2026-11-16"),
            ("28-days", "2026-10-26"),
            ("month", "2026-11-01"),
            ("90-days", "2026-08-25"),
            ("year", "2026-01-01"),
        ],
        step=2,
    ),
)
def test_a_preset_ends_on_the_newest_day(tab: Tab, page: Path, preset: str, first: str) -> None:
    show_unfiltered(tab, page)
    choose(tab, period=preset)
    assert tab.evaluate("location.hash") == f"#period={preset}"
    days = tab.evaluate("['from', 'to'].map((name) => document.getElementById(name).value)")
    assert days == [first, "2026-11-22"]
    tiles = tab.evaluate("document.querySelector('main').innerText")
    tab.load(page, f"#from={first}&to=2026-11-22")
    assert tab.evaluate("document.querySelector('main').innerText") == tiles
    assert tab.evaluate("document.getElementById('period').value") == "chosen"


@pytest.mark.slow
def test_orders_of_the_future_move_no_preset(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    path = write_page(tmp_path / "page.html", history, made_at="2026-11-15 12:00:00")
    tab.load(path, "#period=7-days")
    assert tab.evaluate("filters.to") == "2026-11-15"


@pytest.mark.slow
def test_a_day_of_ones_own_ends_a_preset(tab: Tab, page: Path) -> None:
    tab.load(page, "#period=7-days")
    choose(tab, to="2026-11-18")
    assert tab.evaluate("location.hash") == "#from=2026-11-16&to=2026-11-18"


@pytest.mark.slow
def test_back_and_forward_restore_the_filters(tab: Tab, page: Path) -> None:
    # Of a full history Chromium deletes entries first that no user's click has made.
    tab.call("Page.resetNavigationHistory")
    tab.load(page)
    states = [tab.evaluate(STATE)]
    for filters in ({"period": "7-days"}, {"region": "US"}, {"period": ""}):
        choose(tab, **filters)
        states.append(tab.evaluate(STATE))
    assert [state[0] for state in states] == [
        "",
        "#period=7-days",
        "#period=7-days&region=US",
        "#region=US",
    ]
    for move, expected in (
        *(("back", s) for s in states[-2::-1]),
        *(("forward", s) for s in states[1:]),
    ):
        tab.evaluate(TRAVEL % move)
        assert tab.evaluate(STATE) == expected


@pytest.mark.slow
def test_an_unchanged_filter_is_no_history(tab: Tab, page: Path) -> None:
    tab.call("Page.resetNavigationHistory")
    tab.load(page, "#region=US")
    length = tab.evaluate("history.length")
    choose(tab, region="US")
    assert tab.evaluate("history.length") == length


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filters", "month", "text"),
    sampled(
        [
            ({"from": "2026-10-20", "to": "2026-10-31"}, "2026-10", "Oct 2026: "),
            ({}, "2026-11", "Nov 2026 so far: "),
        ],
        step=2,
    ),
)
def test_a_month_is_compared_with_its_target(
    tab: Tab,
    history: list[OrderChange],
    tmp_path: Path,
    filters: dict[str, str],
    month: str,
    text: str,
) -> None:
    tab.load(write_page(tmp_path / "page.html", history, targets={"USD": "8000.5"}))
    choose(tab, **filters, currency="USD")
    revenue = sum_period(history, {"from": f"{month}-01", "to": f"{month}-31"}).revenue
    share = rounded(100 * revenue / Fraction("8000.5")).lstrip("+")
    expected = f"{text}{dollars(revenue)}, {share}% of the target $8,000.50"
    assert text_of(tab, "revenue-target") == expected
    choose(tab, region="US")
    assert text_of(tab, "revenue-target") == ""


@pytest.mark.slow
def test_a_currency_without_target_shows_none(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history, targets={"CHF": "1"}))
    assert text_of(tab, "revenue-target") == ""
    assert tab.console_problems() == []
