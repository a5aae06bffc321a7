"""Views and questions: on a lake out of order and full of copies, what a model in Python says."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

import transform
from analytics.athena import QueryFailed, run_query
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from tests.support.lake_fixture import (
    BEGIN,
    STEP,
    STREAM,
    asked,
    delivered,
    in_disorder,
    lake_of_views,
    line_of,
    rows,
    stored,
    typed,
)
from tests.support.query_models import MODELS, Past, moment
from transform import state
from transform.row import without_attributes

# Its days lie around those of the changes: some of them come late, some do not.
PLAN = Plan(60, 8, Fraction(1, 10), date(2026, 3, 10))


@pytest.fixture(scope="module")
def lake() -> Iterator[Cloud]:
    """A cloud in which the setup scripts have made the bucket, the catalog and the views."""
    with lake_of_views() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def history(lake: Cloud) -> list[OrderChange]:
    """The changes that the lake holds, in their order."""
    made = generate_changes(PLAN)
    last = next(change for change in reversed(made) if change.after)
    drifted = {**last.after, "gift_note": Decimal(7)}
    made.append(OrderChange(last.order_id, last.changed_at, last.after, drifted))
    stored(delivered(made))
    return made


@pytest.fixture(scope="module")
def lines(history: list[OrderChange]) -> list[tuple[str, str]]:
    """The days and the lines of the lake's rows."""
    return delivered(history)


@pytest.fixture
def other_lake(lines: list[tuple[str, str]]) -> Iterator[Callable[[list[tuple[str, str]]], None]]:
    """What puts other rows into the lake, for one test."""
    yield stored
    stored(lines)


@pytest.fixture(scope="module")
def model(history: list[OrderChange]) -> dict[str, tuple[Order, bool]]:
    """The last image of every order, and whether it was removed."""
    lasts: dict[str, tuple[Order, bool]] = {}
    for change in history:
        lasts[change.order_id] = (change.after or change.before, change.after is None)
    return lasts


