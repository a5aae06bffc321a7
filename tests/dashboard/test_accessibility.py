"""The page for whoever reads it: any language, hand, eye, light, and on paper."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from tests.support.chromium import Tab, chromium, tab
from tests.support.dashboard_model import write
from tests.support.hostile_orders import hostile, placed

pytestmark = pytest.mark.skipif(not chromium(), reason="no Chromium here: install one to try it")

PLAN = Plan(60, 3, Fraction(1, 10), date(2026, 11, 23))
HOUR = 3600
CUT = """[...drawn.values()].filter(({ spec }) => spec.lying).flatMap(({ chart, spec }) => {
  const { grid, series } = chart.getOption();
  const { label } = series[0];
  return spec.labels.flatMap((_, dataIndex) => {
    const text = label.formatter({ dataIndex });
    measure.font = `${label.fontSize}px ${getComputedStyle(document.body).fontFamily}`;
    const isCut = measure.measureText(text).width > label.width;
    const isTold = label.overflow === "truncate" && label.width < grid[0].right;
    return isCut && !isTold ? [text] : [];
  });
})"""
CONTRASTS = r"""(() => {
  const light = (part) => (part <= 0.04 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const parts = (text) => text.match(/[\d.]+/g).map((part) => light(part / 255));
  const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const contrast = (...pair) => {
    const [low, high] = pair.map((one) => luminance(parts(one))).sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (place) => {
    const { backgroundColor } = getComputedStyle(place);
    return /, 0\)$/.test(backgroundColor) ? ground(place.parentElement) : backgroundColor;
  };
  const low = [];
  const check = (name, colour, behind, least) =>
    contrast(colour, behind) < least && low.push([name, colour, behind]);
  for (const each of document.querySelectorAll("body *:not([aria-disabled=true])")) {
    const own = [...each.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (own && each.checkVisibility() && !each.matches("script, style, noscript"))
      check(each.textContent, getComputedStyle(each).color, ground(each), 4.5);
    if (each.matches("select, input, button"))
      check(each.id, getComputedStyle(each).borderTopColor, ground(each.parentElement), 3);
  }
  for (const { chart } of drawn.values())
    for (const { itemStyle } of chart.getOption().series)
      check("bar", itemStyle.borderColor ?? itemStyle.color, colour("tile"), 3);
  return low;
})()"""
SEEN = """[...document.querySelectorAll('.value, .of, #made, td, [role=img]')].map((one) =>
  one.getAttribute('aria-label') ?? one.textContent)"""
PLACE = """({ focus: document.activeElement.id, scroll: scrollY, address: location.hash,
  rows: document.getElementById("rows-by-day").scrollTop,
  isOpen: document.getElementById("table-by-day").open,
  theme: document.documentElement.dataset.theme })"""
OUTSIDE = """[...document.querySelectorAll('.chart:not([hidden]) canvas')].filter((one) => {
  const [inner, outer] = [one, one.closest('.tile')].map((each) => each.getBoundingClientRect());
  return inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom;
}).length"""

HIDDEN = """[...document.querySelectorAll('.scroll')].filter(
  ({ scrollHeight, clientHeight }) => scrollHeight > clientHeight,
).length"""
PAPER = {"width": 720, "height": 1000, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """A browser's tab."""
    with tab() as opened:
        yield opened


@pytest.fixture(autouse=True)
def usual(browser: Tab) -> Iterator[None]:
    """The usual screen before each test, and nothing remembered after it."""
    browser.call("Emulation.setLocaleOverride")
    browser.call("Emulation.setTimezoneOverride", timezoneId="")
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.resize(1280, 900)
    yield
    browser.value("localStorage.clear()")


@pytest.fixture(scope="module")
def history() -> list[OrderChange]:
    """The changes that the page tells of."""
    return generate_changes(PLAN)


@pytest.fixture(scope="module")
def shown(history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of generated orders."""
    return write(tmp_path_factory.mktemp("page") / "page.html", history)


@pytest.fixture(scope="module")
def paid(history: list[OrderChange]) -> Order:
    """One paid order with one line."""
    order = hostile(history[0].after)[0]
    return {**order, "items": [{**order["items"][0], "name": "Lamp", "category": "Home"}]}


@pytest.fixture(scope="module")
def rich(history: list[OrderChange], paid: Order, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of amounts as large as they may be, of several currencies, and below nothing."""
    amounts = {"JPY": "12345678901234", "EUR": "-99999999999999.9999", "KWD": "1.2345"}
    orders = [
        {**paid, "order_id": name, "region": name, "currency": name, "total": Decimal(amount)}
        | {"items": [{**paid["items"][0], "unit_price": Decimal(amount)}]}
        for name, amount in amounts.items()
    ]
    path = tmp_path_factory.mktemp("rich") / "page.html"
    return write(path, placed([*orders, {**orders[0], "order_id": "2"}], history[-1]))


def press(browser: Tab, key: str, code: int, text: str = "") -> None:
    """Press a key."""
    told = {"key": key, "windowsVirtualKeyCode": code}
    browser.call("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **told)


def followed(browser: Tab) -> None:
    """Let the page load its file again."""
    browser.events.clear()
    browser.value("follow()")
    browser.wait_for("Page.loadEventFired")


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_a_number_is_whole_or_shows_that_it_is_not(browser: Tab, rich: Path, width: int) -> None:
    browser.resize(width, 900)
    browser.show(rich)
    assert browser.value(CUT) == []
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    broken = (
        "[...document.querySelectorAll('.of bdi')].filter((o) => o.getClientRects().length > 1)"
    )
    assert browser.value(f"{broken}.map((one) => one.textContent)") == []


def test_a_tiles_number_stands_in_one_line(
    browser: Tab, history: list[OrderChange], paid: Order, tmp_path: Path
) -> None:
    order = {**paid, "currency": "EUR", "total": Decimal("1234567.89")}
    browser.show(write(tmp_path / "page.html", placed([order], history[-1])))
    lines = "(([one]) => one.offsetHeight / parseFloat(getComputedStyle(one).lineHeight))"
    for name in ("revenue", "average"):
        assert browser.value(f"document.getElementById('{name}').textContent") == "€1,234,567.89"
        assert browser.value(f"{lines}([document.getElementById('{name}')])") < 1.5


def test_one_of_a_kind_is_no_plural(
    browser: Tab, history: list[OrderChange], paid: Order, tmp_path: Path
) -> None:
    browser.show(write(tmp_path / "page.html", placed([paid], history[-1])))
    assert not [text for text in browser.value(SEEN) if re.search(r"\b1 \w+s\b", text)]


def test_days_of_several_years_are_told_apart(
    browser: Tab, history: list[OrderChange], paid: Order, tmp_path: Path
) -> None:
    days = [f"{year}-03-01T10:00:00Z" for year in (2024, 2026)]
    orders = [{**paid, "order_id": day, "placed_at": day, "paid_at": day} for day in days]
    browser.show(write(tmp_path / "page.html", placed(orders, history[-1])))
    labels = """[...drawn].find(([place]) => place.closest("[data-chart=by-day]"))[1].spec.labels"""
    found = browser.value(labels)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_stands_out_from_its_ground(
    browser: Tab, rich: Path, shown: Path, theme: str
) -> None:
    browser.resize(1280, 900, theme)
    for path in (shown, rich):
        browser.show(path)
        browser.value("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert browser.value(CONTRASTS) == []
        browser.value("localStorage.clear()")


def test_colours_that_the_reader_forces_leave_the_bars_apart(browser: Tab, shown: Path) -> None:
    forced = [{"name": "forced-colors", "value": "active"}]
    browser.call("Emulation.setEmulatedMedia", features=forced)
    browser.show(shown)
    colours = browser.value("['accent', 'faint', 'good', 'bad', 'warn'].map(colour)")
    assert len(set(colours)) == 5
    assert browser.value("colour('ink') === getComputedStyle(document.body).color")
    marks = "[...document.querySelectorAll('.legend li')].map((one) => "
    marks += "getComputedStyle(one, '::before').backgroundColor)"
    assert set(browser.value(marks)) <= set(colours)


def test_paper_shows_all_of_it_in_the_colours_of_the_light(browser: Tab, shown: Path) -> None:
    browser.resize(1280, 900, "dark")
    browser.show(shown, "#region=US")
    browser.value("document.querySelector('details').open = true")
    seen = browser.value("colour('ink')")
    browser.value("dispatchEvent(new Event('beforeprint'))")
    browser.call("Emulation.setDeviceMetricsOverride", **PAPER)
    browser.call("Emulation.setEmulatedMedia", media="print")
    labels = "[...drawn.values()].map(({ chart }) => chart.getOption().series[0].label.color)"
    assert set(browser.value(labels)) == {"rgb(21, 26, 45)"}
    assert browser.value(OUTSIDE) == 0
    assert browser.value(HIDDEN) == 0
    assert browser.value("document.getElementById('region').checkVisibility()")
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.resize(1280, 900, "dark")
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert browser.value("colour('ink')") == seen != "rgb(21, 26, 45)"


@pytest.mark.parametrize("locale", ["de-DE", "ar-EG", "hi-IN-u-nu-deva"])
def test_every_number_is_written_in_the_readers_digits(
    browser: Tab, shown: Path, locale: str
) -> None:
    browser.call("Emulation.setLocaleOverride", locale=locale)
    browser.show(shown)
    names = browser.value("rows.products.flatMap(({ product, sku }) => [product, sku])")
    texts = "\n".join(browser.value(SEEN))
    for name in sorted(names, key=len, reverse=True):
        texts = texts.replace(name, "")
    digits = {digit for digit in texts if digit.isdigit()}
    assert digits == set(browser.value("counted.format(9876543210)")) & digits
    assert len(digits) == 10
    assert browser.complaints() == []


def test_texts_side_by_side_do_not_turn_each_other_around(browser: Tab, shown: Path) -> None:
    browser.call("Emulation.setLocaleOverride", locale="ar-EG")
    browser.show(shown)
    funnel = """[...drawn].find(([place]) => place.closest("[data-chart=funnel]"))[1].chart"""
    formatter = f"{funnel}.getOption().series[0].label.formatter({{ dataIndex: 0 }})"
    assert re.fullmatch(
        "\u2068[^\u2068\u2069]+\u2069 · \u2068[^\u2068\u2069]+\u2069", browser.value(formatter)
    )
    others = "[...document.getElementById('revenue-others').children].map((one) => one.localName)"
    assert browser.value(others) == ["bdi"] * 3


def test_times_are_utc_wherever_the_reader_is(browser: Tab, shown: Path) -> None:
    seen = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        browser.call("Emulation.setTimezoneOverride", timezoneId=zone)
        browser.show(shown)
        seen.append(browser.value(SEEN))
    assert seen[0] == seen[1] == seen[2]


def test_a_page_of_another_day_tells_its_day(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    assert "as of Nov 22, 11:30 PM UTC" in browser.value("made.textContent")
    assert "verified Nov 22, 11:29 PM UTC" in browser.value("proof.textContent")


def test_what_a_filter_does_is_said(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    said = "document.querySelector('[role=status]').textContent"
    assert browser.value(said) == ""
    browser.value("document.getElementById('region').focus()")
    press(browser, "ArrowDown", 40)
    told = browser.value("document.getElementById('revenue').textContent")
    assert f"revenue {told}" in browser.value(said)
    browser.value("filter('from', '2999-01-01')")
    assert "Nothing matches" in browser.value(said)


def test_skipping_to_the_figures_keeps_the_filters_and_shows_the_figures(
    browser: Tab, shown: Path
) -> None:
    browser.show(shown, "#region=US")
    browser.value("document.querySelector('.skip').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value("location.hash") == "#region=US"
    assert browser.value("document.activeElement.id") == "main"
    top = "document.getElementById('%s').getBoundingClientRect().%s"
    assert browser.value(f"{top % ('main', 'top')} >= {top % ('filters', 'bottom')}")


def test_reset_keeps_the_focus_when_there_is_nothing_left_to_reset(
    browser: Tab, shown: Path
) -> None:
    browser.show(shown, "#region=US")
    browser.value("document.getElementById('reset').focus()")
    press(browser, "Enter", 13, "\r")
    assert browser.value("[location.hash, document.activeElement.id]") == ["", "reset"]
    assert browser.value("document.getElementById('reset').ariaDisabled") == "true"


def test_a_paused_refresh_looks_paused(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    browser.show(write(tmp_path / "page.html", history, watch=HOUR))
    ground = "getComputedStyle(document.getElementById('pause')).backgroundColor"
    before = browser.value(ground)
    browser.value("document.getElementById('pause').click()")
    assert browser.value(ground) != before


def test_the_reader_goes_on_where_they_were_when_the_page_is_loaded_again(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    path = write(tmp_path / "page.html", history, watch=HOUR)
    browser.show(path, "#category=Toys")
    browser.value("document.getElementById('theme').click()")
    browser.value("document.getElementById('open-by-day').focus()")
    press(browser, "Enter", 13, "\r")
    browser.value("document.getElementById('rows-by-day').scrollTop = 40; scrollTo(0, 120)")
    before = browser.value(PLACE)
    assert before == {
        **{"focus": "open-by-day", "scroll": 120, "address": "#category=Toys"},
        **{"rows": 40, "isOpen": True, "theme": "dark"},
    }
    followed(browser)
    assert browser.value(PLACE) == before


def test_a_filter_that_is_being_set_stays_and_one_that_was_set_holds_nothing_up(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    browser.show(write(tmp_path / "page.html", history, watch=HOUR))
    browser.value("window.stays = true; document.getElementById('region').focus()")
    press(browser, "ArrowDown", 40)
    browser.value("follow()")
    assert browser.value("window.stays && location.hash") == "#region=EU"
    browser.value("touched -= CHOOSING")
    followed(browser)
    assert browser.value("[location.hash, document.activeElement.id]") == ["#region=EU", "region"]


def test_a_page_that_is_not_written_anew_says_so(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    told = {}
    for age in (timedelta(seconds=30), timedelta(minutes=5)):
        made_at = f"{datetime.now(timezone.utc) - age:%Y-%m-%d %H:%M:%S}"
        browser.show(write(tmp_path / "page.html", history[:4], watch=10, made_at=made_at))
        told[age] = browser.value("document.getElementById('made').textContent")
    fresh, stale = told.values()
    assert "no newer page" not in fresh
    assert "5m ago · no newer page" in stale
