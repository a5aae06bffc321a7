"""Unfit values: every view and query still works, and no valid value is lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from analytics.athena import literal
from analytics.named_queries import load_named_queries
from analytics.propose.view import AMOUNT_PATTERN, NUMBER_SQL, TIME_PATTERN, TIME_SQL
from local.core.server import Cloud
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from setup.names import VIEWS
from tests.support.dashboard_model import image_of
from tests.support.lake_fixture import (
    deliver,
    lake_with_views,
    query_rows,
    replace_lake,
    run_named_query,
)
from tests.support.paths import PROJECT
from tests.support.profile import sampled

TYPED_COLUMNS = (
    "placed_at",
    "paid_at",
    "payment_failed_at",
    "shipped_at",
    "delivered_at",
    "cancelled_at",
    "returned_at",
    "updated_at",
    "subtotal",
    "discount",
    "shipping_fee",
    "tax",
    "total",
    "test_order",
    "expires_at",
)
UNFIT_TEXTS = ("2026-11-22 10:00:00", "yesterday", "", "12,50", "NaN", "{}")
UNFIT_INTERVAL = 3  # Every third order has one unfit value.


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud whose lake holds a few hundred orders, a third of them with an unfit value."""
    with lake_with_views() as cloud:
        plan = Plan(300, 5, Fraction(0), date(2026, 3, 10))
        inserts = [change for change in generate_changes(plan) if change.before is None]
        changes = [with_unfit_value(index, change) for index, change in enumerate(inserts)]
        replace_lake(deliver(changes))
        yield cloud


def unfit_column(index: int) -> str | None:
    """Return which column of an order is made unfit, if any."""
    round_number, remainder = divmod(index, UNFIT_INTERVAL)
    return None if remainder else TYPED_COLUMNS[round_number % len(TYPED_COLUMNS)]


def with_unfit_value(index: int, change: OrderChange) -> OrderChange:
    column = unfit_column(index)
    if column is None:
        return change
    text_number = index // UNFIT_INTERVAL // len(TYPED_COLUMNS)
    text = UNFIT_TEXTS[text_number % len(UNFIT_TEXTS)]
    order: Order = {**image_of(change), column: text}
    return replace(change, after=order)


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_can_be_read(lake: Cloud, view: str) -> None:
    orders = {row[0] for row in query_rows(f"SELECT order_id, * FROM {view}")}
    assert len(orders) == 300


@pytest.mark.parametrize("name", sampled(sorted(load_named_queries()), step=5))
def test_every_query_succeeds(lake: Cloud, name: str) -> None:
    required: dict[str, dict[str, str]] = {
        "order_history": {"order_id": "SO-1"},
        "orders_as_of": {"moment": "2026-03-05 00:00:00"},
    }
    assert isinstance(run_named_query(name, **required.get(name, {})), list)


def test_valid_values_are_kept(lake: Cloud) -> None:
    rows = query_rows("SELECT order_id, placed_at, total FROM orders")
    unfit_times = sum(placed_at is None for _, placed_at, _ in rows)
    unfit_totals = sum(total is None for _, _, total in rows)
    expected = [unfit_column(index) for index in range(300)]
    assert (unfit_times, unfit_totals) == (expected.count("placed_at"), expected.count("total"))


FIT_TIMES = (
    "2026-11-22",
    "2026-11-22T10:00Z",
    "2026-11-22T10:00:00.5+01:00",
    "2026-11-22T10:00:00",
)
UNFIT_TIMES = (
    "2026",
    "5.",
    "-1",
    "2026-W48-1",
    "2026-11-22 10:00",
    "\uff12026-11-22",
    "2026-02-30",
)
FIT_AMOUNTS = ("19.99", "-5", "+.5", "5.", "1e3", "1E-2")
UNFIT_AMOUNTS = ("\uff12\uff10", "\u0661", " 1", "1_0", ".", "1.2.3", "0x1", "1e", "NaN")


@pytest.mark.parametrize(
    ("form", "pattern", "fit", "unfit"),
    [
        (TIME_SQL, TIME_PATTERN, FIT_TIMES, UNFIT_TIMES),
        (NUMBER_SQL, AMOUNT_PATTERN, FIT_AMOUNTS, UNFIT_AMOUNTS),
    ],
)
def test_only_fit_texts_have_values(
    lake: Cloud, form: str, pattern: str, fit: tuple[str, ...], unfit: tuple[str, ...]
) -> None:
    texts = ", ".join(map(literal, (*fit, *unfit)))
    value = form.format("x", pattern, "decimal(18, 4)")
    rows = query_rows(f"SELECT x FROM (VALUES {texts}) AS t(x) WHERE {value} IS NOT NULL")
    assert sorted(row[0] or "" for row in rows) == sorted(fit)


def test_views_and_proposals_share_patterns() -> None:
    views = (PROJECT / "analytics" / "views" / "order_rows.sql").read_text("utf-8")
    query = load_named_queries()["unfit_values"].sql
    assert TIME_PATTERN in views
    assert AMOUNT_PATTERN in views
    assert TIME_PATTERN in query
