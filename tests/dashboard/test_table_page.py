"""Page of any table: its figures, the choice of an attribute, hostile names and values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.athena import Column, QueryResult, Row
from analytics.dashboard.facts import encode_columns
from analytics.dashboard.page import render_page
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_page import TABLE_CELLS, VERIFY_RESULT, choose, press, text_of
from tests.support.hostile_orders import END_TAGS, HOSTILE_NAMES, IMAGE, SCRIPT

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

MADE_AT = "2026-11-22 10:30:00"
COLUMNS = {
    "changes": "hour:timestamp day:date operation changes:bigint last_second:bigint",
    "items": "in_table:bigint removed:bigint",
    "attributes": "attribute type items:bigint distinct_values:bigint attributes:bigint value "
    "value_items:bigint",
}
CHANGES: list[Row] = [
    ("2026-11-01 08:00:00.000", "2026-11-01", "SNAPSHOT", "40", "5"),
    ("2026-11-20 08:00:00.000", "2026-11-20", "INSERT", "3", "9"),
    ("2026-11-21 09:00:00.000", "2026-11-21", "MODIFY", "4", "1"),
    ("2026-11-22 10:00:00.000", "2026-11-22", "INSERT", "6", "59"),
    ("2026-11-22 10:00:00.000", "2026-11-22", "REMOVE", "2", "60"),
]
ATTRIBUTES: list[Row] = [
    ("id", "S", "50", "50", "7", None, "0"),
    (IMAGE, "S", "30", "3", "7", SCRIPT, "20"),
    (IMAGE, "S", "30", "3", "7", END_TAGS, "9"),
    (IMAGE, "N", "10", "1", "7", "1", "10"),
    ("isOpen", "BOOL", "25", "2", "7", "true", "15"),
    ("isOpen", "BOOL", "25", "2", "7", "false", "10"),
    ("tags", "SS", "5", "0", "7", None, "0"),
    *((name, "L", "1", "0", "7", None, "0") for name in HOSTILE_NAMES[2:]),
]
SELECT_ATTRIBUTE = "document.getElementById('attribute')"
ACCESSIBLE_NAMES = """[...document.querySelectorAll(
  "#table select, #table button, #table .scroll",
)].map((node) => node.ariaLabel ?? node.labels?.[0]?.textContent
  ?? document.getElementById(node.getAttribute("aria-labelledby") ?? "")?.textContent
  ?? node.textContent)"""


def encode(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Return facts as Athena's answers become them."""
    facts = {}
    for name, declaration in COLUMNS.items():
        parts = (column.partition(":") for column in declaration.split())
        columns = tuple(Column(column, kind or "varchar") for column, _, kind in parts)
        facts[name] = encode_columns(QueryResult(columns, iter(rows[name]), 0))
    return facts


