"""Dashboard pages for tests: written from a history, reloaded in a browser."""

from pathlib import Path
from typing import Any

from analytics.dashboard.page import render_page
from sales.order_lifecycle import OrderChange
from tests.support.chromium import Tab
from tests.support.dashboard_model import (
    ChangeRow,
    encode_facts,
    image_of,
    last_images,
    model_facts,
)

MAX_UNREADABLE_TOTALS = 500  # The limit of facts/unreadable_totals.sql.
MADE_AT = "2026-11-22 23:30:00"
VERIFY_RESULT = {
    "verified_at": "2026-11-22 23:29:00",
    "state": "equal",
    "table_items": 135,
    "lake_items": 135,
}
WATCH_HOURLY = 3600  # Seconds between refreshes; longer than any test.


def write_page(path: Path, history: list[OrderChange], **overrides: Any) -> Path:
    """Write the page of a history; the overrides replace members of its document."""
    changes = [
        ChangeRow(c.changed_at.replace(tzinfo=None), c.operation, image_of(c)) for c in history
    ]
    rows = model_facts(last_images(history).values(), changes)
    rows["unreadable_totals"] = rows["unreadable_totals"][:MAX_UNREADABLE_TOTALS]
    document = {
        "pipeline": "sales-cdc",
        "made_at": MADE_AT,
        "watch": None,
        "verify": VERIFY_RESULT,
        "facts": encode_facts(rows),
    }
    path.write_text(render_page({**document, **overrides}), "utf-8")
    return path


def refresh(tab: Tab) -> None:
    """Let the page reload its file, and wait until it is loaded."""
    tab.events.clear()
    tab.evaluate("refresh()")
    tab.wait_for("Page.loadEventFired")
