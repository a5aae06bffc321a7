"""Tabs of the page: the shop and the pipeline, by keyboard, in the address and in the history."""

from pathlib import Path

import pytest

from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import image_of
from tests.support.dashboard_page import choose, press, text_of, write_page
from tests.support.hostile_orders import hostile_orders, inserts
from tests.support.profile import sampled

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

TAB_STATE = """(() => {
  const ids = (selector) => [...document.querySelectorAll(selector)].map(({ id }) => id);
  return {
    panels: ids("[role=tabpanel]:not([hidden])"),
    selected: ids("[role=tab][aria-selected=true]"),
    reachable: ids("[role=tab]:not([tabindex='-1'])").length,
    address: location.hash,
  };
})()"""
CHART_WIDTH = """[...charts].filter(([box]) => box.closest("[data-chart=per-hour]"))
  .map(([box, { chart }]) => [chart.getWidth(), box.clientWidth])"""
SHOP = {"panels": ["shop"], "selected": ["tab-shop"], "reachable": 1, "address": ""}
PIPELINE = {
    "panels": ["pipeline"],
    "selected": ["tab-pipeline"],
    "reachable": 1,
    "address": "#tab=pipeline",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "code", "back"),
    sampled([("ArrowRight", 39, "Home"), ("ArrowLeft", 37, "ArrowRight")], step=2),
)
def test_tabs_are_chosen_by_keyboard(tab: Tab, page: Path, key: str, code: int, back: str) -> None:
    tab.load(page)
    assert tab.evaluate(TAB_STATE) == SHOP
    tab.evaluate("document.getElementById('tab-shop').focus()")
    press(tab, key, code)
    assert tab.evaluate(TAB_STATE) == PIPELINE
    assert tab.evaluate("document.activeElement.id") == "tab-pipeline"
    press(tab, back, 36 if back == "Home" else 39)
    assert tab.evaluate(TAB_STATE) == SHOP


def test_a_link_opens_a_tab(tab: Tab, page: Path) -> None:
    tab.load(page, "#tab=pipeline&region=US")
    assert tab.evaluate(TAB_STATE)["panels"] == ["pipeline"]
    tab.evaluate("document.getElementById('reset').click()")
    assert tab.evaluate(TAB_STATE) == PIPELINE
    assert tab.evaluate("document.getElementById('reset').ariaDisabled") == "true"


@pytest.mark.slow
def test_charts_of_a_tab_are_drawn_when_it_is_chosen(tab: Tab, page: Path) -> None:
    tab.load(page)
    assert tab.evaluate(CHART_WIDTH) == []
    tab.evaluate("document.getElementById('tab-pipeline').click()")
    ((width, box_width),) = tab.evaluate(CHART_WIDTH)
    assert width == box_width > 1000
    tab.evaluate("document.getElementById('theme').click()")
    tab.evaluate("document.getElementById('tab-shop').click(); localStorage.clear()")
    assert tab.console_problems() == []


@pytest.mark.slow
def test_dates_leave_freshness_alone(tab: Tab, page: Path) -> None:
    tab.load(page)
    freshness = text_of(tab, "freshness-note")
    choose(tab, to="2026-11-05")
    assert text_of(tab, "freshness-note") == freshness
    choose(tab, to="2001-01-01")
    assert text_of(tab, "freshness-note") == freshness


@pytest.mark.slow
def test_the_cost_is_said_with_its_base(
    tab: Tab, history: list[OrderChange], page: Path, tmp_path: Path
) -> None:
    tab.load(page)
    assert text_of(tab, "cost") == "not known"
    cost = {
        "since": "2026-10-24",
        "at_rest": "30.0049",
        "moving": "1.2",
        "changes": 1234567,
        "record_bytes": 2900,
    }
    tab.load(write_page(tmp_path / "page.html", history[:5], cost=cost), "#tab=pipeline")
    assert text_of(tab, "cost") == "about $31.20"
    assert text_of(tab, "cost-note") == (
        "$30.00 at rest, in 30 days since the first change · "
        "$1.20 for 1,234,567 changes of about 2,900 bytes · list prices of us-east-1"
    )
    assert tab.console_problems() == []


def test_unreadable_totals_are_counted(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    orders = hostile_orders(image_of(history[0]))
    path = write_page(tmp_path / "page.html", inserts(orders, history[-1]))
    tab.load(path, "#tab=pipeline")
    assert text_of(tab, "failures") == "1"
    assert text_of(tab, "failures-note") == f"of {len(orders)} orders sold"
