"""The dashboard's facts, compared with a model on an unordered lake with hostile texts."""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from analytics.athena import Column, QueryResult
from analytics.cost.load import DAYS, ENVELOPE_BYTES
from analytics.cost.monthly import costs_at_rest, total
from analytics.dashboard.cost import estimate_cost
from analytics.dashboard.facts import (
    FACT_FOLDER,
    Facts,
    decode_rows,
    encode_columns,
    fact_queries,
    fetch_facts,
)
from analytics.named_queries import QUERY_FOLDER
from sales.order_lifecycle import Order, OrderChange, Plan, generate_changes
from tests.support.dashboard_model import (
    FACT_COLUMNS,
    ChangeRow,
    Rows,
    encode_facts,
    image_of,
    last_images,
    model_facts,
)
from tests.support.hostile_orders import HOSTILE_NAMES, hostile_orders, inserts
from tests.support.lake_fixture import (
    FIRST_CHANGE_AT,
    change_time,
    deliver,
    lake_with_views,
    query_rows,
    replace_lake,
)

PLAN = Plan(60, 4, Fraction(1, 10), date(2026, 11, 23))
VIEW_FOLDER = FACT_FOLDER.parent.parent / "views"
SQL_FILES = [
    path
    for folder in (VIEW_FOLDER, QUERY_FOLDER, FACT_FOLDER)
    for path in sorted(folder.rglob("*.sql"))
]
IMAGES_SQL = "SELECT image FROM orders WHERE NOT removed"
MIDNIGHTS = (
    "2026-02-28T23:00",
    *("2026-03-28T22:59", "2026-03-28T23:00", "2026-03-29T21:59", "2026-03-29T22:00"),
    *("2026-10-24T21:59", "2026-10-24T22:00", "2026-10-25T22:59", "2026-10-25T23:00"),
    "2026-10-31T23:00",
)
TEXTS = st.none() | st.text()
MAX_LEVELS = 3
MAX_MEMBERS = 100


@pytest.fixture(scope="module")
def history() -> Iterator[list[OrderChange]]:
    """The changes in the lake, in order."""
    history = generate_changes(PLAN)
    history += inserts(hostile_orders(image_of(history[0])), history[-1])
    history += inserts(midnight_orders(image_of(history[0])), history[-1])
    history += inserts(orders_with_maps(image_of(history[0])), history[-1])
    with lake_with_views():
        replace_lake(deliver(history))
        yield history


def midnight_orders(template: Order) -> list[Order]:
    """Return a customer's orders, paid around midnights of months and of 23 and 25 hours."""
    without_times = {name: value for name, value in template.items() if not name.endswith("_at")}
    return [
        {
            **without_times,
            "order_id": f"MIDNIGHT-{paid_at}",
            "customer": {**template["customer"], "id": "MIDNIGHT"},
            "test_order": False,
            "placed_at": f"{paid_at}:30Z",
            "paid_at": f"{paid_at}:59Z",
        }
        for paid_at in MIDNIGHTS
    ]


def orders_with_maps(template: Order) -> list[Order]:
    """Return orders with deep, hostile and empty maps, and some that are keyed by data."""
    many = {f"SKU {number}": {"price": number} for number in range(MAX_MEMBERS + 1)}
    maps = {
        "profile": {name: {name: {"deepest": 1}} for name in ("a.b", 'c"d', "\\", *HOSTILE_NAMES)},
        "profile.a": {"b": "no member of the profile"},
        "empty": {},
        "keyed": many,
        "shop": {"keyed": many, "most": dict(list(many.items())[:MAX_MEMBERS])},
    }
    return [
        {**template, "order_id": f"MAPS-{number}", **maps, "varying": value}
        for number, value in enumerate(({"a": {"b": True}}, {"a": "text"}, ["list"]))
    ]


def model_of(history: list[OrderChange], zone: str) -> dict[str, Rows]:
    """Return the rows of every fact according to the model."""
    rows = (
        ChangeRow(change_time(number), change.operation) for number, change in enumerate(history)
    )
    return model_facts(last_images(history).values(), rows, zone)


@pytest.fixture(scope="module")
def model(history: list[OrderChange]) -> dict[str, Rows]:
    """The rows of every fact according to the model."""
    return model_of(history, "UTC")


@pytest.fixture(scope="module")
def facts(history: list[OrderChange]) -> Facts:
    """The facts from Athena."""
    return fetch_facts(with_details=True)


def test_facts_that_name_people_are_not_asked_for() -> None:
    (left_out,) = fact_queries(with_details=True).keys() - fact_queries().keys()
    assert left_out == "listed_orders"
    named = {
        name
        for name, sql in fact_queries().items()
        if re.search("customer_(name|email)|street", sql)
    }
    assert named == set()


@pytest.mark.parametrize("name", FACT_COLUMNS)
def test_athena_and_the_model_agree(name: str, facts: Facts, model: dict[str, Rows]) -> None:
    expected = decode_rows(encode_facts(model)[name])
    assert Counter(decode_rows(facts.columns[name])) == Counter(expected)
    names = [column.partition(":")[0] for column in FACT_COLUMNS[name].split()]
    assert list(facts.columns[name]) == names
    assert model[name]


@pytest.mark.parametrize("with_details", [True, False])
def test_any_tables_facts_agree_with_its_items(
    history: list[OrderChange], with_details: bool
) -> None:
    facts = fetch_facts("table", with_details=with_details).columns
    operations = Counter(change.operation for change in history)
    changes = Counter[str]()
    for _, _, operation, count, _ in decode_rows(facts["changes"]):
        changes[operation] += count
    assert changes == operations
    images = [json.loads(text or "") for (text,) in query_rows(IMAGES_SQL)]
    removed = sum(image.is_removed for image in last_images(history).values())
    assert decode_rows(facts["items"]) == [(len(images), removed)]
    expected = attribute_rows(images, with_details=with_details)
    assert {"shop.most.SKU 1", 'profile."a.b"."a.b"', "varying.a.b"} <= {row[0] for row in expected}
    assert Counter(decode_rows(facts["attributes"])) == Counter(expected)


