"""BatchWriteItem of the laptop cloud: equal to individual writes, atomic, and limited as on AWS."""

import gc
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.dynamodb.models.dynamo_type import Item

from local.core.server import Cloud
from tests.support.laptop_cloud import code_of, create_table
from tests.support.orders_table import Orders, are_equal_items, items

batch_lists = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.none() | items, min_size=1), max_size=3
)


@given(batch_lists)
@settings(max_examples=25)
def test_batch_equals_individual_writes(
    shared_cloud: Cloud, batches: list[dict[str, dict[str, Any] | None]]
) -> None:
    batch_table = Orders(shared_cloud, f"batch-{time.monotonic_ns()}")
    single_table = Orders(shared_cloud, f"single-{time.monotonic_ns()}")
    for batch in batches:
        batch_table.write_batch(*batch.items())
        for key, attributes in batch.items():
            if attributes is None:
                single_table.delete(key)
            else:
                single_table.put(key, **attributes)
    for key in "abc":
        assert are_equal_items(batch_table.get(key), single_table.get(key))
    changes = [change_of(record) for record in batch_table.records()]
    assert changes == [change_of(record) for record in single_table.records()]


def change_of(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return the members of a stream record that do not depend on its table."""
    change = record["dynamodb"]
    members = ("Keys", "OldImage", "NewImage", "SizeBytes", "SequenceNumber")
    return record["eventName"], *map(change.get, members)


def test_batch_is_limited_to_25_items(orders: Orders) -> None:
    puts: list[tuple[str, dict[str, Any]]] = [(str(number), {}) for number in range(26)]
    orders.write_batch(*puts[:25])
    with pytest.raises(ClientError, match="less than or equal to 25"):
        orders.write_batch(*puts)


def put(key: str, **attributes: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"id": {"S": key}, **attributes}}}


def delete(**key: Any) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": key}}


@pytest.mark.parametrize(
    "invalid",
    [
        {"PutRequest": {"Item": {"id": {"N": "1"}}}},
        {"PutRequest": {"Item": {"total": {"N": "1"}}}},
        put(""),
        put("x" * 2049),
        put("two", none={"NULL": False}),
        put("two", text={"S": "x" * 410_000}),
        put("two", flags={"L": [{"NULL": True}] * 60_000}, text={"S": "x" * 300_000}),
        delete(),
        delete(id={"N": "1"}),
        delete(id={"S": ""}),
        delete(id={"S": "two"}, total={"N": "1"}),
    ],
)
def test_batch_with_an_invalid_write_does_nothing(orders: Orders, invalid: dict[str, Any]) -> None:
    orders.put("old")
    requests = {orders.name: [put("new"), put("old", total={"N": "1"}), invalid]}
    assert code_of(orders.table.batch_write_item, RequestItems=requests) == "ValidationException"
    assert orders.table.scan(TableName=orders.name)["Items"] == [{"id": {"S": "old"}}]
    assert orders.event_names() == ["INSERT"]


@pytest.mark.parametrize(
    "writes",
    [
        (put("one", total={"N": "1"}), put("one", total={"N": "2"})),
        (put("one"), delete(id={"S": "one"})),
        (delete(id={"S": "one"}), put("one")),
    ],
)
def test_batch_with_duplicate_keys_is_rejected(
    orders: Orders, writes: tuple[dict[str, Any], ...]
) -> None:
    requests = {orders.name: list(writes)}
    with pytest.raises(ClientError, match="Provided list of item keys contains duplicates"):
        orders.table.batch_write_item(RequestItems=requests)
    assert orders.records() == []


def test_item_size_limit_is_equal_in_batches(orders: Orders) -> None:
    numbers = {"NS": [str(10**37 + n) for n in range(5_500)]}
    orders.put("alone", numbers=numbers, text={"S": "x" * 250_000})
    orders.write_batch(("together", {"numbers": numbers, "text": {"S": "x" * 250_000}}))


def test_batch_uses_both_key_attributes(cloud: Cloud) -> None:
    table: Any = cloud.client("dynamodb")
    create_table(table, "parts", {"id": "B", "n": "N"})
    keys = [{"id": {"B": b"\0"}, "n": {"N": number}} for number in ("1", "2", "3")]
    puts = [{"PutRequest": {"Item": key}} for key in keys]
    table.batch_write_item(RequestItems={"parts": puts})
    deletes = [{"DeleteRequest": {"Key": key}} for key in keys[:2]]
    table.batch_write_item(RequestItems={"parts": deletes})
    assert table.scan(TableName="parts")["Items"] == keys[2:]
    assert table.get_item(TableName="parts", Key=keys[2])["Item"] == keys[2]


@pytest.mark.slow
def test_replaced_items_are_freed(orders: Orders) -> None:
    orders.put(amount={"N": "0"})
    items_before = live_item_count()
    for number in range(1, 6):
        orders.put(amount={"N": str(number)})
        orders.write_batch(("one", {"amount": {"N": f"{number}.5"}}))
        orders.update("SET amount = :n", n={"N": f"-{number}"})
    assert live_item_count() == items_before


def live_item_count() -> int:
    gc.collect()
    return sum(type(item) is Item for item in gc.get_objects())
