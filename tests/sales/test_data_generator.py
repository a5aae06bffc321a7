"""Generated orders: consistent histories, exact to the cent, and a writer that loses no change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from itertools import pairwise
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given, settings
from hypothesis import strategies as st

import data_generator
from data_generator import BATCH_LIMIT, batches
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.dynamodb.service import DynamoDb
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from setup.names import TABLE
from tests.support.laptop_cloud import laptop
from tests.support.paths import PROJECT
from tests.support.setup_fixture import clear_location

DEFAULT_PLAN = Plan(orders=400, seed=1, removals=Fraction("0.04"), until=date(2026, 11, 23))
STATUSES = {"paid", "payment_failed", "shipped", "delivered", "cancelled", "returned"}


@pytest.fixture(scope="module")
def changes() -> list[OrderChange]:
    """The changes of a default run."""
    return generate_changes(DEFAULT_PLAN)


def histories_by_order(changes: list[OrderChange]) -> dict[str, list[OrderChange]]:
    """Return the history of each order."""
    histories = defaultdict(list)
    for change in changes:
        histories[change.order_id].append(change)
    return histories


def leaves(value: object) -> Iterator[object]:
    """Yield the scalars in a value, at any depth."""
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for element in value:
            yield from leaves(element)
    else:
        yield value


def test_default_run_inserts_updates_and_deletes(changes: list[OrderChange]) -> None:
    counts = Counter(change.operation for change in changes)
    assert counts["INSERT"] == 400
    assert counts["REMOVE"] == 16
    assert counts.total() >= 1600  # so that 2500 orders have at least 10,000 changes


@settings(max_examples=8)
@given(
    st.integers(0, 30),
    st.integers(0, 10**9),
    st.fractions(0, 1, max_denominator=50),
    st.dates(date(1971, 1, 1), date(2999, 12, 31)),
)
def test_same_plan_gives_same_orders(
    orders: int, seed: int, removals: Fraction, until: date
) -> None:
    plan = Plan(orders, seed, removals, until)
    changes = generate_changes(plan)
    assert changes == generate_changes(plan)
    assert sum(change.after is None for change in changes) == int(orders * removals)
    histories = histories_by_order(changes)
    assert len(histories) == orders
    # Fewer orders are the first of more orders.
    first_half = histories_by_order(generate_changes(replace(plan, orders=orders // 2)))
    assert all(histories[key] == history for key, history in first_half.items())


@pytest.mark.slow
def test_every_process_generates_the_same_orders() -> None:
    script = """
from datetime import date
from fractions import Fraction
from sales.order_lifecycle import Plan, generate_changes
plan = Plan(150, 3, Fraction(0), date(2026, 11, 23))
print(repr([change.after for change in generate_changes(plan)]))
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_another_seed_gives_other_orders(changes: list[OrderChange]) -> None:
    other_changes = generate_changes(replace(DEFAULT_PLAN, seed=2))
    keys = {change.order_id for change in changes}
    assert not keys & {change.order_id for change in other_changes}


def test_history_is_a_chain_of_differing_images(changes: list[OrderChange]) -> None:
    for history in histories_by_order(changes).values():
        assert history[0].before is None
        assert all(first.after is second.before for first, second in pairwise(history))
        assert all(change.before != change.after for change in history)
        assert all(first.changed_at <= second.changed_at for first, second in pairwise(history))
        assert all(change.after is not None for change in history[:-1])


def test_only_test_orders_are_purged(changes: list[OrderChange]) -> None:
    for history in histories_by_order(changes).values():
        assert history[0].after is not None
        assert history[0].after["test_order"] is (history[-1].after is None)


def test_amounts_add_up_to_the_cent(changes: list[OrderChange]) -> None:
    for order in (change.after for change in changes if change.after):
        lines = [line["quantity"] * line["unit_price"] for line in order["items"]]
        assert order["subtotal"] == sum(lines)
        charges = order["shipping_fee"] + order["tax"] - order["discount"]
        assert order["total"] == order["subtotal"] + charges > 0
        cent = Decimal(1) if order["currency"] == "JPY" else Decimal("0.01")
        for name in ("subtotal", "discount", "shipping_fee", "tax", "total"):
            assert order[name] % cent == 0
        assert not any(isinstance(leaf, float) for leaf in leaves(order))