def attribute_rows(images: list[dict[str, Any]], *, with_details: bool) -> list[tuple[Any, ...]]:
    """Return what the fact `attributes` must be, from the images of the items."""
    values: dict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    typed_values = [pair for image in images for pair in members(image)]
    names: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path, _ in typed_values:
        names[path[:-1]].add(path[-1])
    for path, typed in typed_values:
        parents = [path[:length] for length in range(1, len(path))]
        if all(len(names[parent]) <= MAX_MEMBERS for parent in parents):
            attribute = ".".join(map(quoted, path))
            ((kind, value),) = typed.items()
            text = str(value).lower() if kind == "BOOL" else value
            values[attribute, kind][text if kind in ("S", "N", "BOOL") else None] += 1
    rows = []
    attributes = len({attribute for attribute, _ in values})
    for key, counts in values.items():
        items = counts.total()
        different = len(counts.keys() - {None})
        is_repeated = different < items or key[1] == "BOOL"
        is_listed = (with_details or key[1] == "BOOL") and 1 <= different <= 50 and is_repeated
        top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or ""))[:10]
        listed = [(value, count) for value, count in top] if is_listed else [(None, 0)]
        rows += [(*key, items, different, attributes, *pair) for pair in listed]
    return rows


def members(
    image: dict[str, Any], parent: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the typed values of an image and of its maps, with their paths."""
    for name, typed in image.items():
        yield (*parent, name), typed
        if len(parent) < MAX_LEVELS - 1:
            yield from members(typed.get("M", {}), (*parent, name))


def quoted(name: str) -> str:
    """Return a name as paths have it."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set('."') else name


@pytest.mark.slow
def test_days_are_those_of_the_business(
    history: list[OrderChange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.dashboard.facts.BUSINESS_TIME_ZONE", "Europe/Berlin")
    facts = fetch_facts(with_details=True).columns
    model = encode_facts(model_of(history, "Europe/Berlin"))
    for name in FACT_COLUMNS:
        assert Counter(decode_rows(facts[name])) == Counter(decode_rows(model[name])), name
    days = {day for day, *_ in decode_rows(facts["sold_orders"])}
    assert {"2026-03-30", "2026-10-26"} <= days


def test_a_day_may_begin_within_a_utc_hour(
    history: list[OrderChange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.dashboard.facts.BUSINESS_TIME_ZONE", "Asia/Kolkata")
    rows = query_rows(fact_queries()["changes"])
    assert Counter(rows) == Counter(model_of(history, "Asia/Kolkata")["changes"])
    days_of_hours = {(hour, day) for hour, day, *_ in rows}
    assert len(days_of_hours) > len({hour for hour, _ in days_of_hours})


def test_the_cost_is_reckoned_from_the_changes(facts: Facts, history: list[OrderChange]) -> None:
    now = FIRST_CHANGE_AT + timedelta(days=30)
    cost = estimate_cost(facts.columns, now)
    assert cost is not None
    assert (cost["since"], cost["changes"]) == (f"{FIRST_CHANGE_AT:%Y-%m-%d}", len(history))
    rows = query_rows(
        "SELECT length(coalesce(cdc_old_image, '')), length(coalesce(cdc_new_image, '')) "
        "FROM changes"
    )
    sizes = [int(old or 0) + int(new or 0) for old, new in rows]
    assert cost["record_bytes"] == round(ENVELOPE_BYTES + sum(sizes) / len(sizes))
    assert float(cost["at_rest"]) == pytest.approx(total(costs_at_rest()) * 30 / DAYS, abs=1e-4)
    assert 0 < float(cost["moving"]) < float(cost["at_rest"])


def test_the_cost_without_changes_is_not_known() -> None:
    hours: dict[str, Any] = {"texts": [], "indexes": []}
    nothing: dict[str, dict[str, Any]] = {
        "changes": {"hour": hours, "changes": []},
        "change_sizes": {"changes": [0]},
    }
    assert estimate_cost(nothing, FIRST_CHANGE_AT) is None


def test_every_query_counts_its_bytes(facts: Facts) -> None:
    assert len(facts.bytes_scanned) == len(facts.columns) == len(FACT_COLUMNS) + 2
    assert facts.bytes_scanned.count(0) == 1  # There are no exchange rates.


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(), st.decimals(-(10**9), 10**9, places=7))))
def test_encoded_columns_keep_every_row(
    rows: list[tuple[str | None, str | None, int, Decimal]],
) -> None:
    columns = tuple(Column(name, name) for name in ("varchar", "date", "bigint", "decimal"))
    texts = [(text, day, str(count), f"{amount:f}") for text, day, count, amount in rows]
    decoded = decode_rows(encode_columns(QueryResult(columns, iter(texts), 0)))
    assert [(text, day, count, Decimal(amount)) for text, day, count, amount in decoded] == rows


@pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_statement_parses_as_athena_sql(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    is_fact = FACT_FOLDER in path.parents
    sql = (
        fact_queries(path.parent.name, with_details=True)[path.stem]
        if is_fact
        else path.read_text("utf-8")
    )
    with caplog.at_level(logging.WARNING, "sqlglot"):
        (tree,) = sqlglot.parse(sql, dialect="athena", error_level=sqlglot.ErrorLevel.RAISE)
    assert not caplog.records
    assert not isinstance(tree, sqlglot.exp.Command)
