"""Named queries, compared with models on an unordered lake with duplicates."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.athena import QueryFailed
from analytics.named_queries import load_named_queries
from sales.order_lifecycle import Order, OrderChange
from tests.support.customer_models import CUSTOMER_MODELS, orders_at_risk, revenue_by_period
from tests.support.dashboard_model import image_of
from tests.support.hostile_orders import inserts
from tests.support.lake_fixture import (
    LakeLines,
    change_time,
    deliver,
    lake_line,
    query_rows,
    run_named_query,
)
from tests.support.profile import sampled
from tests.support.query_models import QUERY_MODELS, LakeHistory, group_by
from tests.support.rates_model import revenue_in_reporting_currency
from transform import column_name

RATE_MODELS = {"revenue_in_reporting_currency": revenue_in_reporting_currency}
MODELS = QUERY_MODELS | CUSTOMER_MODELS | RATE_MODELS
NARROW_PARAMETERS = {
    "day_from": "2026-02-20",
    "day_to": "2026-03-02",
    "region": "U%",
    "zone": "America/New_York",
    "period": "week",
    "week_start": "7",
}

# Tests of their own have examples for these.
EMPTY_ON_GENERATED_ORDERS = {"orders_at_risk", "shared_columns", "unfit_values"}


@pytest.mark.parametrize(
    ("name", "is_narrow"),
    [(name, False) for name in MODELS] + [(name, True) for name in sampled(MODELS, step=6)],
)
def test_a_query_and_its_model_agree(
    name: str, is_narrow: bool, history: list[OrderChange], lines: LakeLines
) -> None:
    parameters = parameters_for(name, is_narrow, history)
    expected = MODELS[name](LakeHistory(history, lines, parameters))
    assert run_named_query(name, **parameters) == expected
    assert expected or is_narrow or name in EMPTY_ON_GENERATED_ORDERS


def parameters_for(name: str, is_narrow: bool, history: list[OrderChange]) -> dict[str, str]:
    """Return the required parameters of a query, with a narrow selection if asked for."""
    parameters = {"order_id": history[-2 if is_narrow else -1].order_id}
    if is_narrow:
        middle = change_time(len(history) // 2)
        parameters |= {**NARROW_PARAMETERS, "moment": f"{middle:%Y-%m-%d %H:%M:%S}"}
    known = load_named_queries()[name].parameters
    return {key: value for key, value in parameters.items() if key in known}


def test_every_query_has_a_model() -> None:
    assert MODELS.keys() == load_named_queries().keys()


def test_a_parameter_cannot_inject_sql(history: list[OrderChange]) -> None:
    assert run_named_query("revenue_by_day", region="' OR '' = '") == []


@pytest.mark.parametrize(
    "name",
    sampled(
        (name for name, query in load_named_queries().items() if "day_from" in query.parameters),
        step=12,
    ),
)
@pytest.mark.parametrize("parameter", ["day_from", "day_to"])
def test_an_invalid_date_is_rejected(history: list[OrderChange], name: str, parameter: str) -> None:
    with pytest.raises(QueryFailed, match="20261101"):
        run_named_query(name, **{parameter: "20261101"})


def test_an_average_is_rounded_once(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    order = {**image_of(history[0]), "paid_at": "2026-03-01T00:00:00Z", "test_order": False}
    totals = [Decimal("1.01")] * 50 + [Decimal("1.00")] * 51  # Their mean is 1.00495…
    orders = [{**order, "order_id": f"SO-{n}", "total": total} for n, total in enumerate(totals)]
    use_lake(deliver(inserts(orders, history[0])))
    ((*_, average, smallest, largest),) = run_named_query("average_order_value")
    assert (average, smallest, largest) == ("1.00", "1.00", "1.01")


@pytest.mark.parametrize(
    ("paid_at", "day"),
    [  # The night in which summer time begins has 23 hours, the one in which it ends 25.
        ("2026-03-28T22:59:59Z", "2026-03-28"),
        ("2026-03-28T23:00:00Z", "2026-03-29"),
        ("2026-03-29T21:59:59Z", "2026-03-29"),
        ("2026-03-29T22:00:00Z", "2026-03-30"),
        ("2026-10-24T21:59:59Z", "2026-10-24"),
        ("2026-10-24T22:00:00Z", "2026-10-25"),
        ("2026-10-25T22:59:59Z", "2026-10-25"),
        ("2026-10-25T23:00:00Z", "2026-10-26"),
    ],
)
def test_a_day_of_business_follows_summer_time(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None], paid_at: str, day: str
) -> None:
    order = {**unshipped_order(history), "order_id": "SO-1", "paid_at": paid_at}
    use_lake(deliver(inserts([order], history[0])))
    ((actual_day, *_),) = run_named_query("revenue_by_day", zone="Europe/Berlin")
    assert actual_day == day


@pytest.mark.parametrize("period", sampled(["week", "day", "year", "month", "quarter"], step=2))
def test_periods_begin_where_the_business_says(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None], period: str
) -> None:
    template = {**unshipped_order(history), "currency": "EUR"}
    days = [date(2026, 1, 31) + timedelta(days=13 * number) for number in range(40)]
    orders = [
        {**template, "order_id": f"SO-{n}", "paid_at": f"{day}T12:00:00Z", "total": Decimal(n)}
        for n, day in enumerate(days, 1)
    ]
    changes = inserts(orders, history[0])
    use_lake(deliver(changes))
    parameters = {"period": period, "week_start": "3", "fiscal_year_start": "4"}
    expected = revenue_by_period(LakeHistory(changes, [], parameters))
    assert run_named_query("revenue_by_period", **parameters) == expected


def test_orders_that_wait_for_days_are_listed(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    template = {**unshipped_order(history), "status": "paid"}
    three_days = f"{change_time(9) - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    late = f"{change_time(9) - timedelta(days=3, seconds=-1):%Y-%m-%dT%H:%M:%SZ}"
    orders: list[Order] = [
        {**template, "order_id": "SO-0", "paid_at": three_days},
        {**template, "order_id": "SO-1", "paid_at": late},
        {**template, "order_id": "SO-2", "paid_at": three_days, "shipped_at": three_days},
        {**template, "order_id": "SO-3", "paid_at": three_days, "cancelled_at": three_days},
        {**template, "order_id": "SO-4", "paid_at": three_days, "test_order": True},
        {**template, "order_id": "SO-5", "paid_at": three_days},
        {**template, "order_id": "SO-6", "paid_at": "2026-02-01T00:00:00Z"},
        {**template, "order_id": "SO-7", "placed_at": three_days},
    ]
    changed_at = history[0].changed_at
    removed = OrderChange("SO-5", changed_at, orders[5], None)
    newest = OrderChange("SO-7", changed_at, orders[7], orders[7])
    changes = [*inserts(orders, history[0]), removed, newest]
    assert len(changes) == 10
    use_lake(deliver(changes))
    rows = run_named_query("orders_at_risk")
    assert [(row[0], row[3]) for row in rows] == [("SO-6", "28"), ("SO-0", "3")]
    for parameters in ({}, {"days": "2"}, {"region": "x%"}):
        expected = orders_at_risk(LakeHistory(changes, [], parameters))
        assert run_named_query("orders_at_risk", **parameters) == expected


def unshipped_order(history: list[OrderChange]) -> Order:
    """Return an order that nothing has happened to."""
    order = image_of(history[0])
    return {name: value for name, value in order.items() if not name.endswith("_at")} | {
        "updated_at": "2026-02-01T00:00:00Z",
        "test_order": False,
    }


def test_customers_without_a_second_order(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    paid = {**unshipped_order(history), "paid_at": "2026-02-01T00:00:00Z", "region": "EU"}
    use_lake(deliver(inserts([{**paid, "order_id": "SO-1"}], history[0])))
    assert run_named_query("time_to_second_order") == [("EU", "1", "0", "0.0", None, None)]
    second = {**paid, "order_id": "SO-0", "paid_at": "2026-02-02T12:00:00Z", "region": "US"}
    use_lake(deliver(inserts([{**paid, "order_id": "SO-1"}, second], history[0])))
    assert run_named_query("time_to_second_order") == [("EU", "1", "1", "100.0", "1.50", "1.50")]


def test_unfit_values_are_listed(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    assert run_named_query("unfit_values") == []
    unfit = {
        "total": Decimal("1.23456"),
        "subtotal": Decimal("123456789012345"),
        "tax": "free",
        "discount": "1.5\n",
        "paid_at": "yesterday",
        "test_order": "maybe",
        "expires_at": Decimal("1764115200000000"),
        "items": [{"sku": "x", "quantity": Decimal("0.0001"), "unit_price": "two"}],
    }
    order = {**image_of(history[0]), **unfit}
    use_lake([lake_line(OrderChange("SO-1", history[0].changed_at, None, order), 0)])
    assert {(row[1], row[2]) for row in run_named_query("unfit_values")} == {
        ("total", "1.23456"),
        ("subtotal", "123456789012345"),
        ("tax", "free"),
        ("discount", "1.5\n"),
        ("paid_at", "yesterday"),
        ("test_order", "maybe"),
        ("expires_at", "1764115200000000"),
        ("items.quantity", "0.0001"),
        ("items.unit_price", "two"),
    }
    columns = "total, subtotal, tax, discount, paid_at, test_order, expires_at"
    assert query_rows(f"SELECT {columns} FROM orders") == [("1.2346", *[None] * 6)]


SPELLINGS: list[dict[str, Any]] = [
    {"orderId": "1", "customer": {"postalCode": "1", "Deep": {"a b": "1", "É": "1"}, "x": {}}},
    {"orderid": "1", "Customer": {"postalcode": "1", "deep": {"a b": "1", "é": "1"}, "X": "1"}},
    {"dt": "1", "DT": "1", "cdc_Key": "1", "CDC_key": "1", "x" * 256: "1", "X" * 256: "1"},
    {"a__b": "1", "A": {"b": "1"}, "a": {"B": {"c": "1"}}, "ORDERID": ["1"]},
    {"Visits": {f"u{number}": "1" for number in range(101)}, "visits": {"u1": "1"}, "VISITS": "1"},
]


def test_columns_that_attributes_share_are_listed(use_lake: Callable[[LakeLines], None]) -> None:
    changed_at = datetime(2026, 3, 10, tzinfo=UTC)
    changes = [OrderChange(f"SO-{n}", changed_at, None, order) for n, order in enumerate(SPELLINGS)]
    use_lake([lake_line(change, number) for number, change in enumerate(changes)])
    paths = {path for order in SPELLINGS for path in column_paths(order)}
    by_column = group_by(sorted(paths), column_name)
    rows = run_named_query("shared_columns")
    assert ("orderid", "3", "ORDERID, orderId, orderid") in rows
    assert sorted(str(attributes) for _, _, attributes in rows) == sorted(
        ", ".join(map(".".join, group)) for group in by_column.values() if len(group) > 1
    )


def column_paths(members: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each column of an item."""
    for name, value in members.items():
        if isinstance(value, dict) and 0 < len(value) <= 100:
            yield from column_paths(value, (*path, name))
        else:
            yield (*path, name)
