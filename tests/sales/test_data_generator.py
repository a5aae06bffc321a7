"""The generated orders: lives that make sense, to the cent, and a writer that loses none."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timezone
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
from sales.order_lifecycle import OrderChange, Plan, generate_changes
from setup.names import TABLE
from tests.support.laptop_cloud import laptop
from tests.support.paths import PROJECT
from tests.support.setup_fixture import clear_location

DEFAULT = Plan(orders=400, seed=1, removals=Fraction("0.04"), until=date(2026, 11, 23))
STATUSES = {"paid", "payment_failed", "shipped", "delivered", "cancelled", "returned"}


@pytest.fixture(scope="module")
def made() -> list[OrderChange]:
    """The changes of a default run."""
    return generate_changes(DEFAULT)


def by_order(made: list[OrderChange]) -> dict[str, list[OrderChange]]:
    """Return the life of each order."""
    lives = defaultdict(list)
    for change in made:
        lives[change.order_id].append(change)
    return lives


def leaves(value: Any) -> Iterator[Any]:
    """Yield what a value holds, however deep."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def test_a_default_run_has_orders_and_changes_of_all_three_kinds(made: list[OrderChange]) -> None:
    counts = Counter(change.operation for change in made)
    assert counts["INSERT"] == 400
    assert counts["REMOVE"] == 16
    assert sum(counts.values()) >= 1200
    assert len(generate_changes(replace(DEFAULT, orders=2500))) >= 10_000