def write_page(path: Path, rows: dict[str, list[Row]], **overrides: Any) -> Path:
    """Write the page of a table; the overrides replace members of its document."""
    document = {
        "pipeline": "fleet",
        "made_at": MADE_AT,
        "zone": "UTC",
        "week_start": 1,
        "fiscal_year_start": 1,
        "watch": None,
        "targets": {},
        "with_details": True,
        "verify": VERIFY_RESULT,
        "cost": None,
        "facts": encode(rows),
    }
    path.write_text(render_page({**document, **overrides}, "table", "Readings"), "utf-8")
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a table with hostile names and values."""
    rows: dict[str, list[Row]] = {
        "changes": CHANGES,
        "items": [("50", "4")],
        "attributes": ATTRIBUTES,
    }
    return write_page(tmp_path_factory.mktemp("page") / "page.html", rows)


@pytest.fixture
def loaded(tab: Tab, page: Path) -> Iterator[Tab]:
    """A tab that shows the page, which must neither complain nor request anything."""
    tab.load(page)
    yield tab
    assert tab.console_problems() == []
    urls = [url for url in tab.requested_urls() if not url.startswith("data:")]
    assert urls == [page.resolve().as_uri()]
    assert tab.evaluate("window.hit") is None
    assert tab.evaluate("document.querySelectorAll('main img, main script, main b').length") == 0


def test_items_and_changes_are_counted(loaded: Tab) -> None:
    ids = ("items", "items-note", "written", "inserted", "modified", "removed", "changes")
    texts = [text_of(loaded, element_id) for element_id in ids]
    assert texts == ["50", "in the table now; 4 removed", "55", "9", "4", "2", "8"]
    assert text_of(loaded, "written-note") == "40 of them read by backfill or repair"
    assert loaded.evaluate("document.querySelector('h1').textContent") == "Readings"
    assert text_of(loaded, "items-proof").startswith("verified ")
    assert text_of(loaded, "freshness-note").startswith("last change Nov 22")


def test_periods_are_compared(loaded: Tab) -> None:
    choose(loaded, **{"from": "2026-11-22", "to": "2026-11-22"})
    assert text_of(loaded, "written") == "8"
    assert text_of(loaded, "written-before") == "1 day before: 4, +100%"
    assert text_of(loaded, "inserted-before") == "1 day before: 0"
    assert text_of(loaded, "items") == "50"


def test_changes_are_grouped_by_kind(loaded: Tab) -> None:
    choose(loaded, grain="month")
    ((label, *counts),) = loaded.evaluate(TABLE_CELLS % "by-day")
    assert (label, counts) == ("Nov 2026 (so far)", ["9", "4", "2", "40"])


def test_attributes_have_shares_and_types(loaded: Tab) -> None:
    rows = loaded.evaluate(TABLE_CELLS % "attributes")
    assert rows[:4] == [
        ["id", "50", "100%", "text", "50"],
        [IMAGE, "40", "80%", "text 30 · number 10", "4"],
        ["isOpen", "25", "50%", "true or false", "2"],
        ["tags", "5", "10%", "set of texts", "not compared"],
    ]
    assert {row[0] for row in rows[4:]} == set(HOSTILE_NAMES[2:])


def test_the_values_of_an_attribute_are_listed(loaded: Tab) -> None:
    assert loaded.evaluate(TABLE_CELLS % "values") == [
        [f"{SCRIPT} (text)", "20", "50%"],
        ["1 (number)", "10", "25%"],
        [f"{END_TAGS} (text)", "9", "22.5%"],
    ]
    loaded.evaluate(f"{SELECT_ATTRIBUTE}.focus()")
    press(loaded, "ArrowDown", 40)
    assert loaded.evaluate(TABLE_CELLS % "values") == [
        ["true", "15", "60%"],
        ["false", "10", "40%"],
    ]
    assert loaded.evaluate("location.hash") == "#attribute=isOpen"
    assert "highest true: 15, 60%" in text_of(loaded, "announcement")


def test_controls_have_accessible_names(loaded: Tab) -> None:
    names = loaded.evaluate(ACCESSIBLE_NAMES)
    assert len(names) == 13
    assert all(name and name.strip() for name in names), names


def test_tables_are_saved_without_formulas(loaded: Tab) -> None:
    lines = loaded.evaluate("formatCsv(tiles.values(figures).csv())").split("\r\n")
    assert lines[0] == "Value,Type,Items,Share (%)"
    assert lines[2] == "1,number,10,25.0"
    assert lines[1].endswith(",text,20,50.0")


def test_left_out_attributes_are_counted(tab: Tab, tmp_path: Path) -> None:
    rows: list[Row] = [("id", "S", "3", "3", "6001", None, "0")]
    facts: dict[str, list[Row]] = {"changes": [], "items": [("3", "0")], "attributes": rows}
    tab.load(write_page(tmp_path / "page.html", facts, with_details=False, verify=None))
    assert text_of(tab, "h-attributes") == "Attributes: first 1 of 6,001"
    assert text_of(tab, "items-proof") == "not verified yet"
    rule = tab.evaluate("document.querySelector('[data-chart=values] .rule').textContent")
    assert "--with-details lists them" in rule
    assert tab.console_problems() == []


def test_an_empty_table_says_what_to_do(tab: Tab, tmp_path: Path) -> None:
    facts: dict[str, list[Row]] = {"changes": [], "items": [("0", "0")], "attributes": []}
    tab.load(write_page(tmp_path / "page.html", facts))
    assert "python -m operations.backfill" in text_of(tab, "notice")
    assert tab.console_problems() == []
