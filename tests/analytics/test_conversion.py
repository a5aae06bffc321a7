"""Converted revenue equals its model under odd rates, missing days and exact amounts."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import boto3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.athena import run_query
from analytics.dashboard.exchange_rates import with_used_rates
from analytics.dashboard.facts import decode_rows, encode_columns, fact_queries
from operations.rates.command import KEY, upload_rates
from operations.rates.rates_file import Rate
from sales.order_lifecycle import Order, OrderChange
from setup import names
from tests.support.dashboard_model import Rows
from tests.support.lake_fixture import deliver, replace_lake, run_named_query
from tests.support.profile import IS_THOROUGH
from tests.support.query_models import LakeHistory
from tests.support.rates_model import (
    REPORTING_CURRENCY,
    rate_of,
    revenue_in_reporting_currency,
)

pytestmark = pytest.mark.usefixtures("lake")  # Each test fills it.

QUERY = "revenue_in_reporting_currency"
FIRST_DAY = date(2026, 3, 27)  # Summer time begins two days later in Berlin.
EDGES = [
    ("USD", 0, Decimal("99999999999999.9999")),  # the largest total
    ("USD", 24, Decimal("0.01")),
    ("JPY", 0, Decimal("-0.01")),
    ("JPY", 24, Decimal("0.0001")),
]
LARGEST_RATE = Decimal("99999999.999999999999")
CURRENCIES = ["USD", "JPY", REPORTING_CURRENCY]
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(CURRENCIES),
        st.integers(0, 6 * 24),  # hours after the first day
        st.decimals(-10_000, 10_000, places=4),
    ),
    min_size=1,
    max_size=5,
)
RATES = st.dictionaries(
    st.tuples(st.sampled_from(["USD", "JPY"]), st.integers(-3, 6)),
    st.decimals(Decimal("1e-12"), 10_000, places=12),
    max_size=6,
)


def fill_lake(orders: list[tuple[str, int, Decimal]]) -> LakeHistory:
    """Replace the lake's orders: each has its currency, its hour of payment and its total."""
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    changes = []
    for number, (currency, hours, total) in enumerate(orders):
        paid_at = start + timedelta(hours=hours)
        order: Order = {
            "order_id": f"SO-{number}",
            "region": "EU",
            "currency": currency,
            "paid_at": f"{paid_at:%Y-%m-%dT%H:%M:%SZ}",
            "total": total,
            "test_order": False,
        }
        changes.append(OrderChange(order["order_id"], start, None, order))
    replace_lake(deliver(changes))
    return LakeHistory(changes, [], {})


def rows_of(history: LakeHistory, rates: list[Rate], **parameters: str) -> Rows:
    """Return the query's rows, which are those of the model."""
    selection = LakeHistory(history.changes, history.lines, parameters)
    rows = run_named_query(QUERY, **parameters)
    assert rows == revenue_in_reporting_currency(selection, rates)
    return rows


def page_rates() -> dict[tuple[str, str], Fraction | None]:
    """Return the rates that the dashboard's page has, by currency and day of payment."""
    queries = fact_queries()
    facts = {
        name: encode_columns(run_query(queries[name])) for name in ("exchange_rates", "sold_orders")
    }
    rows = decode_rows(with_used_rates(facts).get("exchange_rates", {}))
    assert {reporting for *_, reporting in rows} <= {REPORTING_CURRENCY}
    return {(currency, day): rate and Fraction(rate) for currency, day, rate, _ in rows}


def model_rates(history: LakeHistory, rates: list[Rate]) -> dict[tuple[str, str], Fraction | None]:
    """Return the rates that the page must have."""
    selection = LakeHistory(history.changes, [], {})
    return {
        (order["currency"], order["paid_at"][:10]): rate_of(order, selection, rates)
        for order in (selection.sold_orders() if rates else [])
        if order["currency"] != REPORTING_CURRENCY
    }


def day_rate(currency: str, days: int, rate: str) -> Rate:
    """Return a rate of some days after the first."""
    return Rate(FIRST_DAY + timedelta(days=days), currency, Decimal(rate))


