"""Page in a real browser: under every filter it shows what the model computes."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from sales.order_lifecycle import Order, OrderChange, generate_changes
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import STATUSES, image_of, is_sold, last_images
from tests.support.dashboard_page import (
    PLAN,
    SET_VALUE,
    TABLE_CELLS,
    VERIFY_RESULT,
    WATCH_HOURLY,
    choose,
    dollars,
    passes,
    refresh,
    show_unfiltered,
    text_of,
    write_page,
)
from tests.support.hostile_orders import HOSTILE_NAMES, HUGE_TOTAL, hostile_orders, inserts
from tests.support.profile import sampled

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

FILTERS = {
    "dates": {"from": "2026-11-05", "to": "2026-11-16"},
    "region": {"region": "JP"},
    "category": {"category": "Toys"},
}
PIPELINE_TILES = {"changes", "cost", "freshness", "per-hour"}  # They are of the whole table.
UNAFFECTED: dict[str, set[str]] = {
    "dates": {"freshness", "cost"},
    "region": PIPELINE_TILES,
    "category": PIPELINE_TILES,
}
TILE_TEXTS = """Object.fromEntries([...document.querySelectorAll("main .tile:not([hidden])")].map(
  (tile) => [
    tile.getAttribute("aria-labelledby").slice(2),
    tile.innerText + (tile.querySelector(".scroll")?.textContent ?? ""),
  ],
))"""
COUNT_FORMATTED_NUMBERS = """(() => {
  let calls = 0;
  const format = numberFormat.format;
  Object.defineProperty(numberFormat, "format", { value: (count) => (calls++, format(count)) });
  perHourTile(figures);
  return calls;
})()"""
CATEGORY_BARS = """(() => {
  const containers = [...charts.keys()];
  const container = containers.find((node) => node.closest("[data-chart=by-category]"));
  const { data, label } = charts.get(container).chart.getOption().series[0];
  return [data.length, label.formatter({ dataIndex: 0 })];
})()"""
COUNT_TILE_WIDTHS = """new Set([...document.querySelectorAll(".charts .tile")].filter(
  (tile) => tile.checkVisibility(),
).map((tile) => tile.clientWidth)).size"""
LABEL_WIDTHS = """new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))
  .then(() => [...charts.values()].map(({ chart }) => chart.getOption().grid[0].left))"""
NOTICE = "document.getElementById('notice')"


def assert_self_contained(tab: Tab, path: Path) -> None:
    """Assert that the page has loaded without further requests, errors or warnings."""
    assert tab.console_problems() == []
    urls = [url for url in tab.requested_urls() if not url.startswith("data:")]
    assert urls == [path.resolve().as_uri()]
    assert tab.evaluate("document.body.getAttribute('aria-busy')") == "false"


def test_the_page_makes_no_requests(tab: Tab, page: Path) -> None:
    tab.load(page)
    for number in range(14):
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=60 + 80 * number, y=500)
    for filters in FILTERS.values():
        choose(tab, **filters)
    assert_self_contained(tab, page)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_changes_every_tile(tab: Tab, page: Path, name: str) -> None:
    show_unfiltered(tab, page)
    before = tab.evaluate(TILE_TEXTS)
    choose(tab, **FILTERS[name])
    after = tab.evaluate(TILE_TEXTS)
    assert len(before) == 19
    unchanged = {tile for tile in before if before[tile] == after[tile]}
    assert unchanged == UNAFFECTED[name]
    tab.evaluate("document.getElementById('reset').click()")
    assert tab.evaluate(TILE_TEXTS) == before


@pytest.mark.slow
def test_the_address_holds_the_filters(tab: Tab, page: Path) -> None:
    tab.load(page)
    choose(tab, **FILTERS["dates"], **FILTERS["region"], **FILTERS["category"])
    address = tab.evaluate("location.hash")
    tiles = tab.evaluate(TILE_TEXTS)
    assert address == "#from=2026-11-05&to=2026-11-16&region=JP&category=Toys"
    tab.load(page, address)
    assert tab.evaluate(TILE_TEXTS) == tiles
    assert tab.evaluate("document.getElementById('from').value") == "2026-11-05"


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    sampled(["#region=nowhere&category=%22", "#from=2026-99-99&to=2026-02-30"], step=2),
)
def test_unknown_filters_are_ignored(tab: Tab, page: Path, address: str) -> None:
    tab.load(page, address)
    assert text_of(tab, "revenue").startswith("$")
    assert tab.evaluate("document.getElementById('reset').ariaDisabled") == "true"


@pytest.mark.parametrize(
    "filters",
    sampled(
        [
            {},
            {"from": "2026-11-05"},
            {"to": "2026-11-12", "category": "Books"},
            {"region": "US", "category": "Toys"},
        ],
        step=2,
    ),
    ids=str,
)
def test_the_numbers_are_exact(
    tab: Tab, page: Path, history: list[OrderChange], filters: dict[str, str]
) -> None:
    show_unfiltered(tab, page)
    choose(tab, **filters)
    choose(tab, currency="USD")
    orders = [image.order for image in last_images(history).values()]
    sold = [o for o in orders if is_sold(o) and passes(o, "paid_at", filters)]
    totals = [Fraction(order["total"]) for order in sold if order["currency"] == "USD"]
    revenue = sum(totals, Fraction(0))
    placed = [o for o in orders if not o["test_order"] and passes(o, "placed_at", filters)]
    cancelled = sum("cancelled_at" in order for order in placed)
    assert text_of(tab, "revenue") == dollars(revenue)
    assert text_of(tab, "average") == dollars(revenue / len(totals))
    assert text_of(tab, "orders") == str(len(placed))
    assert text_of(tab, "cancelled-note") == f"{cancelled} of {len(placed)} orders"
    assert tab.evaluate(TABLE_CELLS % "by-category") == category_rows(sold, filters.get("category"))
    counts = [row[1] for row in tab.evaluate(TABLE_CELLS % "funnel")]
    assert counts == [str(sum(f"{status}_at" in o for o in placed)) for status in STATUSES]


def category_rows(sold: list[Order], category: str | None) -> list[list[str]]:
    """Return the rows of the category table in dollars."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    quantities: dict[str, Decimal] = defaultdict(Decimal)
    for order in sold:
        for line in order["items"]:
            if order["currency"] == "USD" and category in (None, line["category"]):
                amounts[line["category"]] += line["quantity"] * line["unit_price"]
                quantities[line["category"]] += line["quantity"]
    ranked = sorted(amounts, key=lambda name: (-amounts[name], name))
    return [[name, str(quantities[name]), dollars(amounts[name])] for name in ranked]


