"""Expectations: each finds a planted fault, and generated orders meet all of them."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import boto3
import pytest

from analytics import check
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from setup import names
from tests.support.dashboard_model import last_images
from tests.support.lake_fixture import change_time, deliver, lake_with_views, replace_lake

EXPECTATIONS = load_named_queries(check.EXPECTATION_FOLDER)
DAY = "2026-03-01"
ORDER: Order = {
    "order_id": "SO-1",
    "placed_at": f"{DAY}T08:00:00Z",
    "paid_at": f"{DAY}T09:00:00Z",
    "shipped_at": f"{DAY}T10:00:00Z",
    "delivered_at": f"{DAY}T11:00:00Z",
    "updated_at": f"{DAY}T11:00:00Z",
    "customer": {"id": "C-1"},
    "currency": "EUR",
    "subtotal": Decimal("20.00"),
    "discount": Decimal("2.00"),
    "shipping_fee": Decimal("4.95"),
    "tax": Decimal("1.05"),
    "total": Decimal("24.00"),
    "test_order": False,
    "items": [{"sku": "A", "quantity": Decimal(2), "unit_price": Decimal("10.00")}],
}
CENT = Decimal("0.01")
FREE_LINE = {"sku": "B", "quantity": Decimal(0), "unit_price": Decimal("5.00")}
FAULTS: dict[str, list[Order]] = {
    "currencies_are_known": [{"currency": "XXX"}, {"currency": None}],
    "nothing_ships_before_it_is_paid": [
        {"shipped_at": f"{DAY}T08:59:59Z"},
        {"paid_at": None},
    ],
    "quantities_are_positive": [
        {"items": [*ORDER["items"], FREE_LINE]},
        {"items": [*ORDER["items"], {**FREE_LINE, "quantity": "two"}]},
        {
            "items": [*ORDER["items"], {**FREE_LINE, "quantity": 1, "unit_price": -CENT}],
            "subtotal": 20 - CENT,
            "total": 24 - CENT,
        },
    ],
    "sold_orders_have_a_customer": [{"customer": {"name": "Ann"}}],
    "steps_are_in_order": [
        {"placed_at": f"{DAY}T09:00:01Z"},
        {"delivered_at": f"{DAY}T09:59:59Z"},
        {"returned_at": f"{DAY}T10:59:59Z"},
    ],
    "subtotal_is_the_sum_of_its_lines": [
        {"subtotal": 20 + CENT, "total": 24 + CENT},
        {"items": [*ORDER["items"], {**FREE_LINE, "quantity": 1}]},
    ],
    "total_is_the_sum_of_its_parts": [{"total": 24 + CENT}, {"discount": None}],
}


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud with the views, and an empty lake."""
    with lake_with_views() as cloud:
        yield cloud


def put_orders(*orders: Order) -> None:
    """Replace the lake's content by inserts of these orders."""
    changed_at = datetime(2026, 3, 1, tzinfo=UTC)
    replace_lake(
        deliver([OrderChange(order["order_id"], changed_at, None, order) for order in orders])
    )


def planted(fault: Order, order_id: str) -> Order:
    """Return an order with a fault; None leaves an attribute out."""
    order = {**ORDER, **fault, "order_id": order_id}
    return {name: value for name, value in order.items() if value is not None}


@pytest.mark.slow
def test_each_expectation_finds_its_planted_faults(lake: Cloud) -> None:
    assert FAULTS.keys() == EXPECTATIONS.keys()
    faults = [(name, fault) for name, orders in FAULTS.items() for fault in orders]
    put_orders(ORDER, *(planted(fault, f"SO-2{n:02}") for n, (_, fault) in enumerate(faults)))
    outcomes = {name: check.check(query) for name, query in EXPECTATIONS.items()}
    assert {name: (outcome.failure, outcome.row_count) for name, outcome in outcomes.items()} == {
        name: ("", len(orders)) for name, orders in FAULTS.items()
    }
    for name, outcome in outcomes.items():
        planted_ids = [
            f"SO-2{n:02}" for n, (planted_for, _) in enumerate(faults) if planted_for == name
        ]
        assert [row[0] for row in outcome.rows] == planted_ids


