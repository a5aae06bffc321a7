"""Exports of the page: each table as CSV and each chart as PNG, without network."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from struct import unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import image_of
from tests.support.dashboard_page import (
    TABLE_CELLS,
    choose,
    show_unfiltered,
    text_of,
    write_page,
)
from tests.support.hostile_orders import HUGE_TOTAL, IMAGE, hostile_orders, inserts
from tests.support.profile import IS_THOROUGH

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

BUTTON = "document.querySelector('[data-chart=%s] [data-format=%s]')"
EXPORTS = "Object.entries(tiles).map(([name, tile]) => [name, formatCsv(tile(figures).csv())])"
ENCODE_ROWS = "%s.map((cells) => formatCsv([cells]))"
PERIOD = {"from": "2026-11-05", "to": "2026-11-16"}
CELLS = st.text(st.sampled_from("=+-@\t\r\n\",;'1.a é\u202e"), max_size=6)


@pytest.fixture
def downloads(tab: Tab, tmp_path: Path) -> Path:
    """The folder in which the browser saves files."""
    tab.call(
        "Browser.setDownloadBehavior",
        behavior="allow",
        downloadPath=str(tmp_path),
        eventsEnabled=True,
    )
    return tmp_path


def save(tab: Tab, downloads: Path, script: str) -> Path:
    """Run a script that saves a file, and return the file."""
    tab.events.clear()
    before = set(downloads.iterdir())
    tab.evaluate(script)
    tab.wait_for("Browser.downloadProgress", state="completed")
    (path,) = set(downloads.iterdir()) - before
    return path


def read_csv(text: str) -> list[list[str]]:
    """Return the rows of a CSV."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_a_table_is_saved_as_csv(tab: Tab, page: Path, downloads: Path) -> None:
    tab.load(page)
    choose(tab, **PERIOD)
    path = save(tab, downloads, BUTTON % ("by-category", "CSV") + ".click()")
    assert path.name == "revenue-by-category_2026-11-05_to_2026-11-16.csv"
    assert text_of(tab, "announcement") == f"{path.name} saved"
    assert tab.console_problems() == []
    assert [url for url in tab.requested_urls() if not url.startswith(("blob:", "data:"))] == []
    (header, *lines) = read_csv(path.read_bytes().decode("utf-8-sig"))
    assert header == ["Category", "Quantity", "Revenue (USD)"]
    visible = [
        [name, *(Decimal(cell.strip("$").replace(",", "")) for cell in cells)]
        for name, *cells in tab.evaluate(TABLE_CELLS % "by-category")
    ]
    assert [[name, *map(Decimal, cells)] for name, *cells in lines] == visible


@pytest.mark.slow
def test_a_chart_is_saved_as_png(tab: Tab, page: Path, downloads: Path) -> None:
    tab.load(page, "#from=2026-11-05")
    path = save(tab, downloads, BUTTON % ("regions", "PNG") + ".click()")
    assert path.name == "regions_from_2026-11-05.png"
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    size = tab.evaluate(
        f"(({{ clientWidth, clientHeight }}) => [2 * clientWidth, 2 * clientHeight])"
        f"({BUTTON % ('regions', 'PNG')}.closest('.tile').querySelector('.chart'))"
    )
    assert list(unpack(">II", content[16:24])) == size


def test_every_table_can_be_saved(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    tables = dict(tab.evaluate(EXPORTS))
    for name, text in tables.items():
        (header, *lines) = read_csv(text)
        assert len(lines) == len(tab.evaluate(TABLE_CELLS % name)), name
        assert {len(line) for line in lines} == {len(header)}, name
        assert all(_is_number(line[-1]) for line in lines), name
    names = "[...document.querySelectorAll('[data-chart] .exports button')].map((b) => b.ariaLabel)"
    assert len(tab.evaluate(names)) == 2 * len(tables)
    assert {"Save Regions as CSV", "Save Regions as PNG"} <= set(tab.evaluate(names))


def _is_number(cell: str) -> bool:
    return Decimal(cell).is_finite()


def test_the_files_name_says_the_period(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    assert tab.evaluate("fileName('A b', { from: null, to: null }, 'csv')") == "a-b_all-days.csv"
    until = "fileName('A b', { from: null, to: '2026-11-05' }, 'csv')"
    assert tab.evaluate(until) == "a-b_until_2026-11-05.csv"


def test_excluded_orders_are_saved_as_text(
    tab: Tab, history: list[OrderChange], tmp_path: Path, downloads: Path
) -> None:
    orders = hostile_orders(image_of(history[0]))
    tab.load(write_page(tmp_path / "hostile.html", inserts(orders, history[-1])))
    path = save(tab, downloads, "document.querySelector('#unreadable [data-format=CSV]').click()")
    (_, line) = read_csv(path.read_bytes().decode("utf-8-sig"))
    assert [line[0], line[3]] == [IMAGE, str(HUGE_TOTAL)]


@settings(max_examples=100 if IS_THOROUGH else 8, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=20, max_size=40))
def test_csv_keeps_texts_and_runs_no_formula(tab: Tab, rows: list[list[str]]) -> None:
    # A reader gets every cell back, with an apostrophe only before what would be a formula.
    for cells, text in zip(rows, tab.evaluate(ENCODE_ROWS % json.dumps(rows)), strict=True):
        escaped = [f"'{cell}" if cell[:1] in set("=+-@\t\r") else cell for cell in cells]
        assert text.endswith("\r\n")
        assert read_csv(text) == [escaped]


def test_numbers_stay_numbers(tab: Tab, page: Path) -> None:
    show_unfiltered(tab, page)
    amounts = "[-15n * 10n ** 18n, 10n ** 42n + 1n, 0n, 1000n * ONE, -3, null]"
    exact = "-1.5,100000000000000000000000.0000000000000000001,0,1000,-3,\r\n"
    assert tab.evaluate(f"formatCsv([{amounts}])") == exact