def test_times_match_statuses_and_precede_the_end(changes: list[OrderChange]) -> None:
    end = datetime.combine(DEFAULT_PLAN.until, datetime.min.time(), UTC)
    for change in changes:
        if change.after is None:
            assert change.changed_at <= end
            continue
        order = change.after
        assert order["updated_at"] == change.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert change.changed_at < end
        assert order["status"] in STATUSES | {"placed"}
        assert f"{order['status']}_at" in order
        assert order["expires_at"] > end.timestamp()


def last_image(history: list[OrderChange]) -> Order:
    """Return the last image of an order; before it was deleted, if it was."""
    image = history[-1].after or history[-1].before
    assert image is not None
    return image


def test_attributes_and_customers_vary(changes: list[OrderChange]) -> None:
    orders = [last_image(history) for history in histories_by_order(changes).values()]
    assert {order["status"] for order in orders} >= STATUSES - {"payment_failed"}
    assert {order["currency"] for order in orders} == {"USD", "EUR", "GBP", "JPY"}
    for optional in ("coupon", "carrier", "tracking_number", "gift_note"):
        assert 0 < sum(optional in order for order in orders) < len(orders)
    customers = Counter(order["customer"]["id"] for order in orders)
    assert customers.most_common(1)[0][1] > 1
    assert any(
        change.before["customer"] != change.after["customer"]
        for change in changes
        if change.before and change.after
    )


@given(st.lists(st.integers(0, 40)), st.integers(1, BATCH_LIMIT))
def test_batches_have_distinct_orders_in_sequence(keys: list[int], size: int) -> None:
    changed_at = datetime(2026, 11, 23, tzinfo=UTC)
    changes = [
        OrderChange(str(key), changed_at, None, {"n": number}) for number, key in enumerate(keys)
    ]
    groups = list(batches(changes, size))
    rejoined = [change for batch in groups for change in batch]
    assert histories_by_order(rejoined) == histories_by_order(changes)
    for batch in groups:
        assert 0 < len(batch) == len({change.order_id for change in batch}) <= size


class ThrottledDynamoDb(Service):
    """DynamoDB short of capacity: every third batch is throttled, of the others one item passes."""

    credential_scopes = ("dynamodb",)
    batch_count = 0

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Throttle BatchWriteItem, and leave every other operation to the next service."""
        if request.operation != "BatchWriteItem":
            return None
        self.batch_count += 1
        if self.batch_count % 3 == 0:
            raise AwsError("ProvisionedThroughputExceededException", "too fast")
        ((table, requests),) = request.params["RequestItems"].items()
        writes = {"RequestItems": {table: requests[:1]}}
        self.cloud.service(DynamoDb).handle(replace(request, body=json_response(writes).body))
        unprocessed = {table: requests[1:]} if requests[1:] else {}
        return json_response({"UnprocessedItems": unprocessed})


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud with the table that the setup script creates."""
    with laptop(DynamoDb) as cloud:
        clear_location()
        import_module("setup.01_dynamodb").create()
        yield cloud


@pytest.fixture
def throttled_cloud() -> Iterator[Cloud]:
    """The same, short of write capacity."""
    with laptop(ThrottledDynamoDb, DynamoDb) as cloud:
        clear_location()
        import_module("setup.01_dynamodb").create()
        yield cloud


RunGenerator = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_generator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunGenerator:
    """A function that runs the generator in this process: its status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["data_generator.py", *arguments])
        return (data_generator.main(), *capsys.readouterr())

    return run


def items_by_key() -> dict[str, Order]:
    """Return the items of the table by key."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    deserialize = TypeDeserializer().deserialize
    items: list[dict[str, Any]] = [
        deserialize({"M": item}) for page in pages for item in page["Items"]
    ]
    return {item["order_id"]: item for item in items}


