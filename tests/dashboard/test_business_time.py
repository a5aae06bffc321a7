"""Days, weeks and years of the business on the page, across changes of summer time."""

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab, find_chromium
from tests.support.dashboard_model import image_of
from tests.support.dashboard_page import TABLE_CELLS, text_of, write_page
from tests.support.hostile_orders import hostile_orders, inserts

pytestmark = pytest.mark.skipif(not find_chromium(), reason="Chromium is not installed")

ZONE = "Europe/Berlin"
CSV_CELLS = "tiles['by-day'](figures).csv().slice(1).map((cells) => cells.map(String))"
RULES = "[...document.querySelectorAll('.zone')].map((element) => element.textContent)"


@pytest.fixture(scope="module")
def paid_times() -> list[datetime]:
    """Each hour of a week in which summer time ends."""
    start = datetime.fromisoformat("2026-10-21T00:30:00Z")
    return [start + timedelta(hours=number) for number in range(24 * 7)]


@pytest.fixture(scope="module")
def page(
    history: list[OrderChange],
    paid_times: list[datetime],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A page of orders that were paid at these times."""
    template = hostile_orders(image_of(history[0]))[0]
    orders = [
        {**template, "order_id": f"{time}", "paid_at": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
        for time in paid_times
    ]
    return write_page(
        tmp_path_factory.mktemp("page") / "page.html",
        inserts(orders, history[-1]),
        zone=ZONE,
        week_start=7,
        fiscal_year_start=4,
        made_at="2026-10-27 23:30:00",
    )


def business_day(time: datetime) -> date:
    """Return the day of a time in the zone."""
    return time.astimezone(ZoneInfo(ZONE)).date()


def sunday_before(day: date) -> date:
    """Return the first day of a week that begins on Sunday."""
    return day - timedelta(days=day.isoweekday() % 7)


@pytest.mark.parametrize("grain", ["day", "week"])
def test_days_and_weeks_are_those_of_the_business(
    tab: Tab, page: Path, paid_times: list[datetime], grain: str
) -> None:
    tab.load(page, f"#grain={grain}")
    days = map(business_day, paid_times)
    expected = Counter(days if grain == "day" else map(sunday_before, days))
    cells = tab.evaluate(CSV_CELLS)
    assert {line[0]: line[2] for line in cells} == {
        f"{day}": str(orders) for day, orders in expected.items()
    }
    if grain == "day":
        assert expected[date(2026, 10, 25)] == 25


@pytest.mark.slow
def test_today_is_a_day_of_the_business(tab: Tab, page: Path) -> None:
    tab.load(page)
    assert tab.evaluate("madeOn") == "2026-10-28"
    assert text_of(tab, "changes-note") == "Europe/Berlin, Oct 28"
    assert [cells[0] for cells in tab.evaluate(TABLE_CELLS % "by-day")][-1].endswith("(so far)")
    assert set(tab.evaluate(RULES)) == {ZONE}


@pytest.mark.slow
def test_periods_are_those_of_the_business(tab: Tab, page: Path) -> None:
    tab.load(page, "#period=7-days")
    assert tab.evaluate("[filters.from, filters.to]") == ["2026-10-22", "2026-10-28"]
    tab.load(page, "#period=year")
    assert tab.evaluate("[filters.from, filters.to]") == ["2026-04-01", "2026-10-28"]
    assert tab.evaluate("['2026-03-31', '2026-04-01'].map(firstDayOfYear)") == [
        "2025-04-01",
        "2026-04-01",
    ]