def test_hostile_texts_stay_text(tab: Tab, history: list[OrderChange], tmp_path: Path) -> None:
    orders = hostile_orders(image_of(history[0]))
    path = write_page(tmp_path / "hostile.html", inserts(orders, history[-1]))
    tab.load(path)
    assert_self_contained(tab, path)
    assert tab.evaluate("window.hit ?? null") is None
    assert tab.evaluate("document.querySelectorAll('main img, main script, main b').length") == 0
    options = "[...document.querySelectorAll('#region option')].map((node) => node.textContent)"
    assert set(tab.evaluate(options)) == {"all", *HOSTILE_NAMES}
    cells: set[str] = set()
    for index in range(len({order["currency"] for order in orders})):
        tab.evaluate(SET_VALUE % ("currency", f"'{index}'"))
        cells |= {cell for row in tab.evaluate(TABLE_CELLS % "products") for cell in row}
    assert cells >= set(HOSTILE_NAMES)
    rows = "[...document.querySelectorAll('#unreadable tbody tr')].map((row) => row.textContent)"
    (unreadable,) = tab.evaluate(rows)
    assert str(HUGE_TOTAL) in unreadable
    assert HOSTILE_NAMES[1] in unreadable
    for index in range(len(HOSTILE_NAMES)):
        tab.evaluate(SET_VALUE % ("region", f"'{index}'"))
    assert_self_contained(tab, path)


