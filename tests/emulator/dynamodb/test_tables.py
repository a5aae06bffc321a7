"""DynamoDB tables of the laptop cloud: streams, scans, batch reads and TTL as on AWS."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from tests.support.laptop_cloud import code_of, create_table, metric_sum
from tests.support.orders_table import HOUR, Orders, are_equal_items, items
from tests.support.threads import run_in_threads

REGION = "us-east-1"
EVENT_NAMES = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}


def test_noop_writes_leave_no_record(orders: Orders) -> None:
    orders.put(total={"N": "10.5"}, tags={"SS": ["a", "b"]})
    orders.put(total={"N": "10.50"}, tags={"SS": ["b", "a"]})
    orders.update("SET tags = :t", t={"SS": ["b", "a"]})
    orders.delete("absent")
    assert orders.event_names() == ["INSERT"]


def test_update_that_creates_item_is_one_insert(orders: Orders) -> None:
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
def test_rejected_update_changes_nothing(
    orders: Orders, expression: str, value: dict[str, Any]
) -> None:
    orders.put(phase={"S": "placed"}, total={"N": "9" * 38})
    before = orders.get()
    assert code_of(orders.update, expression, v=value) == "ValidationException"
    assert orders.get() == before
    assert orders.event_names() == ["INSERT"]


def test_rejected_update_creates_no_item(orders: Orders) -> None:
    assert code_of(orders.update, "SET a = :v ADD b :v", v={"S": "x"}) == "ValidationException"
    assert orders.get() == {}
    assert orders.event_names() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | items), max_size=8))
@settings(max_examples=25)
def test_stream_contains_history_of_every_item(
    shared_cloud: Cloud, writes: list[tuple[str, dict[str, Any] | None]]
) -> None:
    orders = Orders(shared_cloud, f"history-{time.monotonic_ns()}")
    for key, attributes in writes:
        if attributes is None:
            orders.delete(key)
        else:
            orders.put(key, **attributes)
    state: dict[str, Any] = {}
    for record in orders.records():
        change = record["dynamodb"]
        key = change["Keys"]["id"]["S"]
        old = change.get("OldImage")
        new = change.get("NewImage")
        assert old == state.get(key)
        assert old != new
        assert record["eventName"] == EVENT_NAMES[old is not None, new is not None]
        state[key] = new
    for key in "ab":
        assert are_equal_items(state.get(key) or {}, orders.get(key))


def test_record_has_the_members_of_aws(orders: Orders) -> None:
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


def test_sequence_numbers_sort_as_numbers_only(orders: Orders) -> None:
    for number in range(11):
        orders.put(total={"N": str(number)})
    sequence = [record["dynamodb"]["SequenceNumber"] for record in orders.records()]
    assert sequence == sorted(sequence, key=int)
    assert sequence != sorted(sequence)
    assert all(21 <= len(number) <= 40 for number in sequence)
    assert len({record["eventID"] for record in orders.records()}) == 11


@pytest.mark.parametrize("view_type", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
def test_view_type_selects_images(cloud: Cloud, view_type: str) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": view_type}
    orders = Orders(cloud, "orders", stream=stream)
    orders.put(total={"N": "1"})
    orders.put(total={"N": "2"})
    change = orders.records()[1]["dynamodb"]
    assert ("NewImage" in change) == (view_type == "NEW_IMAGE")
    assert ("OldImage" in change) == (view_type == "OLD_IMAGE")


def test_cancelled_transaction_leaves_no_record(orders: Orders) -> None:
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
    assert orders.event_names() == []
    transact(TransactItems=[put])
    assert orders.event_names() == ["INSERT"]


def test_iterator_types_start_at_their_positions(orders: Orders) -> None:
    for number in range(3):
        orders.put(total={"N": str(number)})
    sequence = [record["dynamodb"]["SequenceNumber"] for record in orders.records()]
    latest = orders.iterator("LATEST")
    orders.put(total={"N": "3"})
    expected_totals = {
        orders.iterator("TRIM_HORIZON"): ["0", "1", "2", "3"],
        orders.iterator("AT_SEQUENCE_NUMBER", SequenceNumber=sequence[1]): ["1", "2", "3"],
        orders.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=sequence[1]): ["2", "3"],
        latest: ["3"],
    }
    for iterator, expected in expected_totals.items():
        images = [record["dynamodb"]["NewImage"] for record in orders.page(iterator)["Records"]]
        assert [image["total"]["N"] for image in images] == expected


def test_pages_cover_the_whole_stream(orders: Orders) -> None:
    for number in range(7):
        orders.put(total={"N": str(number)})
    iterator = orders.iterator()
    records = []
    for _ in range(4):
        page = orders.page(iterator, Limit=3)
        records += page["Records"]
        iterator = page["NextShardIterator"]
    assert records == orders.records()
    assert orders.page(iterator)["Records"] == []


def test_page_of_records_is_limited_to_1_mb(orders: Orders) -> None:
    for number in range(4):
        orders.put(key=str(number), text={"S": "x" * 390_000})
    page = orders.page(orders.iterator())
    assert len(page["Records"]) == 2
    assert len(orders.page(page["NextShardIterator"])["Records"]) == 2


@pytest.mark.parametrize("damage", [lambda token: token[:-4] + "AAAA", lambda _: "nonsense"])
def test_invalid_iterator_is_rejected(orders: Orders, damage: Callable[[str], str]) -> None:
    iterator = damage(orders.iterator())
    assert code_of(orders.page, iterator) == "ValidationException"


def test_iterator_expires_after_15_minutes(orders: Orders, cloud: Cloud) -> None:
    iterator = orders.iterator()
    cloud.clock.advance(16 * 60)
    assert code_of(orders.page, iterator) == "ExpiredIteratorException"


def test_reads_of_a_stream_are_published(cloud: Cloud, orders: Orders) -> None:
    orders.put(total={"N": "1"})
    orders.records()
    cloud.clock.advance(HOUR)
    cloud.tick()
    dimensions = {
        "TableName": orders.name,
        "Operation": "GetRecords",
        "StreamLabel": orders.stream_arn().rpartition("/")[2],
    }
    assert metric_sum("AWS/DynamoDB", "ReturnedRecordsCount", **dimensions) == 1
    assert metric_sum("AWS/DynamoDB", "SuccessfulRequestLatency", **dimensions) > 0


def test_missing_stream_and_shard_are_not_found(orders: Orders) -> None:
    not_found = "ResourceNotFoundException"
    assert code_of(orders.describe_stream, orders.arn + "1") == not_found
    params = {
        "StreamArn": orders.arn,
        "ShardId": "shardId-" + "0" * 30,
        "ShardIteratorType": "LATEST",
    }
    assert code_of(orders.streams.get_shard_iterator, **params) == not_found


def test_stream_cannot_be_enabled_twice(orders: Orders) -> None:
    assert code_of(orders.enable_stream) == "ResourceInUseException"
    orders.disable_stream()
    assert code_of(orders.disable_stream) == "ValidationException"


def test_reenabled_stream_is_a_new_stream(orders: Orders) -> None:
    orders.put(total={"N": "1"})
    old_arn = orders.arn
    orders.disable_stream()
    orders.put(total={"N": "2"})
    assert orders.describe_stream()["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in orders.describe_stream()["Shards"][0]["SequenceNumberRange"]
    assert "NextShardIterator" not in orders.page(orders.iterator())
    orders.enable_stream()
    orders.put(total={"N": "3"})
    assert orders.stream_arn() > old_arn
    assert orders.event_names() == ["INSERT"]
    streams = orders.streams.list_streams(TableName=orders.name)["Streams"]
    assert [stream["StreamArn"] for stream in streams] == [old_arn, orders.stream_arn()]
    orders.arn = orders.stream_arn()
    (record,) = orders.records()
    assert record["dynamodb"]["OldImage"]["total"] == {"N": "2"}


def test_stream_outlives_its_table_for_24_hours(orders: Orders, cloud: Cloud) -> None:
    orders.put()
    orders.table.delete_table(TableName=orders.name)
    cloud.clock.advance(23 * HOUR)
    assert orders.describe_stream()["StreamStatus"] == "DISABLED"
    assert orders.event_names() == ["INSERT"]
    cloud.clock.advance(2 * HOUR)
    assert code_of(orders.describe_stream) == "ResourceNotFoundException"
    assert orders.streams.list_streams(TableName=orders.name)["Streams"] == []


def test_shards_close_and_have_children(orders: Orders, cloud: Cloud) -> None:
    for number in range(3):
        orders.put(total={"N": str(number)})
        cloud.clock.advance(5 * HOUR)
    first, second, third = orders.describe_stream()["Shards"]
    assert second["ParentShardId"] == first["ShardId"]
    assert third["ParentShardId"] == second["ShardId"]
    assert "ParentShardId" not in first
    assert len(orders.records()) == 3
    page = orders.streams.describe_stream(StreamArn=orders.arn, Limit=2)["StreamDescription"]
    assert page["LastEvaluatedShardId"] == second["ShardId"]
    next_page = orders.streams.describe_stream(
        StreamArn=orders.arn, ExclusiveStartShardId=second["ShardId"]
    )
    assert next_page["StreamDescription"]["Shards"] == [third]


def test_records_are_trimmed_after_24_hours(orders: Orders, cloud: Cloud) -> None:
    orders.put(total={"N": "1"})
    cloud.clock.advance(23 * HOUR)
    orders.put(total={"N": "2"})
    assert orders.event_names() == ["INSERT", "MODIFY"]
    cloud.clock.advance(2 * HOUR)
    assert orders.event_names() == ["MODIFY"]


def test_trimmed_position_is_rejected(orders: Orders, cloud: Cloud) -> None:
    orders.put(total={"N": "1"})
    number = orders.records()[0]["dynamodb"]["SequenceNumber"]
    cloud.clock.advance(25 * HOUR)
    error_code = code_of(orders.iterator, "AT_SEQUENCE_NUMBER", SequenceNumber=number)
    assert error_code == "TrimmedDataAccessException"
    iterator = orders.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=number)
    assert orders.page(iterator)["Records"] == []


@pytest.mark.parametrize(
    ("expires_at", "is_removed"),
    [
        (lambda now: {"N": str(int(now) - 5)}, True),
        (lambda now: {"N": str(int(now) + 60)}, False),
        (lambda now: {"S": str(int(now) - 5)}, False),
        (lambda now: {"N": str(int(now) - 6 * 365 * 24 * HOUR)}, False),
    ],
)
def test_expired_item_is_removed_by_dynamodb(
    orders: Orders, cloud: Cloud, expires_at: Callable[[float], Any], is_removed: bool
) -> None:
    orders.enable_ttl()
    orders.put(expires_at=expires_at(cloud.clock.now()))
    cloud.clock.advance(20)
    assert cloud.tick() == is_removed
    assert bool(orders.get()) != is_removed
    if is_removed:
        record = orders.records()[-1]
        assert record["eventName"] == "REMOVE"
        assert record["userIdentity"] == {
            "Type": "Service",
            "PrincipalId": "dynamodb.amazonaws.com",
        }


def test_user_removal_has_no_user_identity(orders: Orders) -> None:
    orders.put()
    orders.delete()
    assert orders.event_names() == ["INSERT", "REMOVE"]
    assert "userIdentity" not in orders.records()[1]


def test_run_until_idle_does_not_wait_for_ttl(orders: Orders, cloud: Cloud) -> None:
    orders.enable_ttl()
    orders.put(expires_at={"N": str(int(cloud.clock.now()) + 90 * 24 * HOUR)})
    cloud.run_until_idle()
    assert orders.get()


@pytest.mark.parametrize("segments", [1, 3])
def test_scan_returns_every_item_once(orders: Orders, segments: int) -> None:
    for number in range(25):
        orders.put(str(number), text={"S": "x" * 100_000}, bytes={"B": b"\0"})
    paginator = orders.table.get_paginator("scan")
    items = []
    for segment in range(segments):
        params = {"Segment": segment, "TotalSegments": segments} if segments > 1 else {}
        for page in paginator.paginate(TableName=orders.name, ConsistentRead=True, **params):
            items += page["Items"]
    assert sorted(item["id"]["S"] for item in items) == sorted(map(str, range(25)))
    assert all(item["bytes"] == {"B": b"\0"} for item in items)
    assert orders.table.scan(TableName=orders.name, Select="COUNT", Limit=7)["Count"] == 7


def test_scan_resumes_after_deleted_last_item(orders: Orders) -> None:
    for number in range(10):
        orders.put(str(number))
    last_key = orders.table.scan(TableName=orders.name, Limit=4)["LastEvaluatedKey"]
    orders.delete(last_key["id"]["S"])
    next_page = orders.table.scan(TableName=orders.name, ExclusiveStartKey=last_key)
    assert len(next_page["Items"]) == 6


@pytest.mark.parametrize(
    ("key_type", "make_key"), [("S", str), ("N", str), ("B", lambda number: bytes([number]))]
)
def test_scan_pages_work_with_every_key_type(
    cloud: Cloud, key_type: str, make_key: Callable[[int], Any]
) -> None:
    table: Any = cloud.client("dynamodb")
    name = f"typed-{time.monotonic_ns()}"
    create_table(table, name, {"id": key_type})
    keys = [make_key(number) for number in range(20)]
    for key in keys:
        table.put_item(TableName=name, Item={"id": {key_type: key}})
    pages = table.get_paginator("scan").paginate(TableName=name, PaginationConfig={"PageSize": 3})
    assert sorted(item["id"][key_type] for page in pages for item in page["Items"]) == sorted(keys)


@pytest.mark.parametrize("key", [{"id": {"N": "1"}}, {"id": {"S": ""}}, {"n": {"S": "one"}}])
def test_key_that_violates_schema_is_rejected(orders: Orders, key: dict[str, Any]) -> None:
    item = {"TableName": orders.name, "Key": key}
    update = {"UpdateExpression": "SET a = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    batch = {orders.name: {"Keys": [key]}}
    error_code = "ValidationException"
    assert code_of(orders.table.get_item, **item) == error_code
    assert code_of(orders.table.delete_item, **item) == error_code
    assert code_of(orders.table.update_item, **item, **update) == error_code
    assert code_of(orders.table.batch_get_item, RequestItems=batch) == error_code
    assert orders.table.scan(TableName=orders.name)["Items"] == []


def test_scan_rejects_start_key_of_another_schema(orders: Orders) -> None:
    params = {"TableName": orders.name, "ExclusiveStartKey": {"n": {"S": "one"}}}
    assert code_of(orders.table.scan, **params) == "ValidationException"


def test_batch_get_returns_existing_items(orders: Orders) -> None:
    orders.put("one", total={"N": "1"})
    keys = [{"id": {"S": "one"}}, {"id": {"S": "two"}}]
    response = orders.table.batch_get_item(RequestItems={orders.name: {"Keys": keys}})
    assert response["Responses"][orders.name] == [{"id": {"S": "one"}, "total": {"N": "1"}}]
    assert response["UnprocessedKeys"] == {}
    duplicate = {orders.name: {"Keys": [keys[0], keys[0]]}}
    assert code_of(orders.table.batch_get_item, RequestItems=duplicate) == "ValidationException"


def test_counts_include_every_change(orders: Orders, cloud: Cloud) -> None:
    before = sum(hop.received for hop in cloud.service(DynamoDb).counts())
    orders.put()
    orders.put()
    orders.delete()
    count = before + 2
    assert cloud.service(DynamoDb).counts() == [HopCount("DynamoDB stream", count, count, 0)]


def test_concurrent_writers_leave_one_history(orders: Orders) -> None:
    def write(writer: int) -> None:
        client = boto3.client("dynamodb")
        for version in range(10):
            total = str(100 * writer + version)
            item = {"id": {"S": "one"}, "total": {"N": total}}
            client.put_item(TableName=orders.name, Item=item)

    run_in_threads(write)
    images = [record["dynamodb"] for record in orders.records()]
    assert len(images) == 40
    for before, after in pairwise(images):
        assert after["OldImage"] == before["NewImage"]