@settings(max_examples=100 if IS_THOROUGH else 5)
@given(
    ORDERS,
    RATES,
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.integers(0, 3),
    st.sampled_from(["day", "month"]),
)
@example(EDGES, {("USD", 0): LARGEST_RATE, ("JPY", 0): Decimal("1e-12")}, "UTC", 0, "day")
@example(EDGES[1:], {("USD", 0): Decimal("0.5"), ("JPY", 0): Decimal("0.5")}, "UTC", 0, "day")
def test_revenue_is_converted_as_in_the_model(
    orders: list[tuple[str, int, Decimal]],
    rates_by_day: dict[tuple[str, int], Decimal],
    zone: str,
    rate_days: int,
    period: str,
) -> None:
    history = fill_lake(orders)
    rates = [
        Rate(FIRST_DAY + timedelta(days), currency, rate)
        for (currency, days), rate in rates_by_day.items()
    ]
    upload_rates(rates, REPORTING_CURRENCY)
    rows_of(history, rates, period=period, zone=zone, rate_days=str(rate_days))
    assert page_rates() == model_rates(history, rates)


def test_without_rates_nothing_is_converted() -> None:
    boto3.client("s3").delete_object(Bucket=names.bucket(), Key=KEY)
    rows = rows_of(fill_lake([("USD", 0, Decimal(5)), ("EUR", 0, Decimal(7))]), [])
    assert rows == [
        ("2026-03-01", "EUR", "1", "7.00", "1", None, None, None),
        ("2026-03-01", "USD", "1", "5.00", "1", None, None, None),
    ]
    assert page_rates() == {}


def test_sums_are_rounded_once() -> None:
    history = fill_lake([("USD", 24 * day, Decimal("0.01")) for day in range(3)])
    rates = [day_rate("USD", 0, "0.49")]
    upload_rates(rates, REPORTING_CURRENCY)
    ((*_, converted, _),) = rows_of(history, rates)
    assert converted == "0.01"  # 3 times 0.0049, each of which would be 0.00.


def test_the_day_of_payment_is_one_of_business() -> None:
    history = fill_lake([("USD", 48 + 22, Decimal(100))])  # 00:00 in Berlin, the day after.
    rates = [day_rate("USD", 2, "0.5"), day_rate("USD", 3, "0.25")]
    upload_rates(rates, REPORTING_CURRENCY)
    assert rows_of(history, rates)[0][6] == "50.00"
    assert rows_of(history, rates, zone="Europe/Berlin")[0][6] == "25.00"


def test_a_rate_is_used_for_as_many_days() -> None:
    history = fill_lake([("USD", 24 * day, Decimal(50)) for day in (0, 3, 11, 12)])
    rates = [day_rate("USD", 0, "0.5"), day_rate("USD", 4, "0.25")]
    upload_rates(rates, REPORTING_CURRENCY)
    assert rows_of(history, rates, rate_days="3")[0][4:7] == ("0", "EUR", "50.00")
    assert rows_of(history, rates, rate_days="2")[0][4:7] == ("1", "EUR", None)
    assert page_rates() == model_rates(history, rates)
    *_, seven_days_later, eight_days_later = page_rates().values()
    assert (seven_days_later, eight_days_later) == (Fraction(1, 4), None)


@pytest.mark.parametrize(
    "changes", [{"rate": "0.6"}, {"reporting_currency": "GBP"}], ids=["rate", "currency"]
)
def test_rates_that_disagree_convert_nothing(changes: dict[str, str]) -> None:
    fill_lake([("USD", 0, Decimal(100))])
    upload_rates([day_rate("USD", 0, "0.5")], REPORTING_CURRENCY)
    line = {"day": f"{FIRST_DAY}", "currency": "USD", "rate": "0.5", "reporting_currency": "EUR"}
    s3 = boto3.client("s3")
    key = f"{names.RATES}another.json"
    s3.put_object(Bucket=names.bucket(), Key=key, Body=json.dumps(line | changes).encode())
    ((*_, revenue, without_rate, _, converted, _),) = run_named_query(QUERY)
    known_rates = page_rates().values()
    s3.delete_object(Bucket=names.bucket(), Key=key)
    assert (revenue, without_rate, converted) == ("100.00", "1", None)
    assert set(known_rates) <= {None}
