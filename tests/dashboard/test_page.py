"""The page in a real browser: what it shows, under every filter, is what a model of it says."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from tests.support.chromium import Tab, chromium, tab
from tests.support.dashboard_model import VERIFY, is_sold, lasts, write
from tests.support.hostile_orders import HUGE, NAMES, hostile, placed

pytestmark = pytest.mark.skipif(not chromium(), reason="no Chromium here: install one to try it")

PLAN = Plan(150, 3, Fraction(1, 10), date(2026, 11, 23))
HOUR = 3600
FILTERS = {
    "dates": {"from": "2026-11-05", "to": "2026-11-16"},
    "region": {"region": "JP"},
    "category": {"category": "Toys"},
}
TILES = """Object.fromEntries([...document.querySelectorAll("main .tile:not([hidden])")].map(
  (tile) => [
    tile.getAttribute("aria-labelledby").slice(2),
    tile.innerText + (tile.querySelector(".scroll")?.textContent ?? ""),
  ],
))"""
CELLS = """[...document.querySelectorAll('[data-chart="%s"] tbody tr')].map((row) =>
  [...row.cells].map((cell) => cell.textContent))"""
WRITTEN = """(() => {
  let times = 0;
  const format = counted.format;
  Object.defineProperty(counted, "format", { value: (count) => (times++, format(count)) });
  perHourTile(shown);
  return times;
})()"""
SET = """{ const it = document.getElementById("%s");
  it.value = %s; it.dispatchEvent(new Event("change")); }"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    """A browser's tab."""
    with tab() as opened:
        opened.resize(1280, 900)
        yield opened


@pytest.fixture(scope="module")
def history() -> list[OrderChange]:
    """The changes that the page tells of."""
    return generate_changes(PLAN)


