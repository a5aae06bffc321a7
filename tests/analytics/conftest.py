"""A lake of orders, unordered and with duplicates, and rates: for tests of views and questions."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from local.core.server import Cloud
from operations.rates.command import upload_rates
from sales.order_lifecycle import OrderChange, Plan, generate_changes
from tests.support.dashboard_model import LastImage, last_images
from tests.support.lake_fixture import (
    LakeLines,
    deliver,
    lake_with_views,
    replace_lake,
)
from tests.support.rates_model import RATES, REPORTING_CURRENCY

# The orders' dates surround the dates of their changes, so that some changes are late.
PLAN = Plan(60, 8, Fraction(1, 10), date(2026, 3, 10))


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud with the bucket, catalog and views of the setup scripts."""
    with lake_with_views() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def history(lake: Cloud) -> list[OrderChange]:
    """The changes in the lake, in order; the last one adds an attribute."""
    generated = generate_changes(PLAN)
    last = next(change for change in reversed(generated) if change.after)
    assert last.after is not None
    with_note = {**last.after, "gift_note": Decimal(7)}
    history = [*generated, OrderChange(last.order_id, last.changed_at, last.after, with_note)]
    replace_lake(deliver(history))
    upload_rates(RATES, REPORTING_CURRENCY)
    return history


@pytest.fixture(scope="module")
def lines(history: list[OrderChange]) -> LakeLines:
    """The days and the lines of the lake's rows."""
    return deliver(history)


@pytest.fixture
def use_lake(lines: LakeLines) -> Iterator[Callable[[LakeLines], None]]:
    """A function that replaces the lake's content for one test."""
    yield replace_lake
    replace_lake(lines)


@pytest.fixture(scope="module")
def images(history: list[OrderChange]) -> dict[str, LastImage]:
    """The last image of every order."""
    return last_images(history)
