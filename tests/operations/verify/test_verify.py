"""verify: it finds every difference between lake and table, key by key, and reports no other."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transform
from operations.table import Table
from tests.support.laptop_cloud import create_table
from tests.support.profile import IS_THOROUGH, sampled
from tests.support.verify_fixture import (
    HISTORIES,
    LATER_STREAM,
    PAID,
    PHASES_WITHOUT_SHRINK,
    SHIPPED,
    Item,
    VerifyEnvironment,
    draw_altered_copies,
    draw_snapshots,
    history_rows,
    keys_by_kind,
    order_item,
    order_key,
    rows_of_histories,
    stream_row,
    verify_env,
)
from transform import state


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


def fail_on_wait() -> None:
    pytest.fail("verify waited although nothing differs")


def test_an_equal_lake_needs_no_wait(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **SHIPPED), order_item(2, **PAID))
    env.set_lake_objects(
        history_rows(order_item(1, **PAID), order_item(1, **SHIPPED)),
        history_rows(order_item(2, **PAID)),
    )
    assert env.compare(fail_on_wait).status == 0


def test_an_empty_lake_equals_an_empty_table(env: VerifyEnvironment) -> None:
    env.set_table_items()
    env.set_lake_objects()
    assert list(env.compare().lines()) == ["lake equals table: 0 items"]


def test_removed_items_and_old_streams_are_ignored(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(2, **PAID))
    env.set_lake_objects(
        [
            *history_rows(order_item(1, **PAID), order_item(1, **SHIPPED), None),
            *history_rows(order_item(2, **SHIPPED), start=9),
            *history_rows(order_item(2, **PAID), source=LATER_STREAM),
        ]
    )
    assert env.compare(fail_on_wait).status == 0


def test_duplicates_and_disorder_change_nothing(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **SHIPPED))
    images = (order_item(1, **PAID), None, order_item(1, **PAID), order_item(1, **SHIPPED))
    rows = history_rows(*images) * 3
    random.Random(1).shuffle(rows)
    env.set_lake_objects(rows[:5], rows[5:])
    assert keys_by_kind(env.compare()) == {}


def test_a_copy_without_attributes_loses(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID))
    [row] = history_rows(order_item(1, **PAID))
    bare = {name: value for name, value in row.items() if name.startswith("cdc_")}
    env.set_lake_objects([bare], [row], [bare])
    assert env.compare(fail_on_wait).status == 0
    env.set_lake_objects([bare])
    result = env.compare()
    assert keys_by_kind(result) == {"columns": [order_key(1)]}
    difference = result.differences[order_key(1)]
    assert str(difference) == "columns: table has attributes, lake has nothing"


def test_a_column_that_contradicts_its_image(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects(
        [{**row, "total": "99"} for row in history_rows(order_item(1, **PAID))],
        [{**row, "coupon": ""} for row in history_rows(order_item(2, **PAID))],
    )
    result = env.compare()
    assert keys_by_kind(result) == {"columns": [order_key(1), order_key(2)]}
    assert result.status == 1
    assert {key: str(difference) for key, difference in result.differences.items()} == {
        order_key(1): 'column total: table has "19.9", lake has "99"',
        order_key(2): 'column coupon: table has nothing, lake has ""',
    }


def test_each_difference_is_listed_with_its_key(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID), order_item(4, **PAID))
    env.set_lake_objects(
        history_rows(order_item(2, **{**PAID, "total": {"N": "19.8"}})),
        history_rows(order_item(3, **PAID)),
        history_rows(order_item(4, **PAID)),
    )
    result = env.compare()
    assert keys_by_kind(result) == {
        "missing": [order_key(1)],
        "different": [order_key(2)],
        "extra": [order_key(3)],
    }
    assert (result.status, result.table_items, result.lake_items) == (1, 3, 3)
    difference = 'total: table has {"N":"19.9"}, lake has {"N":"19.8"}'
    assert str(result.differences[order_key(2)]) == difference


@pytest.mark.parametrize("limit", [0, 1])
def test_only_listed_keys_are_described(env: VerifyEnvironment, limit: int) -> None:
    env.set_table_items(*(order_item(number, **PAID) for number in range(2)))
    env.set_lake_objects(*(history_rows(order_item(number, **SHIPPED)) for number in range(2)))
    result = env.compare(limit=limit)
    assert result.counts == {"different": 2}
    assert sorted(result.differences) == result.keys["different"]
    assert len(result.differences) == limit


def test_changes_that_arrive_during_the_wait_are_equal(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **SHIPPED), order_item(2, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)), history_rows(order_item(3, **PAID)))
    late_rows = [
        *history_rows(order_item(1, **PAID), order_item(1, **SHIPPED)),
        *history_rows(order_item(2, **PAID)),
        *history_rows(order_item(3, **PAID), None),
    ]
    result = env.compare(lambda: env.add_lake_object("late.json", late_rows))
    assert keys_by_kind(result) == {}
    assert (result.table_items, result.lake_items) == (2, 2)


def test_an_item_that_keeps_changing_is_unsettled(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects([])
    numbers = itertools.count()

    def change_items() -> None:
        number = next(numbers)
        env.put_item(order_item(1, visits={"N": f"{number}"}))
        late_item = order_item(2, visits={"N": f"{number}"})
        env.add_lake_object(f"late-{number}.json", [stream_row(None, late_item, number)])

    result = env.compare(change_items)
    assert keys_by_kind(result) == {"unsettled": [order_key(1), order_key(2)]}
    assert result.status == 2


def test_an_unsettled_key_hides_no_difference(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects([])
    numbers = itertools.count()
    result = env.compare(lambda: env.put_item(order_item(1, visits={"N": f"{next(numbers)}"})))
    assert keys_by_kind(result) == {"unsettled": [order_key(1)], "missing": [order_key(2)]}
    assert result.status == 1


def test_a_row_without_a_key_is_reported(env: VerifyEnvironment) -> None:
    env.set_table_items()
    env.set_lake_objects([{"cdc_new_image": "{}"}, {"cdc_key": "{}", "cdc_new_image": "not JSON"}])
    assert keys_by_kind(env.compare()) == {"extra": ["null", "{}"]}
    env.set_lake_objects([{"cdc_new_image": "{}"}, {"cdc_key": "null", "cdc_new_image": "{}"}])
    assert keys_by_kind(env.compare()) == {"extra": ["null"]}


def test_an_image_that_is_not_json_differs(env: VerifyEnvironment) -> None:
    env.set_table_items(order_item(1, **PAID))
    [row] = history_rows(order_item(1, **PAID))
    env.set_lake_objects([{**row, "cdc_new_image": row["cdc_new_image"][:20]}])
    result = env.compare()
    assert keys_by_kind(result) == {"different": [order_key(1)]}
    assert result.differences[order_key(1)].path == ""


@settings(
    max_examples=100 if IS_THOROUGH else 10,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(HISTORIES, st.data())
def test_verify_agrees_with_the_law_of_state(
    env: VerifyEnvironment, histories: list[list[Item | None]], data: st.DataObject
) -> None:
    items = [
        order_item(number, **images[-1])
        for number, images in enumerate(histories)
        if images and images[-1] is not None
    ]
    all_rows = [row for history in rows_of_histories(histories) for row in history]
    kept_rows = [row for row in all_rows if data.draw(st.integers(0, 5)) < 5]
    kept_rows += draw_snapshots(all_rows, data)
    kept_rows += draw_altered_copies(kept_rows, data)
    rows = data.draw(st.permutations(kept_rows + kept_rows[::2]))
    env.set_table_items(*items)
    env.set_lake_objects(rows[::2], rows[1::2])

    current_rows = state.current_rows(map(state.Row.from_columns, rows))
    lake = {key: row.new_image for key, row in current_rows.items()}
    table = {
        transform.canonical({"order_id": item["order_id"]}): transform.canonical(item)
        for item in items
    }
    expected = {
        "missing": sorted(table.keys() - lake.keys()),
        "extra": sorted(lake.keys() - table.keys()),
        "different": sorted(key for key in table.keys() & lake if table[key] != lake[key]),
    }
    result = env.compare()
    assert keys_by_kind(result) == {kind: keys for kind, keys in expected.items() if keys}
    assert (result.table_items, result.lake_items) == (len(table), len(lake))


def test_keys_of_any_type_are_read(env: VerifyEnvironment) -> None:
    create_table(env.dynamodb, "readings", {"sensor": "B", "at": "N"})
    items = [
        {"sensor": {"B": bytes([number])}, "at": {"N": f"{number}.50"}} for number in range(120)
    ]
    for item in items:
        env.dynamodb.put_item(TableName="readings", Item=item)
    table = Table.describe(env.dynamodb, "readings")
    keys = [key for key, _ in table.scan_items()]
    assert len(set(keys)) == len(items)
    assert '{"at":{"N":"7.5"},"sensor":{"B":"Bw=="}}' in keys
    assert table.get_items(keys[:100]) == {key: key for key in keys[:100]}
    invalid_keys = [order_key(1), "null", "[]", '{"at":{"N":"7.50"}}', "{"]
    assert table.get_items(invalid_keys) == {}


def test_keys_that_dynamodb_rejects_are_invalid(env: VerifyEnvironment) -> None:
    table = replace(env.table, key_types={"b": "B", "s": "S"})

    def is_key(partition_key: bytes, sort_key: str) -> bool:
        key = transform.canonical({"b": {"B": partition_key}, "s": {"S": sort_key}})
        return table.parse_key(key) is not None

    assert is_key(b"\xff" * 2048, "é" * 512)
    assert is_key(b"\x00", "\x00\U0001f600")
    assert not is_key(b"", "x")
    assert not is_key(b"x", "")
    assert not is_key(b"x" * 2049, "x")
    assert not is_key(b"x", "é" * 512 + "x")
    assert not is_key(b"x", "\ud800")


@pytest.mark.parametrize(
    "order_id", sampled(["') OR true --", "'", "\\", 'a"b', "\x00", "é\u202e", "x" * 2000], step=2)
)
def test_no_key_becomes_sql(env: VerifyEnvironment, order_id: str) -> None:
    item = {"order_id": {"S": order_id}, **PAID}
    env.set_table_items(item, order_item(1, **PAID))
    env.set_lake_objects([stream_row(None, {**item, **SHIPPED}, 1)])
    key = transform.canonical({"order_id": item["order_id"]})
    assert keys_by_kind(env.compare()) == {"missing": [order_key(1)], "different": [key]}
