"""verify: whatever is wrong with the lake is found, key by key, and nothing else is reported."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import transform
from operations.table import Table
from tests.support.verify_fixture import (
    LATER,
    LIVES,
    PAID,
    QUICKLY,
    SHIPPED,
    Item,
    World,
    a_world,
    found,
    history,
    key,
    lived,
    order,
    snapshots,
    stream_row,
)
from transform import state


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


def test_an_equal_lake_is_proven_without_a_wait(world: World) -> None:
    world.hold(order(1, **SHIPPED), order(2, **PAID))
    world.tell(history(order(1, **PAID), order(1, **SHIPPED)), history(order(2, **PAID)))
    assert world.verdict(meanwhile=lambda: pytest.fail("waited")).status == 0


def test_an_empty_lake_equals_an_empty_table(world: World) -> None:
    world.hold()
    world.tell()
    assert list(world.verdict().lines()) == ["lake equals table: 0 items"]


def test_removed_items_and_old_streams_do_not_count(world: World) -> None:
    world.hold(order(2, **PAID))
    gone = history(order(1, **PAID), order(1, **SHIPPED), None)
    reborn = history(order(2, **SHIPPED), start=9) + history(order(2, **PAID), source=LATER)
    world.tell(gone + reborn)
    assert world.verdict(meanwhile=lambda: pytest.fail("waited")).status == 0


def test_duplicates_and_disorder_change_nothing(world: World) -> None:
    world.hold(order(1, **SHIPPED))
    rows = history(order(1, **PAID), None, order(1, **PAID), order(1, **SHIPPED)) * 3
    random.Random(1).shuffle(rows)
    world.tell(rows[:5], rows[5:])
    assert found(world.verdict()) == {}


def test_each_fault_is_named_with_its_key(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID), order(4, **PAID))
    altered = history(order(2, **{**PAID, "total": {"N": "19.8"}}))
    world.tell(altered, history(order(3, **PAID)), history(order(4, **PAID)))
    verdict = world.verdict()
    assert found(verdict) == {"missing": [key(1)], "different": [key(2)], "extra": [key(3)]}
    assert (verdict.status, verdict.table, verdict.lake) == (1, 3, 3)
    difference = 'total: table has {"N":"19.9"}, lake has {"N":"19.8"}'
    assert str(verdict.differences[key(2)]) == difference


def test_what_arrives_during_the_wait_is_no_fault(world: World) -> None:
    world.hold(order(1, **SHIPPED), order(2, **PAID))
    world.tell(history(order(1, **PAID)), history(order(3, **PAID)))
    late = history(order(1, **PAID), order(1, **SHIPPED)) + history(order(2, **PAID))
    late += history(order(3, **PAID), None)
    verdict = world.verdict(meanwhile=lambda: world.tell_also("late.json", late))
    assert (found(verdict), verdict.table, verdict.lake) == ({}, 2, 2)


def test_an_item_that_keeps_changing_is_unsettled_not_different(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell([])

    def meanwhile() -> None:
        world.put(order(1, **SHIPPED))
        world.remove(order(2))
        world.tell_also("late.json", history(order(2, **PAID)))

    verdict = world.verdict(meanwhile)
    assert (found(verdict), verdict.status) == ({"unsettled": [key(1), key(2)]}, 2)


def test_a_fault_beside_an_unsettled_key_is_a_fault(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell([])
    assert world.verdict(lambda: world.put(order(1, **SHIPPED))).status == 1


def test_a_row_without_a_key_is_shown(world: World) -> None:
    world.hold()
    world.tell([{"cdc_new_image": "{}"}, {"cdc_key": "{}", "cdc_new_image": "no JSON"}])
    assert found(world.verdict()) == {"extra": ["null", "{}"]}
    world.tell([{"cdc_new_image": "{}"}, {"cdc_key": "null", "cdc_new_image": "{}"}])
    assert found(world.verdict()) == {"extra": ["null"]}


def test_an_image_that_is_no_json_differs(world: World) -> None:
    world.hold(order(1, **PAID))
    [row] = history(order(1, **PAID))
    world.tell([{**row, "cdc_new_image": row["cdc_new_image"][:20]}])
    verdict = world.verdict()
    assert found(verdict) == {"different": [key(1)]}
    assert verdict.differences[key(1)].path == ""


@settings(
    max_examples=20, phases=QUICKLY, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LIVES, st.data())
def test_verify_says_what_the_law_of_state_says(
    world: World, lives: list[list[Item | None]], data: st.DataObject
) -> None:
    items = [
        order(number, **life[-1])
        for number, life in enumerate(lives)
        if life and life[-1] is not None
    ]
    rows = [row for life in lived(lives) for row in life]
    kept = [row for row in rows if data.draw(st.integers(0, 5)) < 5] + snapshots(rows, data)
    told = data.draw(st.permutations(kept + kept[::2]))
    world.hold(*items)
    world.tell(told[::2], told[1::2])

    lake = {
        row.key: row.new_image
        for row in state.current_rows(map(state.Row.from_columns, told)).values()
    }
    table = {key(int(item["order_id"]["S"][3:])): transform.canonical(item) for item in items}
    expected = {
        "missing": sorted(table.keys() - lake.keys()),
        "extra": sorted(lake.keys() - table.keys()),
        "different": sorted(key for key in table.keys() & lake if table[key] != lake[key]),
    }
    verdict = world.verdict()
    assert found(verdict) == {kind: keys for kind, keys in expected.items() if keys}
    assert (verdict.table, verdict.lake) == (len(table), len(lake))


def test_keys_of_any_type_are_read_again(world: World) -> None:
    world.create_table("readings", {"sensor": "B", "at": "N"})
    items = [
        {"sensor": {"B": bytes([number])}, "at": {"N": f"{number}.50"}} for number in range(120)
    ]
    for item in items:
        world.dynamodb.put_item(TableName="readings", Item=item)
    table = Table.described(world.dynamodb, "readings")
    keys = [table_key for table_key, _ in table.items()]
    assert len(set(keys)) == len(items)
    assert '{"at":{"N":"7.5"},"sensor":{"B":"Bw=="}}' in keys
    assert table.items_of(keys[:100]) == {table_key: table_key for table_key in keys[:100]}
    assert table.items_of([key(1), "null", "[]", '{"at":{"N":"7.50"}}', "{"]) == {}


def test_what_dynamodb_refuses_as_a_key_is_no_key(world: World) -> None:
    both = replace(world.table, key_types={"b": "B", "s": "S"})

    def is_key(first: bytes, second: str) -> bool:
        return both.typed(transform.canonical({"b": {"B": first}, "s": {"S": second}})) is not None

    assert is_key(b"\xff" * 2048, "é" * 512)
    assert is_key(b"\x00", "\x00\U0001f600")
    assert not any((is_key(b"", "x"), is_key(b"x", ""), is_key(b"x" * 2049, "x")))
    assert not any((is_key(b"x", "é" * 512 + "x"), is_key(b"x", "\ud800")))


@pytest.mark.parametrize(
    "hostile", ["'", "') OR true --", 'a"b', "\\", "\x00", "é\u202e", "x" * 2000]
)
def test_no_key_becomes_sql(world: World, hostile: str) -> None:
    item = {"order_id": {"S": hostile}, **PAID}
    world.hold(item, order(1, **PAID))
    world.tell([stream_row(None, {**item, **SHIPPED}, 1)])
    named = transform.canonical({"order_id": item["order_id"]})
    assert found(world.verdict()) == {"missing": [key(1)], "different": [named]}
