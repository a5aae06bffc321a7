"""The laptop's DynamoDB streams changes, finds items and expires them as AWS does."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from tests.support.laptop_cloud import code_of, empty_account, laptop
from tests.support.orders_table import HOUR, Orders, items, same
from tests.support.threads import at_once

REGION = "us-east-1"


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


def test_a_write_that_changes_nothing_leaves_no_record(orders: Orders) -> None:
    orders.put(total={"N": "10.5"}, tags={"SS": ["a", "b"]})
    orders.put(total={"N": "10.50"}, tags={"SS": ["b", "a"]})
    orders.update("SET tags = :t", t={"SS": ["b", "a"]})
    orders.delete("absent")
    assert orders.names() == ["INSERT"]


def test_an_update_that_makes_an_item_is_one_insert(orders: Orders) -> None:
    orders.update("SET phase = :s ADD n :n", s={"S": "placed"}, n={"N": "1"})
    (record,) = orders.records()
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["n"] == {"N": "1"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("SET a = :v ADD phase :v", {"N": "1"}),
        ("SET a = :v ADD total :v", {"N": "0.1"}),
        ("SET a = :v DELETE phase :v", {"SS": ["placed"]}),
        ("SET a = :v, b.c = :v", {"N": "1"}),
    ],
)
def test_a_refused_update_changes_nothing(
    orders: Orders, expression: str, value: dict[str, Any]
) -> None:
    orders.put(phase={"S": "placed"}, total={"N": "9" * 38})
    before = orders.get()
    assert code_of(orders.update, expression, v=value) == "ValidationException"
    assert orders.get() == before
    assert orders.names() == ["INSERT"]


def test_a_refused_update_makes_no_item(orders: Orders) -> None:
    assert code_of(orders.update, "SET a = :v ADD b :v", v={"S": "x"}) == "ValidationException"
    assert orders.get() == {}
    assert orders.names() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | items), max_size=8))
@settings(max_examples=25)
def test_the_stream_tells_the_history_of_every_item(
    running: Cloud, writes: list[tuple[str, dict[str, Any] | None]]
) -> None:
    orders = Orders(running, f"history-{time.monotonic_ns()}")
    for key, attributes in writes:
        if attributes is None:
            orders.delete(key)
        else:
            orders.put(key, **attributes)
    state: dict[str, Any] = {}
    for record in orders.records():
        change = record["dynamodb"]
        key = change["Keys"]["id"]["S"]
        old, new = change.get("OldImage"), change.get("NewImage")
        assert old == state.get(key)
        assert old != new
        expected = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        assert record["eventName"] == expected
        state[key] = new
    for key in "ab":
        assert same(state.get(key) or {}, orders.get(key))


def test_a_record_is_as_aws_writes_it(orders: Orders) -> None:
    orders.put(total={"N": "1"})
    (record,) = orders.records()
    change = record["dynamodb"]
    assert (record["eventVersion"], record["eventSource"]) == ("1.1", "aws:dynamodb")
    assert record["awsRegion"] == REGION
    assert "userIdentity" not in record
    assert "OldImage" not in change
    assert change["ApproximateCreationDateTime"].microsecond == 0
    assert change["SizeBytes"] == len("id") + len("one") + len("id") + len("one") + len("total") + 2
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_sequence_numbers_grow_in_value_and_not_in_text(orders: Orders) -> None:
    for number in range(11):
        orders.put(total={"N": str(number)})
    sequence = [record["dynamodb"]["SequenceNumber"] for record in orders.records()]
    assert sequence == sorted(sequence, key=int)
    assert sequence != sorted(sequence)
    assert all(21 <= len(each) <= 40 for each in sequence)
    assert len({record["eventID"] for record in orders.records()}) == 11


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
def test_a_record_holds_what_the_view_type_says(cloud: Cloud, view: str) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": view}
    orders = Orders(cloud, "viewed", stream=stream)
    orders.put(total={"N": "1"})
    orders.put(total={"N": "2"})
    change = orders.records()[1]["dynamodb"]
    assert ("NewImage" in change) == (view == "NEW_IMAGE")
    assert ("OldImage" in change) == (view == "OLD_IMAGE")


def test_a_cancelled_transaction_leaves_no_record(orders: Orders) -> None:
    put = {"Put": {"TableName": orders.name, "Item": {"id": {"S": "one"}}}}
    check = {
        "ConditionCheck": {
            "TableName": orders.name,
            "Key": {"id": {"S": "two"}},
            "ConditionExpression": "attribute_exists(id)",
        }
    }
    transact = orders.table.transact_write_items
    assert code_of(transact, TransactItems=[put, check]) == "TransactionCanceledException"
    assert orders.names() == []
    transact(TransactItems=[put])
    assert orders.names() == ["INSERT"]


def test_every_iterator_type_starts_where_it_says(orders: Orders) -> None:
    for number in range(3):
        orders.put(total={"N": str(number)})
    sequence = [record["dynamodb"]["SequenceNumber"] for record in orders.records()]
    latest = orders.iterator("LATEST")
    orders.put(total={"N": "3"})
    starts = {
        orders.iterator("TRIM_HORIZON"): ["0", "1", "2", "3"],
        orders.iterator("AT_SEQUENCE_NUMBER", SequenceNumber=sequence[1]): ["1", "2", "3"],
        orders.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=sequence[1]): ["2", "3"],
        latest: ["3"],
    }
    for iterator, expected in starts.items():
        found = orders.page(iterator)["Records"]
        assert [each["dynamodb"]["NewImage"]["total"]["N"] for each in found] == expected


def test_pages_join_to_the_whole_stream(orders: Orders) -> None:
    for number in range(7):
        orders.put(total={"N": str(number)})
    iterator, found = orders.iterator(), []
    for _ in range(4):
        page = orders.page(iterator, Limit=3)
        found += page["Records"]
        iterator = page["NextShardIterator"]
    assert found == orders.records()
    assert orders.page(iterator)["Records"] == []


def test_a_page_of_records_stays_within_1_mb(orders: Orders) -> None:
    for number in range(4):
        orders.put(key=str(number), text={"S": "x" * 390_000})
    page = orders.page(orders.iterator())
    assert len(page["Records"]) == 2
    assert len(orders.page(page["NextShardIterator"])["Records"]) == 2


@pytest.mark.parametrize("change", [lambda token: token[:-4] + "AAAA", lambda _: "nonsense"])
def test_an_invented_iterator_is_refused(orders: Orders, change: Callable[[str], str]) -> None:
    token = change(orders.iterator())
    assert code_of(orders.page, token) == "ValidationException"


def test_an_iterator_lives_15_minutes(orders: Orders, cloud: Cloud) -> None:
    token = orders.iterator()
    cloud.clock.advance(16 * 60)
    assert code_of(orders.page, token) == "ExpiredIteratorException"


def test_what_does_not_exist_is_not_found(orders: Orders) -> None:
    missing = "ResourceNotFoundException"
    assert code_of(orders.stream, orders.arn + "1") == missing
    call = orders.streams.get_shard_iterator
    wanted = {"StreamArn": orders.arn, "ShardIteratorType": "LATEST"}
    assert code_of(call, ShardId="shardId-" + "0" * 30, **wanted) == missing


def test_a_stream_is_enabled_and_disabled_once(orders: Orders) -> None:
    assert code_of(orders.enable, True) == "ResourceInUseException"
    orders.enable(False)
    assert code_of(orders.enable, False) == "ValidationException"


def test_a_stream_that_is_enabled_again_is_another_one(orders: Orders) -> None:
    orders.put(total={"N": "1"})
    old = orders.arn
    orders.enable(False)
    orders.put(total={"N": "2"})
    assert orders.stream()["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in orders.stream()["Shards"][0]["SequenceNumberRange"]
    assert "NextShardIterator" not in orders.page(orders.iterator())
    orders.enable(True)
    orders.put(total={"N": "3"})
    assert orders.stream_arn() > old
    assert orders.names() == ["INSERT"]
    listed = orders.streams.list_streams(TableName=orders.name)["Streams"]
    assert [each["StreamArn"] for each in listed] == [old, orders.stream_arn()]
    orders.arn = orders.stream_arn()
    (record,) = orders.records()
    assert record["dynamodb"]["OldImage"]["total"] == {"N": "2"}


def test_the_stream_of_a_deleted_table_stays_readable_for_24_hours(
    orders: Orders, cloud: Cloud
) -> None:
    orders.put()
    orders.table.delete_table(TableName=orders.name)
    cloud.clock.advance(23 * HOUR)
    assert orders.stream()["StreamStatus"] == "DISABLED"
    assert orders.names() == ["INSERT"]
    cloud.clock.advance(2 * HOUR)
    assert code_of(orders.stream) == "ResourceNotFoundException"
    assert orders.streams.list_streams(TableName=orders.name)["Streams"] == []


def test_shards_close_after_hours_and_have_children(orders: Orders, cloud: Cloud) -> None:
    for number in range(3):
        orders.put(total={"N": str(number)})
        cloud.clock.advance(5 * HOUR)
    first, second, third = orders.stream()["Shards"]
    assert (second["ParentShardId"], third["ParentShardId"]) == (
        first["ShardId"],
        second["ShardId"],
    )
    assert "ParentShardId" not in first
    assert len(orders.records()) == 3
    page = orders.streams.describe_stream(StreamArn=orders.arn, Limit=2)["StreamDescription"]
    assert page["LastEvaluatedShardId"] == second["ShardId"]
    rest = orders.streams.describe_stream(
        StreamArn=orders.arn, ExclusiveStartShardId=second["ShardId"]
    )
    assert rest["StreamDescription"]["Shards"] == [third]


def test_records_are_forgotten_after_24_hours(orders: Orders, cloud: Cloud) -> None:
    orders.put(total={"N": "1"})
    cloud.clock.advance(23 * HOUR)
    orders.put(total={"N": "2"})
    assert orders.names() == ["INSERT", "MODIFY"]
    cloud.clock.advance(2 * HOUR)
    assert orders.names() == ["MODIFY"]


def test_a_position_that_has_been_forgotten_is_refused(orders: Orders, cloud: Cloud) -> None:
    orders.put(total={"N": "1"})
    number = orders.records()[0]["dynamodb"]["SequenceNumber"]
    cloud.clock.advance(25 * HOUR)
    refused = code_of(orders.iterator, "AT_SEQUENCE_NUMBER", SequenceNumber=number)
    assert refused == "TrimmedDataAccessException"
    behind = orders.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
    assert orders.page(behind)["Records"] == []


@pytest.mark.parametrize(
    ("expires_at", "goes"),
    [
        (lambda now: {"N": str(int(now) - 5)}, True),
        (lambda now: {"N": str(int(now) + 60)}, False),
        (lambda now: {"S": str(int(now) - 5)}, False),
        (lambda now: {"N": str(int(now) - 6 * 365 * 24 * HOUR)}, False),
    ],
)
def test_an_expired_item_is_removed_by_dynamodb_itself(
    orders: Orders, cloud: Cloud, expires_at: Callable[[float], Any], goes: bool
) -> None:
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    orders.table.update_time_to_live(TableName=orders.name, TimeToLiveSpecification=ttl)
    orders.put(expires_at=expires_at(cloud.clock.now()))
    cloud.clock.advance(20)
    assert cloud.tick() == goes
    assert bool(orders.get()) != goes
    if goes:
        record = orders.records()[-1]
        assert record["eventName"] == "REMOVE"
        assert record["userIdentity"] == {
            "Type": "Service",
            "PrincipalId": "dynamodb.amazonaws.com",
        }


def test_a_removal_by_hand_has_no_user_identity(orders: Orders) -> None:
    orders.put()
    orders.delete()
    assert orders.names() == ["INSERT", "REMOVE"]
    assert "userIdentity" not in orders.records()[1]


def test_settling_waits_for_no_items_to_expire(orders: Orders, cloud: Cloud) -> None:
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    orders.table.update_time_to_live(TableName=orders.name, TimeToLiveSpecification=ttl)
    orders.put(expires_at={"N": str(int(cloud.clock.now()) + 90 * 24 * HOUR)})
    cloud.run_until_idle()
    assert orders.get()


@pytest.mark.parametrize("segments", [1, 3])
def test_a_scan_finds_every_item_once(orders: Orders, segments: int) -> None:
    for number in range(25):
        orders.put(str(number), text={"S": "x" * 100_000}, bytes={"B": b"\0"})
    pages = orders.table.get_paginator("scan")
    found = []
    for segment in range(segments):
        place = {"Segment": segment, "TotalSegments": segments} if segments > 1 else {}
        for page in pages.paginate(TableName=orders.name, ConsistentRead=True, **place):
            found += page["Items"]
    assert sorted(each["id"]["S"] for each in found) == sorted(map(str, range(25)))
    assert all(each["bytes"] == {"B": b"\0"} for each in found)
    assert orders.table.scan(TableName=orders.name, Select="COUNT", Limit=7)["Count"] == 7


def test_a_scan_goes_on_though_its_last_item_is_gone(orders: Orders) -> None:
    for number in range(10):
        orders.put(str(number))
    first = orders.table.scan(TableName=orders.name, Limit=4)
    orders.delete(first["LastEvaluatedKey"]["id"]["S"])
    rest = orders.table.scan(TableName=orders.name, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert len(rest["Items"]) == 6


@pytest.mark.parametrize(("kind", "of"), [("S", str), ("N", str), ("B", lambda n: bytes([n]))])
def test_pages_of_a_scan_join_whatever_the_type_of_the_key(
    cloud: Cloud, kind: str, of: Callable[[int], Any]
) -> None:
    table, name = cloud.client("dynamodb"), f"typed-{time.monotonic_ns()}"
    table.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": kind}],
    )
    keys = [of(number) for number in range(20)]
    for key in keys:
        table.put_item(TableName=name, Item={"id": {kind: key}})
    pages = table.get_paginator("scan").paginate(TableName=name, PaginationConfig={"PageSize": 3})
    assert sorted(item["id"][kind] for page in pages for item in page["Items"]) == sorted(keys)


@pytest.mark.parametrize("key", [{"id": {"N": "1"}}, {"id": {"S": ""}}, {"n": {"S": "one"}}])
def test_a_key_that_the_table_cannot_have_is_refused(orders: Orders, key: dict[str, Any]) -> None:
    one, many = {"TableName": orders.name, "Key": key}, {orders.name: {"Keys": [key]}}
    set_one = {"UpdateExpression": "SET a = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    refused = "ValidationException"
    assert code_of(orders.table.get_item, **one) == refused
    assert code_of(orders.table.delete_item, **one) == refused
    assert code_of(orders.table.update_item, **one, **set_one) == refused
    assert code_of(orders.table.batch_get_item, RequestItems=many) == refused
    assert orders.table.scan(TableName=orders.name)["Items"] == []


def test_a_scan_goes_on_behind_a_key_of_its_table(orders: Orders) -> None:
    elsewhere = {"TableName": orders.name, "ExclusiveStartKey": {"n": {"S": "one"}}}
    assert code_of(orders.table.scan, **elsewhere) == "ValidationException"


def test_a_batch_get_finds_what_is_there(orders: Orders) -> None:
    orders.put("one", total={"N": "1"})
    keys = [{"id": {"S": "one"}}, {"id": {"S": "two"}}]
    answer = orders.table.batch_get_item(RequestItems={orders.name: {"Keys": keys}})
    assert answer["Responses"][orders.name] == [{"id": {"S": "one"}, "total": {"N": "1"}}]
    assert answer["UnprocessedKeys"] == {}
    twice = {orders.name: {"Keys": [keys[0], keys[0]]}}
    assert code_of(orders.table.batch_get_item, RequestItems=twice) == "ValidationException"


def test_changes_are_counted(orders: Orders, cloud: Cloud) -> None:
    before = sum(hop.received for hop in cloud.service(DynamoDb).counts())
    orders.put()
    orders.put()
    orders.delete()
    count = before + 2
    assert cloud.service(DynamoDb).counts() == [HopCount("DynamoDB stream", count, count, 0)]


def test_many_writers_leave_one_history(orders: Orders) -> None:
    def write(number: int) -> None:
        client = boto3.client("dynamodb")
        for round_ in range(10):
            item = {"id": {"S": "one"}, "total": {"N": str(number * 100 + round_)}}
            client.put_item(TableName=orders.name, Item=item)

    at_once(write)
    images = [record["dynamodb"] for record in orders.records()]
    assert len(images) == 40
    for before, after in pairwise(images):
        assert after["OldImage"] == before["NewImage"]
