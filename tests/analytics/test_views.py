"""Views and named queries, compared with models on an unordered lake with duplicates."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import transform
from analytics.athena import QueryFailed, run_query
from analytics.named_queries import load_named_queries
from analytics.rank import CONTENT_SQL
from local.core.server import Cloud
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from setup import names
from setup.lib.views import describe_table
from tests.support.customer_models import CUSTOMER_MODELS, orders_at_risk, revenue_by_period
from tests.support.dashboard_model import LastImage, fixed_point, image_of, last_images
from tests.support.hostile_orders import inserts
from tests.support.lake_fixture import (
    STREAM_ARN,
    change_time,
    deliver,
    dynamodb_image,
    lake_line,
    lake_with_views,
    query_rows,
    replace_lake,
    run_named_query,
    shuffle_with_duplicates,
)
from tests.support.paths import PROJECT
from tests.support.query_models import QUERY_MODELS, LakeHistory, athena_timestamp, group_by
from transform import column_name, state
from transform.row import CDC_COLUMNS

# The orders' dates surround the dates of their changes, so that some changes are late.
PLAN = Plan(60, 8, Fraction(1, 10), date(2026, 3, 10))
MODELS = QUERY_MODELS | CUSTOMER_MODELS
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

LakeLines = list[tuple[str, str]]


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


@pytest.mark.parametrize("name", [names.CHANGES, *names.VIEWS])
def test_every_column_is_described(lake: Cloud, name: str) -> None:
    table: Any = describe_table(name)
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    assert [column["Name"] for column in columns if not column.get("Comment")] == []
    assert table.get("Description") or table["Parameters"]["description"]


def test_order_changes_has_every_change_once(history: list[OrderChange]) -> None:
    rows = query_rows("SELECT order_id, operation, updated_at, total FROM order_changes")
    expected = [
        (
            change.order_id,
            change.operation,
            athena_timestamp(image_of(change)["updated_at"]),
            fixed_point(image_of(change)["total"], 4),
        )
        for change in history
    ]
    assert Counter(rows) == Counter(expected)


def test_a_day_condition_scans_only_that_day(history: list[OrderChange]) -> None:
    def scanned_bytes(condition: str) -> int:
        return run_query(f"SELECT count(*) FROM order_changes WHERE {condition}").bytes_scanned

    days = {f"{change_time(number):%Y-%m-%d}" for number in range(len(history))}
    bytes_by_day = [scanned_bytes(f"dt = '{day}'") for day in days]
    assert len(bytes_by_day) > 2
    assert min(bytes_by_day) > 0
    assert sum(bytes_by_day) == scanned_bytes("true")


def test_orders_shows_the_last_images(images: dict[str, LastImage]) -> None:
    rows = query_rows(
        "SELECT order_id, status, shipped_at, city, carrier, image, removed FROM orders"
    )
    expected = [
        (
            order_id,
            image.order["status"],
            athena_timestamp(image.order.get("shipped_at")),
            image.order["customer"]["address"]["city"],
            image.order.get("carrier"),
            transform.canonical(dynamodb_image(image.order)),
            str(image.is_removed).lower(),
        )
        for order_id, image in images.items()
    ]
    assert Counter(rows) == Counter(expected)


def test_current_orders_excludes_removed_orders(images: dict[str, LastImage]) -> None:
    rows = query_rows("SELECT order_id, image FROM current_orders")
    expected = {
        order_id: transform.canonical(dynamodb_image(image.order))
        for order_id, image in images.items()
        if not image.is_removed
    }
    assert Counter(rows) == Counter(expected.items())
    assert len(expected) < len(images)


def test_changes_of_two_orders_may_share_an_event_id(
    lines: LakeLines, use_lake: Callable[[LakeLines], None]
) -> None:
    same_id = [(day, altered(line, cdc_event_id="f0af4b1a")) for day, line in lines]
    use_lake(same_id)
    shared = query_rows("SELECT cdc_key, cdc_sequence, status FROM order_changes")
    use_lake(lines)
    assert Counter(shared) == Counter(
        query_rows("SELECT cdc_key, cdc_sequence, status FROM order_changes")
    )


@pytest.mark.parametrize("step", [1, -1])
def test_altered_copies_give_the_state_of_the_law(
    lines: LakeLines, use_lake: Callable[[LakeLines], None], step: int
) -> None:
    images = {1: None, 2: '{"order_id":{"S":"~"}}', 3: '{"a":{"S":"~"}}'}
    copies = [
        (day, altered(line, cdc_new_image=images[number % 4]))
        for number, (day, line) in enumerate(lines)
        if number % 4
    ]
    rows = (lines + copies)[::step]
    use_lake(rows)
    law = state.latest_rows(state.Row.from_columns(json.loads(line)) for _, line in rows)
    expected = {key: row.new_image for key, row in law.items() if row.new_image is not None}
    current = query_rows("SELECT cdc_key, image FROM orders WHERE NOT removed")
    assert Counter(current) == Counter(expected.items())


def test_restored_table_outranks_its_predecessor(
    lines: LakeLines, use_lake: Callable[[LakeLines], None]
) -> None:
    restored = STREAM_ARN.replace("table/t/", "table/another/").replace("2026-", "2027-")
    day, line = next(row for row in lines if json.loads(row[1])["cdc_operation"] == "INSERT")
    later = altered(line, cdc_source=restored, cdc_sequence="1".zfill(40), status="restored")
    use_lake([*lines, (day, later)])
    sql = "SELECT status, removed FROM orders WHERE cdc_key = ?"
    key = json.loads(line)["cdc_key"]
    assert query_rows(sql, key) == [("restored", "false")]
    as_of = run_named_query("orders_as_of")
    assert [row[1] for row in as_of if row[0] == json.loads(line)["order_id"]] == ["restored"]


def altered(line: str, **columns: str | None) -> str:
    """Return a line of the lake with other values in some columns."""
    return json.dumps({**json.loads(line), **columns}) + "\n"


def test_order_lines_are_the_items_in_order(images: dict[str, LastImage]) -> None:
    rows = query_rows(
        "SELECT order_id, line_number, sku, product, category, CAST(amount AS decimal(38, 2)) "
        "FROM order_lines"
    )
    expected = [
        (
            order_id,
            str(number),
            line["sku"],
            line["name"],
            line["category"],
            fixed_point(line["quantity"] * line["unit_price"]),
        )
        for order_id, image in images.items()
        for number, line in enumerate(image.order["items"], 1)
    ]
    assert Counter(rows) == Counter(expected)


@pytest.mark.parametrize("is_narrow", [False, True], ids=["all", "narrow"])
@pytest.mark.parametrize("name", MODELS)
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
    [name for name, query in load_named_queries().items() if "day_from" in query.parameters],
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


@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year"])
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


def test_an_order_without_attributes_is_listed(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    order = {**image_of(history[0]), "order_id": "SO-1"}
    day, line = lake_line(OrderChange("SO-1", history[0].changed_at, None, order), 0)
    columns = json.loads(line)
    use_lake([(day, json.dumps({name: columns[name] for name in CDC_COLUMNS}))])
    key = '{"order_id":{"S":"SO-1"}}'
    assert run_named_query("unfit_values") == [("row", "all", key, "1")]
    assert query_rows("SELECT cdc_key, total FROM orders") == [(key, None)]


def test_the_views_follow_the_law_of_state(use_lake: Callable[[LakeLines], None]) -> None:
    """Tables created again, backfills, repairs and lost removals, in any order and number."""
    rng = random.Random(11)
    log = [row for number in range(150) for row in random_rows(f"SO-{number}", rng)]
    use_lake(shuffle_with_duplicates([(row.changed_at[:10], json_line(row)) for row in log]))
    current = state.current_rows(log)
    rows = query_rows("SELECT cdc_key, image FROM current_orders")
    assert Counter(rows) == Counter((key, row.new_image) for key, row in current.items())
    keys_with_image = {row.key for row in log if row.new_image or row.old_image}
    expected = {
        key: row.key not in current
        for key, row in state.latest_rows(log).items()
        if key in keys_with_image
    }
    rows = query_rows("SELECT cdc_key, removed FROM orders")
    assert {key: removed == "true" for key, removed in rows} == expected
    assert len(rows) == len(expected)


def random_rows(order_id: str, rng: random.Random) -> list[state.Row]:
    """Return distinct rows of one key from few sources and sequences, so that many compete."""
    rows = {}
    for number in range(rng.randint(1, 8)):
        is_snapshot = rng.random() < 0.4
        first, second = (
            f'{{"order_id":{{"S":"{order_id}"}},"n":{{"N":"{n}"}}}}' for n in (number, 9)
        )
        old, new = rng.choice([(None, first), (first, second), (first, None)])
        row = state.Row(
            operation="SNAPSHOT" if is_snapshot else "MODIFY",
            key=f'{{"order_id":{{"S":"{order_id}"}}}}',
            source=rng.choice([STREAM_ARN, STREAM_ARN.replace("10:00", "12:00")]),
            sequence=f"{rng.choice([0, 9, 10, 10**20, 10**39]):040}",
            snapshot_at=f"2026-03-0{rng.randint(1, 3)} 10:00:00.000" if is_snapshot else None,
            event_id=f"{order_id}-{number}",
            changed_at=f"2026-03-0{rng.randint(1, 3)} 00:00:00.000",
            old_image=None if is_snapshot else old,
            new_image=new,
        )
        rows[state.rank(row)[:3]] = row  # One row per position: images there may not differ.
    return list(rows.values())


def json_line(row: state.Row) -> str:
    """Return the lake's line of a row."""
    columns = {f"cdc_{name}": getattr(row, name) for name in state.Row.__dataclass_fields__}
    image = row.new_image or row.old_image
    attributes = {"order_id": json.loads(image)["order_id"]["S"]} if image else {}
    return json.dumps({**columns, "cdc_expired": "false", **attributes}) + "\n"


def test_rows_have_the_content_of_the_law(history: list[OrderChange], lines: LakeLines) -> None:
    view = (PROJECT / "analytics" / "views" / "order_rows.sql").read_text("utf-8")
    assert " ".join(CONTENT_SQL.split()) in " ".join(view.split())
    expected = {state.content(state.Row.from_columns(json.loads(line))) for _, line in lines}
    rows = query_rows("SELECT cdc_content FROM order_rows")
    assert {str(content)[:18] for (content,) in rows} == expected
