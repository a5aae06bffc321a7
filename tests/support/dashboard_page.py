"""Dashboard pages for tests: written from a history, reloaded in a browser."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from analytics.athena import QueryResult
from analytics.dashboard.exchange_rates import COLUMNS, with_used_rates
from analytics.dashboard.facts import encode_columns
from analytics.dashboard.page import render_page
from operations.rates.rates_file import Rate
from sales.order_lifecycle import Order, OrderChange, Plan
from tests.support.chromium import Tab
from tests.support.dashboard_model import (
    ChangeRow,
    encode_facts,
    last_images,
    model_facts,
)
from tests.support.rates_model import REPORTING_CURRENCY

MAX_UNREADABLE_TOTALS = 500  # The limit of facts/unreadable_totals.sql.
MADE_AT = "2026-11-22 23:30:00"
VERIFY_RESULT = {
    "verified_at": "2026-11-22 23:29:00",
    "state": "equal",
    "table_items": 135,
    "lake_items": 135,
}
PLAN = Plan(150, 3, Fraction(1, 10), date(2026, 11, 23))
SET_VALUE = """{ const input = document.getElementById("%s");
  input.value = %s; input.dispatchEvent(new Event("change")); }"""
TABLE_CELLS = """[...document.querySelectorAll('[data-chart="%s"] tbody tr')].map((row) =>
  [...row.cells].map((cell) => cell.textContent))"""
WATCH_HOURLY = 3600  # Seconds between refreshes; longer than any test.


def write_page(
    path: Path, history: list[OrderChange], rates: Sequence[Rate] = (), **overrides: Any
) -> Path:
    """Write the page of a history; the overrides replace members of its document."""
    changes = [ChangeRow(c.changed_at.replace(tzinfo=None), c.operation) for c in history]
    zone = overrides.get("zone", "UTC")
    rows = model_facts(last_images(history).values(), changes, zone)
    rows["unreadable_totals"] = rows["unreadable_totals"][:MAX_UNREADABLE_TOTALS]
    facts = with_used_rates({**encode_facts(rows), "exchange_rates": encode_rates(rates)})
    if not overrides.get("with_details"):
        del facts["listed_orders"]
    document = {
        "pipeline": "sales-cdc",
        "made_at": MADE_AT,
        "zone": zone,
        "week_start": 1,
        "fiscal_year_start": 1,
        "watch": None,
        "with_details": False,
        "targets": {},
        "verify": VERIFY_RESULT,
        "cost": None,
        "facts": facts,
    }
    path.write_text(render_page({**document, **overrides}), "utf-8")
    return path


def encode_rates(rates: Iterable[Rate]) -> dict[str, Any]:
    """Return the fact of all rates."""
    rows = [(rate.currency, f"{rate.day}", f"{rate.rate:f}", REPORTING_CURRENCY) for rate in rates]
    return encode_columns(QueryResult(COLUMNS, iter(rows), 0))


def show_unfiltered(tab: Tab, page: Path) -> None:
    """Show a page without filters; one that the tab shows already is reset, which is faster."""
    if tab.evaluate("location.href.split('#')[0]") == page.resolve().as_uri():
        tab.evaluate("document.getElementById('reset').click()")
    else:
        tab.load(page)


def refresh(tab: Tab) -> None:
    """Let the page reload its file, and wait until it is loaded."""
    tab.events.clear()
    tab.evaluate("refresh()")
    tab.wait_for("Page.loadEventFired")
    tab.wait_until_started()


def choose(tab: Tab, **filters: str) -> None:
    """Set filters as a reader does."""
    for name, text in filters.items():
        is_indexed = name in ("region", "category", "currency")
        value = f"String(choices.{name}.indexOf({text!r}))" if is_indexed else repr(text)
        tab.evaluate(SET_VALUE % (name, value))


def text_of(tab: Tab, element_id: str) -> str:
    """Return the text of an element."""
    text: str = tab.evaluate(f"document.getElementById('{element_id}').textContent")
    return text


def passes(order: Order, day: str, filters: dict[str, str]) -> bool:
    """Return whether an order passes the filters, by one of its dates."""
    categories = {line["category"] for line in order["items"]}
    return (
        filters.get("from", "") <= order[day][:10] <= filters.get("to", "9")
        and filters.get("region") in (None, order["region"])
        and (filters.get("category") is None or filters["category"] in categories)
    )


def dollars(amount: Decimal | Fraction) -> str:
    """Return an amount as the page shows it to an American."""
    numerator, denominator = Fraction(amount).as_integer_ratio()
    exact = Decimal(numerator) / Decimal(denominator)
    return f"${exact.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def press(tab: Tab, key: str, code: int, text: str = "") -> None:
    """Press a key."""
    tab.call(
        "Input.dispatchKeyEvent", type="keyDown", text=text, key=key, windowsVirtualKeyCode=code
    )
    tab.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