def cents(amount: Decimal) -> str:
    """Return an amount as the questions show it."""
    return format(amount.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")


def test_every_change_is_there_once(history: list[OrderChange]) -> None:
    found = rows("SELECT order_id, operation, updated_at, total FROM order_changes")
    expected = [
        (
            change.order_id,
            change.operation,
            moment((change.after or change.before)["updated_at"]),
            format((change.after or change.before)["total"].quantize(Decimal("0.0001")), "f"),
        )
        for change in history
    ]
    assert Counter(found) == Counter(expected)


def test_a_condition_on_the_day_reads_that_day_only(history: list[OrderChange]) -> None:
    def scanned(where: str) -> int:
        return run_query(f"SELECT count(*) FROM order_changes WHERE {where}").bytes_scanned

    days = {f"{BEGIN + number * STEP:%Y-%m-%d}" for number in range(len(history))}
    read = [scanned(f"dt = '{day}'") for day in days]
    assert len(read) > 2
    assert min(read) > 0
    assert sum(read) == scanned("true")


def test_orders_are_the_last_images(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows("SELECT order_id, status, shipped_at, city, carrier, image, removed FROM orders")
    assert sorted(found) == sorted(
        (
            key,
            order["status"],
            moment(order.get("shipped_at")),
            order["customer"]["address"]["city"],
            order.get("carrier"),
            transform.canonical(typed(order)),
            str(removed).lower(),
        )
        for key, (order, removed) in model.items()
    )


def test_current_orders_are_those_not_removed(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows("SELECT order_id, image FROM current_orders")
    images = {
        key: transform.canonical(typed(o)) for key, (o, removed) in model.items() if not removed
    }
    assert dict(found) == images
    assert len(found) == len(images) < len(model)


def test_order_lines_are_the_items_in_their_order(model: dict[str, tuple[Order, bool]]) -> None:
    found = rows(
        "SELECT order_id, line_number, sku, product, category, CAST(amount AS decimal(38, 2)) "
        "FROM order_lines"
    )
    assert sorted(found) == sorted(
        (key, str(number), line["sku"], line["name"], line["category"],
         cents(line["quantity"] * line["unit_price"]))
        for key, (order, _) in model.items()
        for number, line in enumerate(order["items"], 1)
    )  # fmt: skip


NARROW = {"day_from": "2026-02-20", "day_to": "2026-03-02", "region": "U%"}


@pytest.mark.parametrize("is_narrow", [False, True], ids=["all", "narrow"])
@pytest.mark.parametrize("name", MODELS)
def test_a_question_and_its_model_give_the_same_rows(
    name: str, is_narrow: bool, history: list[OrderChange], lines: list[tuple[str, str]]
) -> None:
    asked_for = given(name, is_narrow, history)
    expected = MODELS[name](Past(history, lines, asked_for))
    assert asked(name, **asked_for) == expected
    assert expected or is_narrow or name == "unfit_values"


def given(name: str, is_narrow: bool, history: list[OrderChange]) -> dict[str, str]:
    """Return parameters of a question: those that it needs, and others when asked narrowly."""
    middle = BEGIN + len(history) // 2 * STEP
    needed = {"order_id": history[-is_narrow - 1].order_id}
    narrow = {**NARROW, "moment": f"{middle:%Y-%m-%d %H:%M:%S}"} if is_narrow else {}
    own = load_named_queries()[name].parameters
    return {key: value for key, value in (needed | narrow).items() if key in own}


def test_every_question_has_a_model() -> None:
    assert MODELS.keys() == load_named_queries().keys()


def test_a_parameter_is_never_part_of_the_question(history: list[OrderChange]) -> None:
    assert asked("revenue_by_day", region="' OR '' = '") == []


@pytest.mark.parametrize(
    "name", [name for name, one in load_named_queries().items() if "day_from" in one.parameters]
)
@pytest.mark.parametrize("day", ["day_from", "day_to"])
def test_a_day_that_is_none_is_refused(history: list[OrderChange], name: str, day: str) -> None:
    with pytest.raises(QueryFailed, match="20261101"):
        asked(name, **{day: "20261101"})


def test_an_average_is_rounded_once(
    history: list[OrderChange], other_lake: Callable[[list[tuple[str, str]]], None]
) -> None:
    paid = {**history[0].after, "paid_at": "2026-03-01T00:00:00Z", "test_order": False}
    totals = [Decimal("1.01")] * 50 + [Decimal("1.00")] * 51  # Their mean is 1.00495…
    orders = [{**paid, "order_id": f"SO-{at}", "total": total} for at, total in enumerate(totals)]
    placed = [
        OrderChange(order["order_id"], history[0].changed_at, None, order) for order in orders
    ]
    other_lake(delivered(placed))
    ((*_, average, smallest, largest),) = asked("average_order_value")
    assert (average, smallest, largest) == ("1.00", "1.00", "1.01")


def test_what_a_type_does_not_hold_is_listed(
    history: list[OrderChange], other_lake: Callable[[list[tuple[str, str]]], None]
) -> None:
    assert asked("unfit_values") == []
    bad = {
        "total": Decimal("1.23456"),
        "subtotal": Decimal("123456789012345"),
        "tax": "free",
        "discount": "1.5\n",
        "paid_at": "yesterday",
        "test_order": "maybe",
        "expires_at": Decimal("1764115200000000"),
        "items": [{"sku": "x", "quantity": Decimal("0.0001"), "unit_price": "two"}],
    }
    order = {**history[0].after, **bad}
    other_lake([line_of(OrderChange("SO-1", history[0].changed_at, None, order), 0)])
    assert {(row[1], row[2]) for row in asked("unfit_values")} == {
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
    typed_columns = "total, subtotal, tax, discount, paid_at, test_order, expires_at"
    assert rows(f"SELECT {typed_columns} FROM orders") == [("1.2346", *[None] * 6)]


def test_an_order_whose_row_was_too_large_for_its_attributes_is_listed(
    history: list[OrderChange], other_lake: Callable[[list[tuple[str, str]]], None]
) -> None:
    order = {**history[0].after, "order_id": "SO-1"}
    day, line = line_of(OrderChange("SO-1", history[0].changed_at, None, order), 0)
    other_lake([(day, without_attributes(line.encode()).decode())])
    key = '{"order_id":{"S":"SO-1"}}'
    assert asked("unfit_values") == [("row", "all", key, "1")]
    assert rows("SELECT cdc_key, total FROM orders") == [(key, None)]


def test_the_views_hold_the_law_of_state(
    other_lake: Callable[[list[tuple[str, str]]], None],
) -> None:
    """Re-created tables, backfills, repairs, lost removals: in any order, any number of times."""
    chance = random.Random(11)
    log = [row for number in range(150) for row in any_rows(f"SO-{number}", chance)]
    other_lake(in_disorder([(row.changed_at[:10], told(row)) for row in log]))
    current = state.current_rows(log)
    assert dict(rows("SELECT cdc_key, image FROM current_orders")) == {
        key: row.new_image for key, row in current.items()
    }
    removed = {
        key: row.key not in current
        for key, row in state.latest_rows(log).items()
        if any(one.new_image or one.old_image for one in log if one.key == key)
    }
    found = rows("SELECT cdc_key, removed FROM orders")
    assert {key: flag == "true" for key, flag in found} == removed
    assert len(found) == len(removed)


def any_rows(order_id: str, chance: random.Random) -> list[state.Row]:
    """Return rows of one key, distinct, of few sources and places, so that many compete."""
    found = {}
    for number in range(chance.randint(1, 8)):
        is_snapshot = chance.random() < 0.4
        images = [f'{{"order_id":{{"S":"{order_id}"}},"n":{{"N":"{n}"}}}}' for n in (number, 9)]
        old, new = chance.choice([(None, images[0]), tuple(images), (images[0], None)])
        row = state.Row(
            operation="SNAPSHOT" if is_snapshot else "MODIFY",
            key=f'{{"order_id":{{"S":"{order_id}"}}}}',
            source=chance.choice([STREAM, STREAM.replace("10:00", "12:00")]),
            sequence=f"{chance.choice([0, 9, 10, 10**20, 10**39]):040}",
            snapshot_at=f"2026-03-0{chance.randint(1, 3)} 10:00:00.000" if is_snapshot else None,
            event_id=f"{order_id}-{number}",
            changed_at=f"2026-03-0{chance.randint(1, 3)} 00:00:00.000",
            old_image=None if is_snapshot else old,
            new_image=new,
        )
        found[state.rank(row)[:3]] = row  # Of equal places only one: else the images contradict.
    return list(found.values())


def told(row: state.Row) -> str:
    """Return the line of such a row."""
    columns = {f"cdc_{name}": getattr(row, name) for name in state.Row.__dataclass_fields__}
    image = row.new_image or row.old_image
    attributes = {"order_id": json.loads(image)["order_id"]["S"]} if image else {}
    return json.dumps({**columns, "cdc_expired": "false", **attributes}) + "\n"
