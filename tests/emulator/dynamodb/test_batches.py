"""The laptop's DynamoDB does what a batch asks as if its writes came one by one."""

import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.dynamodb.models.dynamo_type import Item

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from tests.support.laptop_cloud import code_of, empty_account, laptop
from tests.support.orders_table import Orders, items, same

batches = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.none() | items, min_size=1), max_size=3
)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(DynamoDb) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    empty_account()
    return running


@pytest.fixture
def orders(cloud: Cloud) -> Orders:
    return Orders(cloud, f"orders-{time.monotonic_ns()}")


@given(batches)
@settings(max_examples=25)
def test_a_batch_does_what_its_writes_do_one_by_one(
    running: Cloud, written: list[dict[str, dict[str, Any] | None]]
) -> None:
    together, alone = (Orders(running, f"{n}-{time.monotonic_ns()}") for n in ("batch", "single"))
    for batch in written:
        together.batch(*batch.items())
        for key, attributes in batch.items():
            if attributes is None:
                alone.delete(key)
            else:
                alone.put(key, **attributes)
    for key in "abc":
        assert same(together.get(key), alone.get(key))
    assert list(map(told, together.records())) == list(map(told, alone.records()))


def told(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a record tells of a change, whichever table it was made in."""
    change = record["dynamodb"]
    told_of = ("Keys", "OldImage", "NewImage", "SizeBytes", "SequenceNumber")
    return record["eventName"], *map(change.get, told_of)


def test_a_batch_writes_25_items_at_most(orders: Orders) -> None:
    puts = [(str(number), {}) for number in range(26)]
    orders.batch(*puts[:25])
    with pytest.raises(ClientError, match="Too many items requested"):
        orders.batch(*puts)


def put(key: str, **attributes: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"id": {"S": key}, **attributes}}}


def delete(**key: Any) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": key}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"PutRequest": {"Item": {"id": {"N": "1"}}}},
        {"PutRequest": {"Item": {"total": {"N": "1"}}}},
        put(""),
        put("x" * 2049),
        put("two", none={"NULL": False}),
        put("two", text={"S": "x" * 410_000}),
        put("two", flags={"L": [{"NULL": True}] * 210_000}),
        delete(),
        delete(id={"N": "1"}),
        delete(id={"S": ""}),
        delete(id={"S": "two"}, total={"N": "1"}),
    ],
)
def test_a_batch_with_a_wrong_write_does_nothing(orders: Orders, wrong: dict[str, Any]) -> None:
    orders.put("old")
    requests = {orders.name: [put("new"), put("old", total={"N": "1"}), wrong]}
    assert code_of(orders.table.batch_write_item, RequestItems=requests) == "ValidationException"
    assert orders.table.scan(TableName=orders.name)["Items"] == [{"id": {"S": "old"}}]
    assert orders.names() == ["INSERT"]


@pytest.mark.parametrize(
    "writes",
    [
        (put("one", total={"N": "1"}), put("one", total={"N": "2"})),
        (put("one"), delete(id={"S": "one"})),
        (delete(id={"S": "one"}), put("one")),
    ],
)
def test_a_batch_writes_an_item_once(orders: Orders, writes: tuple[dict[str, Any], ...]) -> None:
    requests = {orders.name: list(writes)}
    with pytest.raises(ClientError, match="Provided list of item keys contains duplicates"):
        orders.table.batch_write_item(RequestItems=requests)
    assert orders.records() == []


def test_an_item_is_as_large_in_a_batch_as_alone(orders: Orders) -> None:
    numbers = {"NS": [str(10**37 + n) for n in range(5_500)]}
    orders.put("alone", numbers=numbers, text={"S": "x" * 250_000})
    orders.batch(("together", {"numbers": numbers, "text": {"S": "x" * 250_000}}))


def test_a_batch_finds_its_items_by_both_parts_of_their_key(cloud: Cloud) -> None:
    table, parts = cloud.client("dynamodb"), {"HASH": ("id", "B"), "RANGE": ("n", "N")}
    table.create_table(
        TableName="parts",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": key} for key, (name, _) in parts.items()],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in parts.values()
        ],
    )
    keys = [{"id": {"B": b"\0"}, "n": {"N": number}} for number in ("1", "2", "3")]
    puts = [{"PutRequest": {"Item": key}} for key in keys]
    table.batch_write_item(RequestItems={"parts": puts})
    deletes = [{"DeleteRequest": {"Key": key}} for key in keys[:2]]
    table.batch_write_item(RequestItems={"parts": deletes})
    assert table.scan(TableName="parts")["Items"] == keys[2:]
    assert table.get_item(TableName="parts", Key=keys[2])["Item"] == keys[2]


def test_an_item_that_was_replaced_takes_no_memory(orders: Orders) -> None:
    orders.put(amount={"N": "0"})
    before = held_items()
    for number in range(1, 6):
        orders.put(amount={"N": str(number)})
        orders.batch(("one", {"amount": {"N": f"{number}.5"}}))
        orders.update("SET amount = :n", n={"N": f"-{number}"})
    assert held_items() == before


def held_items() -> int:
    gc.collect()
    return sum(type(each) is Item for each in gc.get_objects())