@pytest.mark.slow
def test_generated_orders_meet_all_expectations(
    lake: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    images = last_images(generate_changes(Plan(60, 8, Fraction(1, 10), date(2026, 3, 10))))
    put_orders(*(image.order for image in images.values()))
    assert check.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"met        {query.description}" for query in EXPECTATIONS.values()]


def test_the_rows_of_an_error_are_shown(lake: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    put_orders(*(planted({"currency": "XXX"}, f"SO-{number}") for number in range(7)))
    assert check.main(["currencies_are_known", "sold_orders_have_a_customer"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "error      An order is in one of the shop's currencies: edit the list here (7 rows)",
        "           order_id  currency",
        "           ────────  ────────",
        *(f"           SO-{number}      XXX" for number in range(5)),
        "           … 2 more: the query is currencies_are_known.sql",
        "met        Every sold order names its customer",
    ]
    assert check.main(["currencies_are_known", "--json"]) == 1
    (outcome,) = json.loads(capsys.readouterr().out)
    assert outcome.pop("rows") == [{"order_id": f"SO-{n}", "currency": "XXX"} for n in range(5)]
    assert outcome == {
        "name": "currencies_are_known",
        "description": EXPECTATIONS["currencies_are_known"].description,
        "severity": "error",
        "result": "error",
        "row_count": 7,
        "failure": "",
    }


def test_days_limit_a_check(lake: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    class Today(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Today":
            return cls(2026, 3, 2, 23, 59, tzinfo=UTC)

    monkeypatch.setattr(check, "datetime", Today)
    assert f"{change_time(0):%Y-%m-%d}" == "2026-03-01"
    put_orders(planted({"currency": "XXX"}, "SO-1"))
    assert check.main(["currencies_are_known", "--days", "1"]) == 0
    assert check.main(["currencies_are_known", "--days", "2"]) == 1


def test_warnings_are_no_errors_and_failures_not_known(
    lake: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_orders(planted({"customer": {"name": "Ann"}}, "SO-1"))
    assert check.main(["sold_orders_have_a_customer"]) == 0
    assert capsys.readouterr().out.startswith(
        "warning    Every sold order names its customer (1 row)"
    )
    (tmp_path / "broken.sql").write_text("-- A typing error.\nSELECT\norder_idd FROM orders\n")
    (tmp_path / "false.sql").write_text("-- Never met.\nSELECT 1\n")
    monkeypatch.setattr(check, "EXPECTATION_FOLDER", tmp_path)
    assert check.main(["--publish"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "not known  A typing error."
    assert "COLUMN_NOT_FOUND: line 3:1: Column 'order_idd'" in lines[1]
    assert lines[2] == "             3 | order_idd FROM orders"
    assert "error      Never met. (1 row)" in lines
    metrics = boto3.client("cloudwatch").get_metric_statistics(
        Namespace=names.PIPELINE,
        MetricName="UnmetExpectations",
        StartTime=datetime(2000, 1, 1, tzinfo=UTC),
        EndTime=datetime(2100, 1, 1, tzinfo=UTC),
        Period=86400,
        Statistics=["Sum"],
    )
    assert [point["Sum"] for point in metrics["Datapoints"]] == [2.0]


def test_a_severity_is_error_or_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.sql").write_text("-- Odd.\n-- severity: fatal\nSELECT 1\n")
    monkeypatch.setattr(check, "EXPECTATION_FOLDER", tmp_path)
    assert check.main([]) == 2
    expected = "odd.sql: expected -- severity: error or warning, found 'fatal'"
    assert capsys.readouterr().err == f"analytics.check: {expected}\n"


@pytest.mark.parametrize("arguments", [["unknown"], ["--days", "0"]])
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        check.main(arguments)
    assert exit_info.value.code == 2
