"""Accessibility of the page: languages, keyboard, screen readers, colours, small screens, print."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from tests.support.chromium import Tab, find_chromium, open_tab
from tests.support.dashboard_model import image_of
from tests.support.dashboard_page import WATCH_HOURLY, press, refresh, write_page
from tests.support.hostile_orders import hostile_orders, inserts
from tests.support.profile import sampled

pytestmark = [
    pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed"),
    pytest.mark.slow,
]

PLAN = Plan(60, 3, Fraction(1, 10), date(2026, 11, 23))
CLIPPED_LABELS = """[...charts.values()].filter(({ spec }) => spec.isHorizontal).flatMap(
({ chart, spec }) => {
  const { grid, series } = chart.getOption();
  const { label } = series[0];
  return spec.labels.flatMap((_, dataIndex) => {
    const text = label.formatter({ dataIndex });
    measureContext.font = `${label.fontSize}px ${getComputedStyle(document.body).fontFamily}`;
    const isTooWide = measureContext.measureText(text).width > label.width;
    const hasEllipsis = label.overflow === "truncate" && label.width < grid[0].right;
    return isTooWide && !hasEllipsis ? [text] : [];
  });
})"""
LOW_CONTRASTS = r"""(() => {
  const linear = (part) => (part <= 0.04 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const channels = (text) => text.match(/[\d.]+/g).map((part) => linear(part / 255));
  const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const contrast = (...colours) => {
    const [low, high] = colours.map(channels).map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const background = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    return /, 0\)$/.test(backgroundColor) ? background(node.parentElement) : backgroundColor;
  };
  const problems = [];
  const check = (name, colour, behind, minimum) =>
    contrast(colour, behind) < minimum && problems.push([name, colour, behind]);
  for (const node of document.querySelectorAll("body *:not([aria-disabled=true])")) {
    const texts = [...node.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
    const hasText = texts.some(({ data }) => data.trim());
    if (hasText && node.checkVisibility() && !node.matches("script, style, noscript"))
      check(node.textContent, getComputedStyle(node).color, background(node), 4.5);
    if (node.matches("select, input, button"))
      check(node.id, getComputedStyle(node).borderTopColor, background(node.parentElement), 3);
  }
  for (const { chart } of charts.values())
    for (const { itemStyle } of chart.getOption().series)
      check("bar", itemStyle.borderColor ?? itemStyle.color, resolveColour("tile"), 3);
  return problems;
})()"""
VISIBLE_TEXTS = """[...document.querySelectorAll('.value, .note, #made, td, [role=img]')].map(
  (node) => node.getAttribute('aria-label') ?? node.textContent)"""
READER_STATE = """({ focus: document.activeElement.id, scroll: scrollY, address: location.hash,
  rows: document.getElementById("rows-by-day").scrollTop,
  isOpen: document.getElementById("table-by-day").open,
  theme: document.documentElement.dataset.theme })"""
OVERFLOWING_CHARTS = """[...document.querySelectorAll('.chart:not([hidden]) canvas')].filter(
(canvas) => {
  const [inner, outer] = [canvas, canvas.closest('.tile')].map((n) => n.getBoundingClientRect());
  return inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom;
}).length"""
SCROLLING_TABLES = """[...document.querySelectorAll('.scroll')].filter(
  ({ scrollHeight, clientHeight }) => scrollHeight > clientHeight,
).length"""
WRAPPED_NOTES = """[...document.querySelectorAll('.note bdi')].filter(
  (node) => node.getClientRects().length > 1).map((node) => node.textContent)"""
LABELS_BY_DAY = """[...charts].find(([box]) => box.closest("[data-chart=by-day]"))[1].spec.labels"""
FUNNEL_CHART = """[...charts].find(([box]) => box.closest("[data-chart=funnel]"))[1].chart"""
PAPER = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def shared_tab() -> Iterator[Tab]:
    """A browser tab."""
    with open_tab() as tab:
        yield tab


@pytest.fixture
def tab(shared_tab: Tab) -> Iterator[Tab]:
    """The tab with default settings, which forgets what the page has stored."""
    shared_tab.call("Emulation.setLocaleOverride")
    shared_tab.call("Emulation.setTimezoneOverride", timezoneId="")
    shared_tab.call("Emulation.setEmulatedMedia", media="")
    shared_tab.resize(1280, 900)
    yield shared_tab
    shared_tab.evaluate("localStorage.clear()")


@pytest.fixture(scope="module")
def history() -> list[OrderChange]:
    """The changes that the page shows."""
    return generate_changes(PLAN)


@pytest.fixture(scope="module")
def page(history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of generated orders."""
    return write_page(tmp_path_factory.mktemp("page") / "page.html", history)


@pytest.fixture(scope="module")
def paid_order(history: list[OrderChange]) -> Order:
    """A paid order with one line."""
    order = hostile_orders(image_of(history[0]))[0]
    return {**order, "items": [{**order["items"][0], "name": "Lamp", "category": "Home"}]}


@pytest.fixture(scope="module")
def extreme_page(
    history: list[OrderChange], paid_order: Order, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A page with several currencies and with the largest and the lowest amounts."""
    amounts = {"JPY": "12345678901234", "EUR": "-99999999999999.9999", "KWD": "1.2345"}
    orders = [
        {
            **paid_order,
            "order_id": name,
            "region": name,
            "currency": name,
            "total": Decimal(amount),
            "items": [{**paid_order["items"][0], "unit_price": Decimal(amount)}],
        }
        for name, amount in amounts.items()
    ]
    orders.append({**orders[0], "order_id": "2"})
    path = tmp_path_factory.mktemp("extreme") / "page.html"
    return write_page(path, inserts(orders, history[-1]))


def focus(tab: Tab, selector: str) -> None:
    """Focus an element."""
    tab.evaluate(f"document.querySelector('{selector}').focus()")


@pytest.mark.parametrize("width", sampled([320, 768, 1280, 390], step=3))
def test_no_number_is_clipped(tab: Tab, extreme_page: Path, width: int) -> None:
    tab.resize(width, 900)
    tab.load(extreme_page)
    assert tab.evaluate(CLIPPED_LABELS) == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(WRAPPED_NOTES) == []


@pytest.mark.parametrize("tile", sampled(["revenue", "average"], step=2))
def test_a_tiles_number_fits_one_line(
    tab: Tab, history: list[OrderChange], paid_order: Order, tmp_path: Path, tile: str
) -> None:
    order = {**paid_order, "currency": "EUR", "total": Decimal("1234567.89")}
    tab.load(write_page(tmp_path / "page.html", inserts([order], history[-1])))
    value = f"document.getElementById('{tile}')"
    assert tab.evaluate(f"{value}.textContent") == "€1,234,567.89"
    lines = f"{value}.offsetHeight / parseFloat(getComputedStyle({value}).lineHeight)"
    assert tab.evaluate(lines) < 1.5


def test_a_count_of_one_is_singular(
    tab: Tab, history: list[OrderChange], paid_order: Order, tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", inserts([paid_order], history[-1])))
    texts = tab.evaluate(VISIBLE_TEXTS)
    assert not [text for text in texts if re.search(r"\b1 \w+s\b", text)]


def test_days_of_different_years_have_different_labels(
    tab: Tab, history: list[OrderChange], paid_order: Order, tmp_path: Path
) -> None:
    times = [f"{year}-03-01T10:00:00Z" for year in (2024, 2026)]
    orders = [{**paid_order, "order_id": t, "placed_at": t, "paid_at": t} for t in times]
    tab.load(write_page(tmp_path / "page.html", inserts(orders, history[-1])))
    labels = tab.evaluate(LABELS_BY_DAY)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("theme", sampled(["light", "dark"], step=2))
def test_every_contrast_meets_wcag_aa(tab: Tab, extreme_page: Path, page: Path, theme: str) -> None:
    tab.resize(1280, 900, theme)
    for path, address in ((page, ""), (page, "#tab=pipeline"), (extreme_page, "")):
        tab.load(path, address)
        tab.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
        assert tab.evaluate(LOW_CONTRASTS) == []
        tab.evaluate("localStorage.clear()")


def test_forced_colours_keep_the_bars_distinct(tab: Tab, page: Path) -> None:
    forced = [{"name": "forced-colors", "value": "active"}]
    tab.call("Emulation.setEmulatedMedia", features=forced)
    tab.load(page)
    colours = tab.evaluate("['accent', 'faint', 'good', 'bad', 'warn'].map(resolveColour)")
    assert len(set(colours)) == 5
    assert tab.evaluate("resolveColour('ink') === getComputedStyle(document.body).color")
    marks = (
        "[...document.querySelectorAll('.legend li')].map((item) => "
        "getComputedStyle(item, '::before').backgroundColor)"
    )
    assert set(tab.evaluate(marks)) <= set(colours)


def test_print_shows_everything_in_light_colours(tab: Tab, page: Path) -> None:
    tab.resize(1280, 900, "dark")
    tab.load(page, "#region=US")
    tab.evaluate("document.querySelector('details').open = true")
    dark_ink = tab.evaluate("resolveColour('ink')")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.call("Emulation.setDeviceMetricsOverride", **PAPER)
    tab.call("Emulation.setEmulatedMedia", media="print")
    labels = "[...charts.values()].map(({ chart }) => chart.getOption().series[0].label.color)"
    assert set(tab.evaluate(labels)) == {"rgb(21, 26, 45)"}
    assert tab.evaluate(OVERFLOWING_CHARTS) == 0
    assert tab.evaluate(SCROLLING_TABLES) == 0
    assert tab.evaluate("document.getElementById('region').checkVisibility()")
    tab.call("Emulation.setEmulatedMedia", media="")
    tab.resize(1280, 900, "dark")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("resolveColour('ink')") == dark_ink != "rgb(21, 26, 45)"


@pytest.mark.parametrize("locale", sampled(["ar-EG", "de-DE", "hi-IN-u-nu-deva"], step=3))
def test_numbers_use_the_readers_digits(tab: Tab, page: Path, locale: str) -> None:
    tab.call("Emulation.setLocaleOverride", locale=locale)
    tab.load(page)
    names = tab.evaluate("rows.products.flatMap(({ product, sku }) => [product, sku])")
    # "90th percentile" is a name, not a number that the page formats.
    texts = "\n".join(tab.evaluate(VISIBLE_TEXTS)).replace("90th percentile", "")
    for name in sorted(names, key=len, reverse=True):
        texts = texts.replace(name, "")
    digits = {character for character in texts if character.isdigit()}
    assert digits == set(tab.evaluate("numberFormat.format(9876543210)")) & digits
    assert len(digits) == 10
    assert tab.console_problems() == []


def test_adjacent_texts_keep_their_direction(tab: Tab, page: Path) -> None:
    tab.call("Emulation.setLocaleOverride", locale="ar-EG")
    tab.load(page)
    formatter = f"{FUNNEL_CHART}.getOption().series[0].label.formatter({{ dataIndex: 0 }})"
    isolated = "\u2068[^\u2068\u2069]+\u2069"
    assert re.fullmatch(f"{isolated} · {isolated}", tab.evaluate(formatter))
    names = "[...document.getElementById('revenue-others').children].map((node) => node.localName)"
    assert tab.evaluate(names) == ["bdi"] * 3


def test_times_are_utc_in_every_time_zone(tab: Tab, page: Path) -> None:
    texts = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        tab.call("Emulation.setTimezoneOverride", timezoneId=zone)
        tab.load(page)
        texts.append(tab.evaluate(VISIBLE_TEXTS))
    assert texts[0] == texts[1] == texts[2]


def test_a_page_of_another_day_shows_its_date(tab: Tab, page: Path) -> None:
    tab.load(page)
    assert "as of Nov 22, 11:30 PM UTC" in tab.evaluate("made.textContent")
    assert "verified Nov 22, 11:29 PM UTC" in tab.evaluate("verification.textContent")


def test_a_filter_is_announced(tab: Tab, page: Path) -> None:
    tab.load(page)
    announcement = "document.querySelector('[role=status]').textContent"
    assert tab.evaluate(announcement) == ""
    focus(tab, "#region")
    press(tab, "ArrowDown", 40)
    revenue = tab.evaluate("document.getElementById('revenue').textContent")
    assert f"revenue {revenue}" in tab.evaluate(announcement)
    tab.evaluate("setFilter('from', '2999-01-01')")
    assert "Nothing matches" in tab.evaluate(announcement)


def test_the_skip_link_keeps_the_filters(tab: Tab, page: Path) -> None:
    tab.load(page, "#region=US")
    focus(tab, ".skip")
    press(tab, "Enter", 13, "\r")
    assert tab.evaluate("location.hash") == "#region=US"
    assert tab.evaluate("document.activeElement.id") == "main"
    edge = "document.getElementById('%s').getBoundingClientRect().%s"
    assert tab.evaluate(f"{edge % ('main', 'top')} >= {edge % ('filters', 'bottom')}")


def test_reset_keeps_the_focus(tab: Tab, page: Path) -> None:
    tab.load(page, "#region=US")
    focus(tab, "#reset")
    press(tab, "Enter", 13, "\r")
    assert tab.evaluate("[location.hash, document.activeElement.id]") == ["", "reset"]
    assert tab.evaluate("document.getElementById('reset').ariaDisabled") == "true"


def test_a_paused_refresh_looks_paused(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history, watch=WATCH_HOURLY))
    background = "getComputedStyle(document.getElementById('pause')).backgroundColor"
    before = tab.evaluate(background)
    tab.evaluate("document.getElementById('pause').click()")
    assert tab.evaluate(background) != before


def test_a_refresh_keeps_the_readers_position(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history, watch=WATCH_HOURLY), "#category=Toys")
    tab.evaluate("document.getElementById('theme').click()")
    focus(tab, "#open-by-day")
    press(tab, "Enter", 13, "\r")
    tab.evaluate("document.getElementById('rows-by-day').scrollTop = 40; scrollTo(0, 120)")
    before = tab.evaluate(READER_STATE)
    assert before == {
        "focus": "open-by-day",
        "scroll": 120,
        "address": "#category=Toys",
        "rows": 40,
        "isOpen": True,
        "theme": "dark",
    }
    refresh(tab)
    assert tab.evaluate(READER_STATE) == before


def test_a_refresh_waits_while_a_filter_is_set(
    tab: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    tab.load(write_page(tmp_path / "page.html", history, watch=WATCH_HOURLY))
    tab.evaluate("window.isSamePage = true")
    focus(tab, "#region")
    press(tab, "ArrowDown", 40)
    tab.evaluate("refresh()")
    assert tab.evaluate("window.isSamePage && location.hash") == "#region=EU"
    tab.evaluate("touchedAt -= CHOOSING_MS")
    refresh(tab)
    assert tab.evaluate("[location.hash, document.activeElement.id]") == ["#region=EU", "region"]


@pytest.mark.parametrize(
    ("age", "is_overdue"), [(timedelta(seconds=30), False), (timedelta(minutes=5), True)]
)
def test_an_overdue_update_is_shown(
    tab: Tab, history: list[OrderChange], tmp_path: Path, age: timedelta, is_overdue: bool
) -> None:
    made_at = f"{datetime.now(UTC) - age:%Y-%m-%d %H:%M:%S}"
    tab.load(write_page(tmp_path / "page.html", history[:4], watch=10, made_at=made_at))
    text = tab.evaluate("document.getElementById('made').textContent")
    assert ("5m ago · update overdue" in text) == is_overdue