@pytest.fixture(scope="module")
def shown(
    browser: Tab, history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A page of generated orders."""
    return write(tmp_path_factory.mktemp("page") / "page.html", history)


def choose(browser: Tab, **filters: str) -> None:
    """Set filters as a reader does."""
    for name, text in filters.items():
        place = (
            f"String(choices.{name}.indexOf({text!r}))" if name in ("region", "category") else ""
        )
        browser.value(SET % (name, place or repr(text)))


def complete(browser: Tab, path: Path) -> None:
    """Assert that the page, once loaded, asked for nothing else and complained of nothing."""
    assert browser.complaints() == []
    asked = [url for url in browser.requests() if not url.startswith("data:")]
    assert asked == [path.resolve().as_uri()]
    assert browser.value("document.body.getAttribute('aria-busy')") == "false"


def test_the_page_asks_for_nothing_and_complains_of_nothing(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    for number in range(14):
        mouse = {"type": "mouseMoved", "x": 60 + 80 * number, "y": 500}
        browser.call("Input.dispatchMouseEvent", **mouse)
    for filters in FILTERS.values():
        choose(browser, **filters)
    complete(browser, shown)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_changes_every_tile(browser: Tab, shown: Path, name: str) -> None:
    browser.show(shown)
    before = browser.value(TILES)
    choose(browser, **FILTERS[name])
    after = browser.value(TILES)
    assert len(before) == 14
    assert [tile for tile in before if before[tile] == after[tile]] == []
    browser.value("document.getElementById('reset').click()")
    assert browser.value(TILES) == before


def test_the_address_holds_the_filters(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    choose(browser, **FILTERS["dates"], **FILTERS["region"], **FILTERS["category"])
    address, tiles = browser.value("location.hash"), browser.value(TILES)
    assert address == "#from=2026-11-05&to=2026-11-16&region=JP&category=Toys"
    browser.show(shown, address)
    assert browser.value(TILES) == tiles
    assert browser.value("document.getElementById('from').value") == "2026-11-05"
    revenue = "document.getElementById('revenue').textContent"
    for unknown in ("#region=nowhere&category=%22", "#from=2026-99-99&to=2026-02-30"):
        browser.show(shown, unknown)
        assert browser.value(revenue).startswith("$")
        assert browser.value("document.getElementById('reset').ariaDisabled") == "true"


def passes(order: Order, day: str, filters: dict[str, str]) -> bool:
    """Return whether an order passes the filters, by one of its days."""
    categories = {line["category"] for line in order["items"]}
    return (
        filters.get("from", "") <= order[day][:10] <= filters.get("to", "9")
        and filters.get("region") in (None, order["region"])
        and (filters.get("category") is None or filters["category"] in categories)
    )


def dollars(amount: Decimal | Fraction) -> str:
    """Return an amount as an American reads it."""
    numerator, denominator = Fraction(amount).as_integer_ratio()
    cents = Decimal(numerator) / Decimal(denominator)
    return f"${cents.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"from": "2026-11-05"},
        {"to": "2026-11-12", "category": "Books"},
        {"region": "US", "category": "Toys"},
    ],
    ids=str,
)
def test_the_numbers_are_exact(
    browser: Tab, shown: Path, history: list[OrderChange], filters: dict[str, str]
) -> None:
    browser.show(shown)
    choose(browser, **filters)
    choose(browser, currency="USD")
    orders = [kept.order for kept in lasts(history).values()]
    sold = [o for o in orders if is_sold(o) and passes(o, "paid_at", filters)]
    totals = [Fraction(order["total"]) for order in sold if order["currency"] == "USD"]
    real = [o for o in orders if not o["test_order"] and passes(o, "placed_at", filters)]
    text = {
        name: browser.value(f"document.getElementById('{name}').textContent")
        for name in ("revenue", "average", "orders", "cancelled-of")
    }
    assert text == {
        "revenue": dollars(sum(totals)),
        "average": dollars(sum(totals) / len(totals)),
        "orders": str(len(real)),
        "cancelled-of": f"{sum('cancelled_at' in order for order in real)} of {len(real)} orders",
    }
    assert browser.value(CELLS % "by-category") == by_category(sold, filters.get("category"))
    reached = [row[1] for row in browser.value(CELLS % "funnel")]
    statuses = ("placed", "paid", "shipped", "delivered", "returned")
    assert reached == [str(sum(f"{status}_at" in o for o in real)) for status in statuses]


def by_category(sold: list[Order], category: str | None) -> list[list[str]]:
    """Return the table of categories in dollars."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    quantities: Counter[str] = Counter()
    for order in sold:
        for line in order["items"]:
            if order["currency"] == "USD" and category in (None, line["category"]):
                amounts[line["category"]] += line["quantity"] * line["unit_price"]
                quantities[line["category"]] += line["quantity"]
    ranked = sorted(amounts, key=lambda name: (-amounts[name], name))
    return [[name, str(quantities[name]), dollars(amounts[name])] for name in ranked]


def test_hostile_texts_are_texts(browser: Tab, history: list[OrderChange], tmp_path: Path) -> None:
    orders = hostile(history[0].after)
    path = write(tmp_path / "hostile.html", placed(orders, history[-1]))
    browser.show(path)
    complete(browser, path)
    assert browser.value("window.hit ?? null") is None
    assert browser.value("document.querySelectorAll('main img, main script, main b').length") == 0
    offered = "[...document.querySelectorAll('#region option')].map((one) => one.textContent)"
    assert set(browser.value(offered)) == {"all", *NAMES}
    seen: set[str] = set()
    for currency in range(len({order["currency"] for order in orders})):
        browser.value(SET % ("currency", f"'{currency}'"))
        seen |= {cell for row in browser.value(CELLS % "products") for cell in row}
    assert seen >= set(NAMES)
    (left_out,) = browser.value(
        "[...document.querySelectorAll('#unread tbody tr')].map((row) => row.textContent)"
    )
    assert str(HUGE) in left_out
    assert NAMES[1] in left_out
    for number in range(len(NAMES)):
        browser.value(SET % ("region", f"'{number}'"))
    complete(browser, path)


def test_bars_have_room_however_many_categories_and_the_table_has_them_all(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    paid = hostile(history[0].after)[0]
    orders = [
        {**paid, "order_id": f"{n}", "currency": "a\nb\u202e", "items": [line]}
        for n in range(1100)
        for line in [{**paid["items"][0], "category": f"C{n}"}]
    ]
    path = write(tmp_path / "many.html", placed(orders, history[-1]))
    browser.show(path)
    complete(browser, path)
    assert len(browser.value(CELLS % "by-category")) == 1100
    assert browser.value("document.documentElement.scrollHeight") < 3000
    assert "Table of all 1,100" in browser.value(TILES)["by-category"]
    assert "Table of all" not in browser.value(TILES)["regions"]
    drawn = """(() => {
      const [, { chart }] = [...drawn].find(([place]) => place.closest("[data-chart=by-category]"));
      const { data, label } = chart.getOption().series[0];
      return [data.length, label.formatter({ dataIndex: 0 })];
    })()"""
    assert browser.value(drawn) == [20, "\u20682.50 a b \u2069"]


@pytest.mark.parametrize(("count", "told"), [(250, ""), (251, ": the first 250 of 251")])
def test_orders_left_out_are_counted_also_where_not_all_are_named(
    browser: Tab, history: list[OrderChange], tmp_path: Path, count: int, told: str
) -> None:
    huge = hostile(history[0].after)[-1]  # Of one category: two rows for each order.
    orders = [{**huge, "order_id": f"{n}"} for n in range(count)]
    browser.show(write(tmp_path / "unread.html", placed(orders, history[-1])))
    title = "document.getElementById('h-unread').textContent"
    assert browser.value(title) == "Left out of the revenue" + told
    rows = "document.querySelectorAll('#unread tbody tr').length"
    assert browser.value(rows) == 250


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_every_screen_in_both_lights(browser: Tab, shown: Path, theme: str) -> None:
    grounds = {"light": "rgb(245, 246, 250)", "dark": "rgb(14, 17, 23)"}
    for width in (1280, 768, 390):
        browser.resize(width, 900, theme)
        browser.show(shown)
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        charts = "[...drawn].every(([place, { chart }]) => chart.getWidth() === place.clientWidth)"
        assert browser.value(charts)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert browser.value(ground) == grounds[theme]
    browser.value("document.getElementById('theme').click()")
    assert browser.value(ground) != grounds[theme]
    browser.value("localStorage.clear()")
    browser.resize(1280, 900)


def test_everything_that_acts_or_shows_has_a_name(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = defaultdict(list)
    for node in nodes:
        if not node.get("ignored"):
            name = node.get("name", {}).get("value", "").strip()
            named[node["role"]["value"]].append(name)
    for role in ("button", "combobox", "Date", "image", "DisclosureTriangle", "region"):
        assert all(named[role]), role
    assert len(named["image"]) == 7
    assert any(name.startswith("Revenue by day: ") for name in named["image"])
    assert {"From", "To", "Region", "Category", "Money in"} <= {
        *named["Date"],
        *named["combobox"],
    }


def test_tab_leads_through_the_filters_in_their_order(browser: Tab, shown: Path) -> None:
    browser.show(shown)
    reached = []
    for _ in range(14):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.value("document.activeElement.id || document.activeElement.tagName"))
    found = list(dict.fromkeys(reached))
    assert found[:7] == ["A", "theme", "from", "to", "region", "category", "currency"]


def test_nothing_is_said_to_be_nothing(browser: Tab, shown: Path, tmp_path: Path) -> None:
    notice = "document.getElementById('notice')"
    browser.show(shown)
    assert browser.value(f"{notice}.hidden")
    choose(browser, **{"from": "2027-01-01"})
    assert "Nothing matches" in browser.value(f"{notice}.textContent")
    path = write(tmp_path / "empty.html", [], verify=None)
    browser.show(path)
    complete(browser, path)
    assert "data_generator.py" in browser.value(f"{notice}.textContent")
    assert "not verified yet" in browser.value(TILES)["proof"]


def test_changes_of_months_stand_by_day_and_each_number_is_written_once(
    browser: Tab, tmp_path: Path
) -> None:
    months = [
        replace(PLAN, orders=60, seed=seed, until=until)
        for seed, until in enumerate((date(2026, 3, 1), date(2026, 11, 23)))
    ]
    made = [change for plan in months for change in generate_changes(plan)]
    browser.show(write(tmp_path / "months.html", made))
    days = Counter(f"{c.changed_at:%b} {c.changed_at.day}, {c.changed_at.year}" for c in made)
    rows = browser.value(CELLS % "per-hour")
    assert {day: sum(map(int, counts)) for day, *counts in rows if any(map(int, counts))} == days
    assert len(rows) == (made[-1].changed_at.date() - made[0].changed_at.date()).days + 1
    assert browser.value(TILES)["per-hour"].startswith("Changes per day\n")
    assert browser.value(WRITTEN) <= 3 * len(rows) + 2  # and two in the summary
    browser.value(SET % ("to", "'2026-02-25'"))
    assert browser.value(TILES)["per-hour"].startswith("Changes per hour\n")


@pytest.mark.parametrize(
    ("state", "words"), [("differs", "135 ≠ 135"), ("unsettled", "could not tell")]
)
def test_a_verify_that_failed_is_told(
    browser: Tab, history: list[OrderChange], tmp_path: Path, state: str, words: str
) -> None:
    browser.show(write(tmp_path / "page.html", history[:5], verify={**VERIFY, "state": state}))
    assert words in browser.value(TILES)["proof"]


def test_a_watched_page_loads_its_file_again_and_again(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    browser.show(write(tmp_path / "page.html", history[:4], watch=1))
    browser.wait_for("Page.loadEventFired", times=3)


def test_a_page_that_is_loaded_again_shows_the_new_facts_under_the_old_filters(
    browser: Tab, history: list[OrderChange], tmp_path: Path
) -> None:
    path = write(tmp_path / "page.html", history[:40], watch=HOUR)
    browser.show(path, "#category=Toys")
    orders = "document.getElementById('orders').textContent"
    before = browser.value(orders)
    write(path, history, watch=HOUR)
    followed(browser)
    assert browser.value(orders) != before
    assert browser.value("location.hash") == "#category=Toys"
    browser.value("window.stays = true; document.getElementById('pause').click(); follow()")
    assert browser.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    assert browser.value("window.stays")
    browser.value("document.getElementById('pause').click()")
    followed(browser)
    assert browser.value("window.stays ?? null") is None


def followed(browser: Tab) -> None:
    """Let the page load its file again."""
    browser.events.clear()
    browser.value("follow()")
    browser.wait_for("Page.loadEventFired")
