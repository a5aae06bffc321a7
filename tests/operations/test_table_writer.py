"""Table writer: every item is put, exactly as it was, however busy DynamoDB is."""

import json
from random import Random
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.services.dynamodb.service import DynamoDb
from operations.table import Item, Table, TableThrottled
from operations.table_writer import (
    MAX_BATCH_CHARACTERS,
    MAX_BATCH_ITEMS,
    RETRY_ATTEMPTS,
    TableWriter,
    typed_item,
)
from tests.strategies.records import items
from tests.support.laptop_cloud import create_table, laptop
from transform import canonical

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

EVERY_TYPE: Item = {
    "order_id": {"S": "SO-1"},
    "digits": {"N": "0.12345678901234567890123456789012345678"},
    "large": {"N": "9" * 38 + "0" * 87},
    "small": {"N": "-0." + "0" * 129 + "1"},
    "empty": {"S": ""},
    "no_bytes": {"B": b""},
    "bytes": {"B": bytes(range(256))},
    "flags": {
        "L": [{"BOOL": True}, {"BOOL": False}, {"NULL": True}, {"L": [{"B": b"\1"}]}, {"M": {}}]
    },
    "sets": {"M": {"s": {"SS": ["b", "a"]}, "n": {"NS": ["10", "9"]}, "b": {"BS": [b"\0", b"\1"]}}},
    "text": {"S": 'é😀\u2028"\\\x01'},
}


class BusyDynamoDb:
    """DynamoDB that leaves some of the writes of each batch unprocessed."""

    def __init__(self, busyness: float, rng: Random) -> None:
        self.items: list[Item] = []
        self.batches: list[list[Any]] = []
        self._busyness = busyness
        self._rng = rng

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:
        [(name, writes)] = RequestItems.items()
        self.batches.append(writes)
        unprocessed = [write for write in writes if self._rng.random() < self._busyness]
        accepted = [write for write in writes if write not in unprocessed]
        self.items += [write["PutRequest"]["Item"] for write in accepted]
        return {"UnprocessedItems": {name: unprocessed} if unprocessed else {}}


def writer_to(dynamodb: Any, rate: float = 1e6) -> TableWriter:
    client = cast("DynamoDBClient", dynamodb)
    return TableWriter(Table(client, "restored", {"order_id": "S"}, "arn", None, None), rate)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested pauses; none takes any time."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    return pauses


@given(items())
def test_an_image_is_its_item(item: Item) -> None:
    image = canonical(item)
    assert canonical(typed_item(image)) == image


@given(st.integers(0, 60), st.floats(0, 0.5), st.integers(0, 99))
def test_every_item_is_put_once(number: int, busyness: float, seed: int) -> None:
    dynamodb = BusyDynamoDb(busyness, Random(seed))
    images = [f'{{"n":{{"N":"{n}"}}}}' for n in range(number)]
    writer_to(dynamodb).write(images, number)
    assert sorted(map(canonical, dynamodb.items)) == sorted(images)
    assert all(len(batch) <= MAX_BATCH_ITEMS for batch in dynamodb.batches)


def test_a_batch_of_large_items_is_small() -> None:
    dynamodb = BusyDynamoDb(0, Random(0))
    image = canonical({"note": {"S": "x" * 400_000}})
    writer_to(dynamodb).write([image] * 5, 5)
    assert [len(batch) for batch in dynamodb.batches] == [2, 2, 1]
    assert all(len(json.dumps(batch)) <= MAX_BATCH_CHARACTERS for batch in dynamodb.batches)


def test_a_throttled_table_is_named(pauses: list[float]) -> None:
    dynamodb = BusyDynamoDb(1, Random(0))
    with pytest.raises(TableThrottled, match="table restored is throttling writes: run it again"):
        writer_to(dynamodb).write(['{"n":{"N":"1"}}'], 1)
    assert len(pauses) > RETRY_ATTEMPTS
    assert sum(pauses) > 30


def test_batches_follow_the_rate(pauses: list[float]) -> None:
    dynamodb = BusyDynamoDb(0, Random(0))
    writer_to(dynamodb, 4).write([f'{{"n":{{"N":"{n}"}}}}' for n in range(9)], 9)
    assert [len(batch) for batch in dynamodb.batches] == [4, 4, 1]
    assert sum(pauses) > 1


def test_dynamodb_returns_every_type_as_it_was() -> None:
    with laptop(DynamoDb):
        dynamodb = boto3.client("dynamodb")
        create_table(dynamodb, "restored", {"order_id": "S"})
        table = Table.describe(dynamodb, "restored")
        TableWriter(table, 1000).write([canonical(EVERY_TYPE)], 1)
        assert list(table.scan_items()) == [('{"order_id":{"S":"SO-1"}}', canonical(EVERY_TYPE))]
