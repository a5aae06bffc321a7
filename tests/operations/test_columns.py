"""Declared columns: their digest is the same in Athena's SQL and in Python."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transform
from analytics.athena import QueryResult, run_query
from operations import lake
from operations.columns import DeclaredColumns, UnexpectedColumnType
from operations.digest import digest
from setup import names
from setup.lib.column_limit import MAX_COLUMNS
from tests.strategies import records
from tests.support.profile import IS_THOROUGH
from tests.support.verify_fixture import (
    PHASES_WITHOUT_SHRINK,
    Item,
    VerifyEnvironment,
    declare_columns,
    history_rows,
    order_item,
    order_key,
    snapshot_row,
    verify_env,
)


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


@settings(
    max_examples=100 if IS_THOROUGH else 10,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(records.items(), st.integers(1, 4))
def test_sql_and_python_compute_the_same_digest(
    env: VerifyEnvironment, attributes: Item, every: int
) -> None:
    item = order_item(1, **{k: v for k, v in attributes.items() if k.lower() != "order_id"})
    json_paths = tuple(transform.column_name([name]) for name in sorted(item)[::every])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "JSON_PATHS", json_paths)
        row = snapshot_row(item)
    flat = transform.flattened(item, json_paths)
    declare_columns({**dict.fromkeys(list(flat)[::2], "string"), "not_in_the_item": "string"})
    env.set_lake_objects([row])
    columns = DeclaredColumns.fetch()
    image_digest = digest(transform.canonical(item))
    assert list(lake.fetch_digests(columns)) == [
        (order_key(1), lake.item_digest(image_digest, columns.digest(flat)))
    ]
    [latest] = lake.fetch_latest_rows(columns, [order_key(1)])
    assert (latest.image_digest, latest.columns_digest) == (image_digest, columns.digest(flat))
    [lake_item] = lake.fetch_items(columns, [order_key(1)])
    assert lake_item.columns == {name: flat.get(name) for name in columns.names}


def test_more_columns_than_an_array_takes(env: VerifyEnvironment) -> None:
    item = order_item(1, **{f"a{number}": {"N": f"{number}"} for number in range(450)})
    flat = transform.flattened(item)
    declare_columns(dict.fromkeys(flat, "string"))
    env.set_lake_objects([snapshot_row(item)])
    columns = DeclaredColumns.fetch()
    [row] = lake.fetch_latest_rows(columns, [order_key(1)])
    assert row.columns_digest == columns.digest(flat)


def test_maps_that_stay_json_are_compared_as_such(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = {f"user-{number}": {"N": f"{number}"} for number in range(101)}
    item = order_item(1, customer={"M": {"id": {"S": "C-1"}}}, visits={"M": visits})
    declare_columns(dict.fromkeys(("customer", "customer__id", "visits"), "string"))
    env.set_table_items(item)
    monkeypatch.setattr(names, "JSON_PATHS", ("customer",))
    rows = history_rows(item)
    assert rows[0]["customer"] == '{"id":"C-1"}'
    env.set_lake_objects(rows)
    assert env.compare().status == 0
    monkeypatch.setattr(names, "JSON_PATHS", ())
    [difference] = env.compare().differences.values()
    assert str(difference).startswith("column customer: table has nothing, lake has")


def test_queries_for_many_columns_fit_into_athena(monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str] = []

    def no_rows(sql: str) -> Iterator[tuple[str | None, ...]]:
        queries.append(sql)
        return iter(())

    monkeypatch.setattr(lake, "complete_rows", no_rows)
    columns = DeclaredColumns(tuple(f"{number:0100}" for number in range(MAX_COLUMNS)))
    keys = [order_key(number) for number in range(lake.MAX_KEYS_IN_QUERY)]
    for fetch in (lake.fetch_digests, lake.fetch_latest_rows, lake.fetch_items):
        assert list(fetch(columns, keys)) == []
    assert [len(sql) <= 262_144 for sql in queries] == [True] * 3
    assert columns.first(399).names == columns.names[:3]


def test_other_values_have_another_digest() -> None:
    columns = DeclaredColumns(("a", "b", "c"))
    rows: list[dict[str, str | None]] = [
        {"a": "1", "b": "2", "c": None},
        {"a": "1", "b": None, "c": "2"},
        {"a": "12", "b": None, "c": None},
        {"a": "", "b": None, "c": None},
        {"a": "-", "b": None, "c": None},
        {"a": "1:1", "b": None, "c": None},
        {"a": "1", "b": "", "c": None},
    ]
    for one, other in combinations(rows, 2):
        assert columns.digest(one) != columns.digest(other)
    assert columns.digest({"a": None, "undeclared": "1"}) is None


def test_a_column_of_another_type_is_rejected(env: VerifyEnvironment) -> None:
    declare_columns({"status": "string", "total": "double"})
    with pytest.raises(UnexpectedColumnType, match=r"column total .* double.*10_glue"):
        DeclaredColumns.fetch()


def test_a_row_that_is_missing_in_a_result_is_noticed(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare_columns({"order_id": "string"})
    env.set_lake_objects([snapshot_row(order_item(number)) for number in range(3)])

    def without_first_row(sql: str) -> QueryResult:
        result = run_query(sql)
        next(result.rows)
        return result

    assert len(list(lake.fetch_digests(DeclaredColumns.fetch()))) == 3
    monkeypatch.setattr(lake, "run_query", without_first_row)
    with pytest.raises(lake.TruncatedResult, match="run it again"):
        list(lake.fetch_digests(DeclaredColumns.fetch()))
