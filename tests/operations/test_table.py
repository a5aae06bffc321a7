"""Reads of the table: every item, however DynamoDB splits its answers."""

import re
import zlib
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.table import (
    MAX_KEYS_PER_READ,
    RETRY_ATTEMPTS,
    SEGMENTS,
    InvalidKey,
    Item,
    StreamDisabled,
    Table,
    TableThrottled,
)
from tests.support.laptop_cloud import create_table, laptop

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

# Responses of DynamoDB, in boto3's form.
Response = dict[str, Any]


def order(number: int) -> Item:
    return {"order_id": {"S": f"SO-{number}"}, "n": {"N": str(number)}}


def key(number: int) -> str:
    return f'{{"order_id":{{"S":"SO-{number}"}}}}'


def image(number: int) -> str:
    return f'{{"n":{{"N":"{number}"}},"order_id":{{"S":"SO-{number}"}}}}'


class BusyDynamoDb:
    """DynamoDB under load: it leaves some keys of a read unprocessed, and pages are short."""

    def __init__(self, numbers: list[int], busy_rate: float = 0, page_size: int = 3) -> None:
        self.numbers = numbers
        self.busy_rate = busy_rate
        self.page_size = page_size
        self.rng = Random(1)
        self.requests: list[Response] = []

    def batch_get_item(self, RequestItems: Mapping[str, Response]) -> Response:
        [(name, request)] = RequestItems.items()
        self.requests.append(request)
        keys = request["Keys"]
        assert 0 < len(keys) <= MAX_KEYS_PER_READ
        unprocessed = [item_key for item_key in keys if self.rng.random() < self.busy_rate]
        items = [order(number) for number in self.numbers]
        items_found = [
            item
            for item in items
            if {"order_id": item["order_id"]} in keys
            and {"order_id": item["order_id"]} not in unprocessed
        ]
        retry = {name: {**request, "Keys": unprocessed}} if unprocessed else {}
        return {"Responses": {name: items_found} if items_found else {}, "UnprocessedKeys": retry}

    def scan(self, **request: Any) -> Response:
        self.requests.append(request)
        total = request["TotalSegments"]
        items = [
            item
            for item in map(order, self.numbers)
            if zlib.crc32(item["order_id"]["S"].encode()) % total == request["Segment"]
        ]
        if start_key := request.get("ExclusiveStartKey"):
            position = [{"order_id": item["order_id"]} for item in items].index(start_key)
            items = items[position + 1 :]
        page = items[: request.get("Limit", self.page_size)]
        response: Response = {"Items": page}
        if len(page) < len(items):
            response["LastEvaluatedKey"] = {"order_id": page[-1]["order_id"]}
        return response


def table_on(dynamodb: BusyDynamoDb) -> Table:
    """Return a table without a stream."""
    client = cast("DynamoDBClient", dynamodb)
    return Table(client, "orders", {"order_id": "S"}, "arn", None, 0)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested pauses; none takes any time."""
    pauses: list[float] = []
    monkeypatch.setattr("operations.table.time.sleep", pauses.append)
    return pauses


@given(st.sets(st.integers(0, 300)), st.sets(st.integers(0, 300)), st.floats(0, 0.5))
def test_keys_are_read_however_busy_it_is(
    numbers: set[int], requested: set[int], busy_rate: float
) -> None:
    dynamodb = BusyDynamoDb(sorted(numbers), busy_rate)
    items = table_on(dynamodb).get_items([key(number) for number in sorted(requested)])
    assert items == {key(number): image(number) for number in numbers & requested}
    assert all(request["ConsistentRead"] is True for request in dynamodb.requests)


def test_a_read_may_be_inconsistent() -> None:
    dynamodb = BusyDynamoDb([1])
    table_on(dynamodb).get_items([key(1)], is_consistent=False)
    assert [request["ConsistentRead"] for request in dynamodb.requests] == [False]


def test_no_key_is_asked_for_twice() -> None:
    dynamodb = BusyDynamoDb(list(range(250)))
    assert len(table_on(dynamodb).get_items([key(number) for number in range(250)])) == 250
    assert [len(request["Keys"]) for request in dynamodb.requests] == [100, 100, 50]
    assert table_on(BusyDynamoDb([])).get_items(["null", "{}", '{"order_id":{"N":"1"}}']) == {}


def test_constant_throttling_is_an_error(pauses: list[float]) -> None:
    with pytest.raises(TableThrottled, match="table orders is throttling reads: try again later"):
        table_on(BusyDynamoDb([1], busy_rate=1)).get_items([key(1)])
    assert len(pauses) == RETRY_ATTEMPTS
    assert pauses == sorted(pauses)
    assert 20 < sum(pauses) < 60


def test_only_a_key_of_the_table_is_accepted() -> None:
    table = table_on(BusyDynamoDb([]))
    assert table.require_key(key(1)) == key(1)
    message = r'expected a key of table orders, {"order_id": {"S": "..."}}; found {"order_id":1}'
    with pytest.raises(InvalidKey, match=re.escape(message)):
        table.require_key('{"order_id":1}')


@given(st.sets(st.integers(0, 40)), st.integers(1, 4))
def test_a_scan_reads_every_item_once(numbers: set[int], page_size: int) -> None:
    dynamodb = BusyDynamoDb(sorted(numbers), page_size=page_size)
    items = list(table_on(dynamodb).scan_items())
    assert sorted(items) == sorted((key(number), image(number)) for number in numbers)
    assert {request["TotalSegments"] for request in dynamodb.requests} == {SEGMENTS}
    assert all(request["ConsistentRead"] for request in dynamodb.requests)


@given(st.sets(st.integers(0, 40)), st.integers(1, 5), st.data())
def test_a_scan_resumes_after_its_last_page(
    numbers: set[int], page_size: int, data: st.DataObject
) -> None:
    """Stopped after any page, and resumed after the last keys of its segments, it reads all."""
    table = table_on(BusyDynamoDb(sorted(numbers)))
    positions: dict[int, Item | None] = dict.fromkeys(range(SEGMENTS))
    items: list[Item] = []
    page_count = data.draw(st.integers(0, 8))
    for number, page in enumerate(table.scan_pages(positions, SEGMENTS, dict, page_size)):
        if number == page_count:
            break
        assert len(page.items) <= page_size
        items += page.items
        if page.last_key:
            positions[page.segment] = page.last_key
        else:
            del positions[page.segment]
    else:
        assert positions == {}
    for page in table.scan_pages(positions, SEGMENTS, dict):
        items += page.items
    assert sorted(item["n"]["N"] for item in items) == sorted(map(str, numbers))


def test_a_scan_of_no_segments_reads_nothing() -> None:
    assert list(table_on(BusyDynamoDb([1])).scan_pages({}, SEGMENTS, dict)) == []


@pytest.mark.parametrize(
    ("specification", "has_stream"),
    [
        ({}, False),
        ({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}, True),
    ],
)
def test_a_stream_may_be_missing(specification: Any, has_stream: bool) -> None:
    with laptop():
        dynamodb = boto3.client("dynamodb")
        create_table(dynamodb, "orders", {"customer": "S", "at": "N"})
        if specification:
            dynamodb.update_table(TableName="orders", StreamSpecification=specification)
        table = Table.describe(dynamodb, "orders")
    assert list(table.key_types.items()) == [("customer", "S"), ("at", "N")]
    assert table.arn.endswith(":table/orders")
    if has_stream:
        assert table.require_stream().startswith(f"{table.arn}/stream/")
    else:
        with pytest.raises(StreamDisabled, match=r"run python setup/01_dynamodb\.py"):
            table.require_stream()