@pytest.mark.slow
def test_many_categories_fit_the_page(tab: Tab, history: list[OrderChange], tmp_path: Path) -> None:
    template = hostile_orders(image_of(history[0]))[0]
    orders = [
        {
            **template,
            "order_id": f"{number}",
            "currency": "a\nb\u202e",
            "items": [{**template["items"][0], "category": f"C{number}"}],
        }
        for number in range(1100)
    ]
    path = write_page(tmp_path / "many.html", inserts(orders, history[-1]))
    tab.load(path)
    assert_self_contained(tab, path)
    assert len(tab.evaluate(TABLE_CELLS % "by-category")) == 1100
    assert tab.evaluate("document.documentElement.scrollHeight") < 3000
    assert "Table of all 1,100" in tab.evaluate(TILE_TEXTS)["by-category"]
    assert "Table of all" not in tab.evaluate(TILE_TEXTS)["regions"]
    assert tab.evaluate(CATEGORY_BARS) == [20, "\u20682.50 a b \u2069"]


@pytest.mark.parametrize(
    ("count", "suffix"), sampled([(251, ": first 250 of 251"), (250, "")], step=2)
)
def test_excluded_orders_are_counted(
    tab: Tab, history: list[OrderChange], tmp_path: Path, count: int, suffix: str
) -> None:
    huge = hostile_orders(image_of(history[0]))[-1]  # One category, so two rows for each order.
    orders = [{**huge, "order_id": f"{number}"} for number in range(count)]
    tab.load(write_page(tmp_path / "unreadable.html", inserts(orders, history[-1])))
    assert text_of(tab, "h-unreadable") == "Excluded from revenue" + suffix
    rows = "document.querySelectorAll('#unreadable tbody tr').length"
    assert tab.evaluate(rows) == 250


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theme", "background"),
    sampled([("dark", "rgb(14, 17, 23)"), ("light", "rgb(245, 246, 250)")], step=2),
)
def test_the_page_fits_every_screen(tab: Tab, page: Path, theme: str, background: str) -> None:
    for width in (1280, 768, 390):
        tab.resize(width, 900, theme)
        resized = tab.evaluate(LABEL_WIDTHS) if width < 1280 else None
        tab.load(page)
        assert resized in (None, tab.evaluate(LABEL_WIDTHS))
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        fits = "[...charts].every(([box, { chart }]) => chart.getWidth() === box.clientWidth)"
        assert tab.evaluate(fits)
    assert tab.evaluate(COUNT_TILE_WIDTHS) == 1  # On a phone, tiles stand below each other.
    colour = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(colour) == background
    tab.evaluate("document.getElementById('theme').click()")
    assert tab.evaluate(colour) != background
    tab.evaluate("localStorage.clear()")
    tab.resize(1280, 900)


@pytest.mark.slow
def test_every_control_has_an_accessible_name(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    names_by_role: dict[str, list[str]] = defaultdict(list)
    for node in tab.call("Accessibility.getFullAXTree")["nodes"]:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "").strip()
            names_by_role[node["role"]["value"]].append(name)
    for role in ("button", "combobox", "Date", "image", "DisclosureTriangle", "region"):
        assert all(names_by_role[role]), role
    assert len(names_by_role["image"]) == 7
    assert any(name.startswith("Revenue by day: ") for name in names_by_role["image"])
    filters = {*names_by_role["Date"], *names_by_role["combobox"]}
    assert {"From", "To", "Region", "Category", "Currency"} <= filters


@pytest.mark.slow
def test_tab_visits_the_filters_in_order(tab: Tab, page: Path) -> None:
    tab.load(page)
    focused = []
    for _ in range(16):
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)
        focused.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
    distinct = list(dict.fromkeys(focused))
    assert distinct[:9] == [
        "A",
        "tab-shop",
        "theme",
        "period",
        "from",
        "to",
        "region",
        "category",
        "currency",
    ]


@pytest.mark.slow
def test_an_old_browser_is_named(tab: Tab, page: Path) -> None:
    script = "delete window.DecompressionStream"
    added = tab.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        tab.load(page)
        assert "open it in one of 2023 or later" in tab.evaluate(f"{NOTICE}.textContent")
        assert not tab.evaluate(f"{NOTICE}.hidden")
        assert tab.console_problems() == []
    finally:
        tab.call("Page.removeScriptToEvaluateOnNewDocument", **added)
        tab.load(page)