def images_after(changes: list[OrderChange]) -> dict[str, Order]:
    """Return the items of a table after these changes."""
    last_changes = {change.order_id: change for change in changes}
    return {key: change.after for key, change in last_changes.items() if change.after is not None}


ARGUMENTS = ("--orders", "40", "--seed", "7", "--until", "2026-11-23", "--removals", "1/8")
PLAN = Plan(40, 7, Fraction(1, 8), date(2026, 11, 23))


def test_table_equals_the_last_images(cloud: Cloud, run_generator: RunGenerator) -> None:
    changes = generate_changes(PLAN)
    for _ in range(2):  # The second run writes the same keys, and ends with the same items.
        status, output, error = run_generator(*ARGUMENTS)
        assert (status, error) == (0, "")
        numbers = Counter(change.operation for change in changes)
        counts = ", ".join(f"{numbers[name]} {name}" for name in ("INSERT", "MODIFY", "REMOVE"))
        assert output == f"{len(changes)} changes written to table {TABLE}: {counts}\n"
        assert items_by_key() == images_after(changes)


@pytest.mark.slow
def test_throttled_changes_are_retried(
    throttled_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, run_generator: RunGenerator
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # boto3 would retry too, only more slowly.
    monkeypatch.setattr(data_generator, "LONGEST_PAUSE", 0.001)
    status, output, _ = run_generator(*ARGUMENTS, "--orders", "12")
    assert status == 0
    changes = generate_changes(replace(PLAN, orders=12))
    assert output.startswith(f"{len(changes)} changes written")
    assert items_by_key() == images_after(changes)


def test_retries_end_with_the_written_counts(
    throttled_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, run_generator: RunGenerator
) -> None:
    monkeypatch.setattr(data_generator, "RETRY_SECONDS", 0.0)
    status, _, message = run_generator(*ARGUMENTS)
    assert status == 1
    error, counts = message.splitlines()
    assert error.startswith(f"table {TABLE} is throttling: it rejected writes for 0 s; ")
    assert counts.startswith(f"written before the error: 1 change written to table {TABLE}: ")


@pytest.mark.slow
def test_interrupted_run_prints_its_counts(cloud: Cloud) -> None:
    command = [sys.executable, "data_generator.py", *ARGUMENTS, "--rate", "20"]
    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    while len(items_by_key()) <= 20:  # A second batch has begun, so the first was counted.
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 130
    assert message.startswith("interrupted: ")
    assert int(message.split()[1]) >= 20


@pytest.mark.slow
def test_rate_limits_the_writer(cloud: Cloud, run_generator: RunGenerator) -> None:
    started_at = time.monotonic()
    _, output, _ = run_generator("--orders", "6", "--rate", "40", "--until", "2026-11-23")
    change_count = int(output.split()[0])
    assert time.monotonic() - started_at >= change_count / 40


def test_missing_table_names_its_script(run_generator: RunGenerator) -> None:
    with laptop(DynamoDb):
        advice = f"table {TABLE} is missing: run python setup/01_dynamodb.py\n"
        assert run_generator("--orders", "3") == (1, "", advice)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--orders", "-1"),
        ("--orders", "two"),
        ("--orders", "٣"),
        ("--seed", "-1"),
        ("--rate", "0"),
        ("--rate", "-2"),
        ("--rate", "nan"),
        ("--rate", "inf"),
        ("--rate", "1e-300"),
        ("--removals", "1.01"),
        ("--removals", "-0.1"),
        ("--removals", "x"),
        ("--until", "soon"),
        ("--until", "0001-01-01"),
        ("--until", "9999-12-31"),
    ],
)
def test_invalid_arguments_are_rejected(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["data_generator.py", option, value])
    with pytest.raises(SystemExit) as exit_info:
        data_generator.main()
    assert exit_info.value.code == 2
    assert f"found {value!r}" in capsys.readouterr().err
