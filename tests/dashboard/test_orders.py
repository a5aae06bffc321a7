"""Orders behind the bars: in a page with details, each selection lists its sold orders."""

from pathlib import Path
from typing import Any

import pytest

from sales.order_lifecycle import Order, OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import image_of, is_sold, last_images
from tests.support.dashboard_page import choose, passes, press, text_of, write_page
from tests.support.hostile_orders import IMAGE, hostile_orders, inserts
from tests.support.profile import sampled

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

LISTED = """[...document.querySelectorAll("#listed-table tbody tr")].map(
  (row) => [...row.cells].map((cell) => cell.textContent))"""
FOCUS_DAY = """{ document.getElementById("table-by-day").open = true;
  document.querySelector("[data-chart=by-day] .scroll button").focus(); }"""
THREE_ORDERS = "rows.orders.filter(({ currency }) => currency === 'USD').slice(0, 3)"
FOCUS = "document.activeElement.textContent"


@pytest.fixture(scope="module")
def detailed_page(history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with details."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    return write_page(path, history, with_details=True)


@pytest.fixture(scope="module")
def sold(history: list[OrderChange]) -> list[Order]:
    """The sold orders in dollars."""
    orders = [image.order for image in last_images(history).values()]
    return [order for order in orders if is_sold(order) and order["currency"] == "USD"]


def listed_ids(tab: Tab) -> list[str]:
    """Return the keys of the listed orders."""
    return [cells[0] for cells in tab.evaluate(LISTED)]


@pytest.mark.parametrize(
    "filters",
    sampled([{"from": "2026-11-05", "category": "Books"}, {}, {"region": "US"}], step=3),
)
def test_a_selection_lists_its_sold_orders(
    tab: Tab, detailed_page: Path, sold: list[Order], filters: dict[str, str]
) -> None:
    tab.load(detailed_page)
    choose(tab, **filters)
    expected = {order["order_id"] for order in sold if passes(order, "paid_at", filters)}
    ids = listed_ids(tab)
    assert set(ids) == expected
    assert len(ids) == len(expected) > 1
    assert text_of(tab, "listed-rule").startswith(f"all {len(ids)} orders of this selection")
    assert tab.console_problems() == []


@pytest.mark.slow
def test_a_bar_leads_to_its_orders_by_keyboard(
    tab: Tab, detailed_page: Path, sold: list[Order]
) -> None:
    tab.load(detailed_page)
    count = len(listed_ids(tab))
    tab.evaluate(FOCUS_DAY)
    label = tab.evaluate(FOCUS)
    press(tab, "Enter", 13, "\r")
    day = tab.evaluate("filters.from")
    assert tab.evaluate("filters.to") == day
    assert set(listed_ids(tab)) == {o["order_id"] for o in sold if o["paid_at"][:10] == day}
    assert text_of(tab, "announcement").endswith(f", {len(listed_ids(tab))} listed")
    assert tab.evaluate(FOCUS).startswith(label)
    press(tab, "Enter", 13, "\r")
    assert len(listed_ids(tab)) == count
    tab.evaluate("localStorage.clear()")


@pytest.mark.slow
def test_orders_that_are_left_out_are_counted(tab: Tab, detailed_page: Path) -> None:
    tab.load(detailed_page)
    count = len(listed_ids(tab))
    tab.evaluate(f"rows.orders = {THREE_ORDERS}; render()")
    rule = text_of(tab, "listed-rule")
    assert rule.startswith(f"3 of {count} orders, newest first; {count - 3} left out: the page")
    assert "only the newest 3" in rule


def test_customers_are_named_only_with_details(
    tab: Tab, page: Path, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(page)
    assert tab.evaluate("document.getElementById('listed').checkVisibility()") is False
    order: dict[str, Any] = hostile_orders(image_of(history[0]))[0]
    order["customer"] = {**order["customer"], "name": IMAGE}
    path = write_page(tmp_path / "page.html", inserts([order], history[-1]), with_details=True)
    tab.load(path)
    assert IMAGE in [cells[2] for cells in tab.evaluate(LISTED)]
    assert tab.evaluate("window.hit") is None
    assert tab.evaluate("document.querySelectorAll('main img').length") == 0
    csv = tab.evaluate("formatCsv(orderLines(figures))")
    assert csv.startswith("Order,Payment date,Customer,Region,Status,Total (")
    assert tab.console_problems() == []