@settings(max_examples=8)
@given(
    st.integers(0, 30),
    st.integers(0, 10**9),
    st.fractions(0, 1, max_denominator=50),
    st.dates(date(1971, 1, 1), date(2999, 12, 31)),
)
def test_the_same_plan_gives_the_same_orders_and_fewer_orders_are_the_first_of_more(
    orders: int, seed: int, removals: Fraction, until: date
) -> None:
    plan = Plan(orders, seed, removals, until)
    made = generate_changes(plan)
    assert made == generate_changes(plan)
    assert sum(change.after is None for change in made) == int(orders * removals)
    fewer = by_order(generate_changes(replace(plan, orders=orders // 2)))
    lives = by_order(made)
    assert len(lives) == orders
    assert all(lives[key] == life for key, life in fewer.items())


def test_the_same_plan_gives_the_same_orders_in_every_process() -> None:
    told = """
from datetime import date
from fractions import Fraction
from sales.order_lifecycle import Plan, generate_changes
plan = Plan(150, 3, Fraction(0), date(2026, 11, 23))
print(repr([change.after for change in generate_changes(plan)]))
"""
    texts = {
        subprocess.run(
            [sys.executable, "-c", told],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            check=True,
        ).stdout
        for hashing in ("1", "2")
    }
    assert len(texts) == 1


def test_another_seed_gives_other_orders(made: list[OrderChange]) -> None:
    others = by_order(generate_changes(replace(DEFAULT, seed=2)))
    assert not by_order(made).keys() & others.keys()


def test_every_life_is_a_chain_of_images_that_differ(made: list[OrderChange]) -> None:
    for life in by_order(made).values():
        assert life[0].before is None
        assert all(one.after is two.before for one, two in pairwise(life))
        assert all(change.before != change.after for change in life)
        assert all(one.changed_at <= two.changed_at for one, two in pairwise(life))
        assert all(change.after is not None for change in life[:-1])


def test_only_test_orders_are_purged(made: list[OrderChange]) -> None:
    for life in by_order(made).values():
        assert life[0].after["test_order"] is (life[-1].after is None)


def test_money_adds_up_to_the_cent_and_is_never_a_float(made: list[OrderChange]) -> None:
    for order in (change.after for change in made if change.after):
        lines = [line["quantity"] * line["unit_price"] for line in order["items"]]
        assert order["subtotal"] == sum(lines)
        charged = order["shipping_fee"] + order["tax"] - order["discount"]
        assert order["total"] == order["subtotal"] + charged > 0
        smallest = Decimal(1) if order["currency"] == "JPY" else Decimal("0.01")
        for name in ("subtotal", "discount", "shipping_fee", "tax", "total"):
            assert order[name] % smallest == 0
        assert not any(isinstance(leaf, float) for leaf in leaves(order))


def test_times_tell_what_has_happened_and_nothing_after_the_day(made: list[OrderChange]) -> None:
    end = datetime.combine(DEFAULT.until, datetime.min.time(), timezone.utc)
    for change in made:
        if change.after is None:
            assert change.changed_at <= end
            continue
        order, stamp = change.after, change.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert order["updated_at"] == stamp
        assert change.changed_at < end
        assert order["status"] in STATUSES | {"placed"}
        assert f"{order['status']}_at" in order
        assert order["expires_at"] > end.timestamp()


def test_attributes_and_people_vary_as_they_do_in_a_shop(made: list[OrderChange]) -> None:
    last = [life[-1].before or life[-1].after for life in by_order(made).values()]
    assert {order["status"] for order in last} >= STATUSES - {"payment_failed"}
    assert {order["currency"] for order in last} == {"USD", "EUR", "GBP", "JPY"}
    for optional in ("coupon", "carrier", "tracking_number", "gift_note"):
        assert 0 < sum(optional in order for order in last) < len(last)
    customers = Counter(order["customer"]["id"] for order in last)
    assert customers.most_common(1)[0][1] > 1
    corrected = [
        change
        for change in made
        if change.before and change.after and change.before["customer"] != change.after["customer"]
    ]
    assert corrected


@given(st.lists(st.integers(0, 40)), st.integers(1, BATCH_LIMIT))
def test_batches_hold_each_order_once_and_keep_its_changes_in_order(
    keys: list[int], size: int
) -> None:
    at = datetime(2026, 11, 23, tzinfo=timezone.utc)
    made = [OrderChange(str(key), at, None, {"n": number}) for number, key in enumerate(keys)]
    made_batches = list(batches(made, size))
    written = [change for batch in made_batches for change in batch]
    assert by_order(written) == by_order(made)
    for batch in made_batches:
        assert 0 < len(batch) == len({change.order_id for change in batch}) <= size


class Reluctant(Service):
    """A table that throttles every third batch, and takes one item of each other."""

    credential_scopes = ("dynamodb",)
    calls = 0

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return DynamoDB's answer when it is short of capacity."""
        if request.operation != "BatchWriteItem":
            return None
        self.calls += 1
        if self.calls % 3 == 0:
            raise AwsError("ProvisionedThroughputExceededException", "too fast")
        ((table, requests),) = request.params["RequestItems"].items()
        writes = {"RequestItems": {table: requests[:1]}}
        self.cloud.forward_to_moto(request, json_response(writes).body)
        left = {table: requests[1:]} if requests[1:] else {}
        return json_response({"UnprocessedItems": left})


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud with a table, made by the setup script."""
    with laptop(DynamoDb) as cloud:
        clear_location()
        import_module("setup.01_dynamodb").create()
        yield cloud


@pytest.fixture
def reluctant() -> Iterator[Cloud]:
    """The same, of little capacity."""
    with laptop(Reluctant, DynamoDb) as cloud:
        clear_location()
        import_module("setup.01_dynamodb").create()
        yield cloud


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator as a user does."""
    command = [sys.executable, "data_generator.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)


def table() -> dict[str, dict[str, Any]]:
    """Return the items of the table by key."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    value = TypeDeserializer().deserialize
    items = [value({"M": item}) for page in pages for item in page["Items"]]
    return {item["order_id"]: item for item in items}


def last_images(made: list[OrderChange]) -> dict[str, dict[str, Any]]:
    """Return what a table holds once all of it has happened."""
    lives = by_order(made).items()
    return {key: life[-1].after for key, life in lives if life[-1].after is not None}


ARGUMENTS = ("--orders", "40", "--seed", "7", "--until", "2026-11-23", "--removals", "1/8")
PLAN = Plan(40, 7, Fraction(1, 8), date(2026, 11, 23))


def test_the_table_ends_as_the_lives_end_and_the_counts_are_true(cloud: Cloud) -> None:
    made = generate_changes(PLAN)
    for _ in range(2):  # Again: the same keys, the same end.
        done = generate(*ARGUMENTS)
        assert (done.returncode, done.stderr) == (0, "")
        counts = Counter(change.operation for change in made)
        told = ", ".join(f"{counts[name]} {name}" for name in ("INSERT", "MODIFY", "REMOVE"))
        assert done.stdout == f"{len(made)} changes written to table {TABLE}: {told}\n"
        assert table() == last_images(made)


def test_a_table_that_throttles_gets_every_change_in_the_end(
    reluctant: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # boto3's own retries are slow, and enough alone.
    monkeypatch.setattr(data_generator, "LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(sys, "argv", ["data_generator.py", *ARGUMENTS, "--orders", "12"])
    assert data_generator.main() == 0
    made = generate_changes(replace(PLAN, orders=12))
    assert capsys.readouterr().out.startswith(f"{len(made)} changes written")
    assert table() == last_images(made)


def test_a_table_that_takes_nothing_is_given_up_with_what_was_written(
    reluctant: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_generator, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(sys, "argv", ["data_generator.py", *ARGUMENTS])
    assert data_generator.main() == 1
    assert f"table {TABLE} is throttling" in capsys.readouterr().err


def test_an_interrupted_run_says_what_it_wrote(cloud: Cloud) -> None:
    command = [sys.executable, "data_generator.py", *ARGUMENTS, "--rate", "20"]
    script = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    while len(table()) <= 20:  # With more than a batch of orders, the first was answered.
        time.sleep(0.05)
    script.send_signal(signal.SIGINT)
    _, told = script.communicate(timeout=20)
    assert script.returncode == 130
    assert told.startswith("interrupted: ")
    assert int(told.split()[1]) >= 20


def test_the_rate_is_kept(cloud: Cloud) -> None:
    started = time.monotonic()
    done = generate("--orders", "6", "--rate", "40", "--until", "2026-11-23")
    written = int(done.stdout.split()[0])
    assert time.monotonic() - started >= written / 40


def test_a_missing_table_names_the_script_that_makes_it() -> None:
    with laptop(DynamoDb):
        done = generate("--orders", "3")
        advice = f"table {TABLE} is missing: run python setup/01_dynamodb.py\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", advice)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--orders", "-1"), ("--orders", "two"), ("--orders", "٣"), ("--seed", "-1")),
        *(("--rate", "0"), ("--rate", "-2"), ("--rate", "nan"), ("--rate", "inf")),
        ("--rate", "1e-300"),
        *(("--removals", "1.01"), ("--removals", "-0.1"), ("--removals", "x")),
        *(("--until", "soon"), ("--until", "0001-01-01"), ("--until", "9999-12-31")),
    ],
)
def test_bad_arguments_say_what_was_expected(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["data_generator.py", option, value])
    with pytest.raises(SystemExit) as end:
        data_generator.main()
    assert end.value.code == 2
    assert f"found {value!r}" in capsys.readouterr().err
