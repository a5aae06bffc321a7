"""Customers on the page: what the named queries count, under every filter, and no name or id."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.customer_models import (
    cohort_retention,
    new_and_returning_customers,
    orders_by_customer,
)
from tests.support.dashboard_model import Rows, image_of
from tests.support.dashboard_page import (
    TABLE_CELLS,
    choose,
    show_unfiltered,
    text_of,
    write_page,
)
from tests.support.hostile_orders import hostile_orders, inserts
from tests.support.profile import sampled
from tests.support.query_models import LakeHistory

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

LINES = "%s.slice(1).map((cells) => cells.map(String))"
CUSTOMER_LINES = LINES % "tiles.customers(figures).csv()"
COHORT_LINES = LINES % "cohortLines(figures.cohorts)"
COHORT_TABLE = """[...document.querySelectorAll("#cohorts tbody tr")].map((row) =>
  [...row.cells].map((cell) => cell.textContent))"""
FILTERS = [
    {},
    {"from": "2026-11-05"},
    {"from": "2026-10-30", "to": "2026-11-12"},
    {"region": "US"},
    {"from": "2026-11-03", "to": "2026-11-20", "region": "EU"},
]
PARAMETERS = {"from": "day_from", "to": "day_to", "region": "region"}


def query(
    model: Callable[[LakeHistory], Rows], history: list[OrderChange], filters: dict[str, str]
) -> list[list[str]]:
    """Return the rows that a named query has under the filters."""
    parameters = {PARAMETERS[name]: text for name, text in filters.items()}
    return [[str(cell) for cell in row] for row in model(LakeHistory(history, [], parameters))]


@pytest.mark.parametrize("filters", sampled(FILTERS, step=2), ids=str)
def test_customers_are_those_of_the_queries(
    tab: Tab, page: Path, history: list[OrderChange], filters: dict[str, str]
) -> None:
    show_unfiltered(tab, page)
    choose(tab, **filters)
    assert tab.evaluate(CUSTOMER_LINES) == query(new_and_returning_customers, history, filters)
    cohorts = query(cohort_retention, history, filters)
    assert tab.evaluate(COHORT_LINES) == cohorts
    first_purchases = sum(int(row[2]) for row in cohorts if row[1] == "0")
    assert text_of(tab, "newcomers") == str(first_purchases)


def test_some_customers_return_within_a_month(history: list[OrderChange]) -> None:
    # Otherwise the tests above would not notice customers that are counted twice.
    customers = orders_by_customer(LakeHistory(history, [], {})).values()
    days = [{order["paid_at"][:10] for order in orders} for orders in customers]
    assert any(len({day[:7] for day in group}) < len(group) for group in days)


def test_a_category_leaves_customers_alone(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    before = tab.evaluate(CUSTOMER_LINES)
    choose(tab, category="Toys")
    assert tab.evaluate(CUSTOMER_LINES) == before
    assert "of all categories" in text_of(tab, "newcomers-note")
    assert "of all categories" in text_of(tab, "cohorts-rule")


def test_the_page_names_no_customer(page: Path, history: list[OrderChange]) -> None:
    html = page.read_text("utf-8")
    customers = [image_of(change)["customer"] for change in history]
    texts = {customer[name] for customer in customers for name in ("id", "name", "email")}
    assert len(texts) > 3 * 10
    assert [text for text in texts if text in html] == []


def pay(template: dict[str, object], customer: str, *days: str) -> list[dict[str, object]]:
    """Return sold orders of a customer on these days."""
    return [
        {
            **template,
            "order_id": f"{customer} {day}",
            "customer": {"id": customer},
            "paid_at": f"{day}T10:00:00Z",
        }
        for day in days
    ]


@pytest.mark.slow
def test_cohorts_mark_the_month_that_is_not_over(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    template = hostile_orders(image_of(history[0]))[0]
    orders = [
        *pay(template, "A", "2026-08-31", "2026-09-01", "2026-11-20"),
        *pay(template, "B", "2026-08-01", "2026-08-02"),
        *pay(template, "C", "2026-10-05"),
    ]
    tab.load(write_page(tmp_path / "page.html", inserts(orders, history[-1])))
    assert tab.evaluate(COHORT_TABLE) == [
        ["Aug 2026", "2", "50%", "0%", "50%*"],
        ["Oct 2026", "1", "0%*", "", ""],
    ]


@pytest.mark.slow
def test_cohorts_of_a_thousand_years_fit_the_page(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    template = hostile_orders(image_of(history[0]))[0]
    orders = pay(template, "A", "1026-01-01", "9999-12-31")
    tab.load(write_page(tmp_path / "page.html", inserts(orders, history[-1])))
    assert tab.console_problems() == []
    assert [len(row) for row in tab.evaluate(COHORT_TABLE)] == [26]
    assert len(tab.evaluate(COHORT_LINES)) == 2
    assert len(tab.evaluate(TABLE_CELLS % "customers")) == 2
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