def test_an_empty_selection_is_explained(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    assert tab.evaluate(f"{NOTICE}.hidden")
    choose(tab, **{"from": "2027-01-01"})
    assert "Nothing matches" in tab.evaluate(f"{NOTICE}.textContent")


def test_an_empty_lake_is_explained(tab: Tab, tmp_path: Path) -> None:
    path = write_page(tmp_path / "empty.html", [], verify=None)
    tab.load(path)
    assert_self_contained(tab, path)
    assert "data_generator.py" in tab.evaluate(f"{NOTICE}.textContent")
    assert "not verified yet" in tab.evaluate(TILE_TEXTS)["verification"]


@pytest.mark.slow
def test_changes_of_many_months_are_shown_by_day(tab: Tab, tmp_path: Path) -> None:
    plans = [
        replace(PLAN, orders=60, seed=seed, until=until)
        for seed, until in enumerate((date(2026, 3, 1), date(2026, 11, 23)))
    ]
    history = [change for plan in plans for change in generate_changes(plan)]
    tab.load(write_page(tmp_path / "months.html", history), "#tab=pipeline")
    expected = Counter(
        f"{c.changed_at:%b} {c.changed_at.day}, {c.changed_at.year}" for c in history
    )
    rows = tab.evaluate(TABLE_CELLS % "per-hour")
    total_by_day = {day: sum(map(int, counts)) for day, *counts in rows}
    assert {day: total for day, total in total_by_day.items() if total} == expected
    assert len(rows) == (history[-1].changed_at.date() - history[0].changed_at.date()).days + 1
    assert tab.evaluate(TILE_TEXTS)["per-hour"].startswith("Changes per day\n")
    # Each number is formatted once, and two more for the summary: formatting is slow.
    assert tab.evaluate(COUNT_FORMATTED_NUMBERS) <= 3 * len(rows) + 2
    tab.evaluate(SET_VALUE % ("to", "'2026-02-25'"))
    assert tab.evaluate(TILE_TEXTS)["per-hour"].startswith("Changes per hour\n")


@pytest.mark.parametrize(
    ("state", "text"),
    sampled(
        [
            ("differs", "135 ≠ 135"),
            ("differs", "mismatch found"),
            ("unsettled", "inconclusive"),
            ("unsettled", "135 ? 135"),
        ],
        step=2,
    ),
)
def test_a_failed_verify_is_shown(
    tab: Tab, history: list[OrderChange], tmp_path: Path, state: str, text: str
) -> None:
    verify = {**VERIFY_RESULT, "state": state}
    tab.load(write_page(tmp_path / "page.html", history[:5], verify=verify))
    assert text in tab.evaluate(TILE_TEXTS)["verification"]


@pytest.mark.parametrize(
    ("overrides", "text"),
    sampled(
        [
            ({}, "verified through Nov 22, 11:29 PM UTC, 3 of 24 parts"),
            ({"state": "differs"}, "mismatch found, verified through Nov 22"),
            ({"state": "unsettled", "verified_at": None}, "inconclusive, 3 of 24 parts"),
        ],
        step=3,
    ),
)
def test_verified_parts_are_shown(
    tab: Tab,
    history: list[OrderChange],
    tmp_path: Path,
    overrides: dict[str, object],
    text: str,
) -> None:
    verify = {**VERIFY_RESULT, "parts": "3 of 24 parts", **overrides}
    tab.load(write_page(tmp_path / "page.html", history[:5], verify=verify))
    assert text in tab.evaluate(TILE_TEXTS)["verification"]


@pytest.mark.slow
def test_a_watched_page_reloads_repeatedly(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history[:4], watch=1))
    tab.wait_for("Page.loadEventFired", times=3)


@pytest.mark.slow
def test_a_refresh_keeps_the_filters(tab: Tab, history: list[OrderChange], tmp_path: Path) -> None:
    path = write_page(tmp_path / "page.html", history[:40], watch=WATCH_HOURLY)
    tab.load(path, "#category=Toys")
    before = text_of(tab, "orders")
    write_page(path, history, watch=WATCH_HOURLY)
    refresh(tab)
    assert text_of(tab, "orders") != before
    assert tab.evaluate("location.hash") == "#category=Toys"


@pytest.mark.slow
def test_a_paused_page_does_not_reload(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history[:4], watch=WATCH_HOURLY))
    click_pause = "document.getElementById('pause').click()"
    tab.evaluate(f"window.isSamePage = true; {click_pause}; refresh()")
    assert tab.evaluate("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    assert tab.evaluate("window.isSamePage")
    tab.evaluate(click_pause)
    refresh(tab)
    assert tab.evaluate("window.isSamePage ?? null") is None
