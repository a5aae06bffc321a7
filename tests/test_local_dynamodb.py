"""The laptop's DynamoDB stores numbers, streams changes and expires items as AWS does."""

import gc
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from moto.dynamodb.models.dynamo_type import Item

from local.call import AwsError
from local.cloud import Cloud
from local.dynamodb.number import stored_number, stored_sum
from local.dynamodb.part import DynamoDb
from local.dynamodb.values import as_json, stored_values
from local.hops import HopCount
from tests.laptop import code_of, empty_account, laptop
from tests.threads import at_once

REGION = "us-east-1"
HOUR = 3600
STREAMED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-130, 88),
)
scalars = st.one_of(
    st.text(max_size=5).map(lambda text: {"S": text}),
    st.integers(-99, 99).map(lambda number: {"N": str(number)}),
    st.binary(max_size=5).map(lambda content: {"B": content}),
    st.sets(st.text(max_size=3), min_size=1, max_size=3).map(lambda texts: {"SS": list(texts)}),
    st.sampled_from([{"BOOL": True}, {"BOOL": False}, {"NULL": True}]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: {"L": each})
        | st.dictionaries(st.sampled_from("aNS"), inner, max_size=3).map(lambda each: {"M": each})
    ),
    max_leaves=5,
)
items = st.dictionaries(st.sampled_from(["a", "N", "NS", "total"]), values, max_size=3)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(DynamoDb) as cloud:
        yield cloud


class Orders:
    """A table with a stream, and what a test asks of them."""

    def __init__(self, cloud: Cloud, name: str, **given: Any) -> None:
        self.table = cloud.client("dynamodb")
        self.streams = cloud.client("dynamodbstreams")
        self.name = name
        self.table.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification=given.get("stream", STREAMED),
        )
        self.arn = self.stream_arn()

    def stream_arn(self) -> str:
        return self.table.describe_table(TableName=self.name)["Table"]["LatestStreamArn"]

    def put(self, key: str = "one", **attributes: Any) -> None:
        self.table.put_item(TableName=self.name, Item={"id": {"S": key}, **attributes})

    def get(self, key: str = "one") -> dict[str, Any]:
        answer = self.table.get_item(TableName=self.name, Key={"id": {"S": key}})
        return answer.get("Item", {})

    def delete(self, key: str = "one") -> None:
        self.table.delete_item(TableName=self.name, Key={"id": {"S": key}})

    def batch(self, *writes: tuple[str, dict[str, Any] | None]) -> None:
        """Put items by their keys in one call, and delete those that are None."""
        requests = [
            {"DeleteRequest": {"Key": {"id": {"S": key}}}}
            if attributes is None
            else {"PutRequest": {"Item": {"id": {"S": key}, **attributes}}}
            for key, attributes in writes
        ]
        self.table.batch_write_item(RequestItems={self.name: requests})

    def update(self, expression: str, key: str = "one", **values: Any) -> None:
        self.table.update_item(
            TableName=self.name,
            Key={"id": {"S": key}},
            UpdateExpression=expression,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def enable(self, on: bool) -> None:
        wanted = STREAMED if on else {"StreamEnabled": False}
        self.table.update_table(TableName=self.name, StreamSpecification=wanted)

    def stream(self, arn: str = "") -> dict[str, Any]:
        return self.streams.describe_stream(StreamArn=arn or self.arn)["StreamDescription"]

    def iterator(self, kind: str = "TRIM_HORIZON", shard: int = 0, **given: str) -> str:
        shard_id = self.stream()["Shards"][shard]["ShardId"]
        answer = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard_id, ShardIteratorType=kind, **given
        )
        return answer["ShardIterator"]

    def page(self, iterator: str, **given: Any) -> dict[str, Any]:
        return self.streams.get_records(ShardIterator=iterator, **given)

    def records(self) -> list[dict[str, Any]]:
        shards = range(len(self.stream()["Shards"]))
        return [
            each for shard in shards for each in self.page(self.iterator(shard=shard))["Records"]
        ]

    def names(self) -> list[str]:
        return [record["eventName"] for record in self.records()]


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    empty_account()
    return running


@pytest.fixture
def orders(cloud: Cloud) -> Orders:
    return Orders(cloud, f"orders-{time.monotonic_ns()}")


def outcome(call: Callable[..., str], *given: str) -> str:
    """Return what a call returns, or the code of AWS's error that it raises."""
    try:
        return call(*given)
    except AwsError as error:
        return error.code


@given(numbers, st.sampled_from(["{}", "{:E}", "{:f}", "+{}", "000{}", "{:e}"]))
@example(Decimal("10.50"), "{}")
@example(Decimal("1E+2"), "{}")
@example(Decimal("-0.0"), "{}")
@example(Decimal("9." + "9" * 37 + "E+125"), "{}")
def test_a_number_has_one_spelling_and_keeps_its_value(number: Decimal, spelling: str) -> None:
    assume(number.is_zero() or -130 <= number.adjusted() <= 125)
    assume(not (number.is_signed() and spelling[0] in "+0"))
    stored = stored_number(spelling.format(number))
    assert Decimal(stored) == number
    assert stored == stored_number(format(number, "f")) == stored_number(stored)
    assert "E" not in stored
    assert not stored.startswith("+")


@given(st.text(max_size=12) | st.from_regex(r"[-+]?\d*\.?\d*([eE][-+]?\d{1,30})?"))
@example("1_000")
@example("NaN")
@example("1e99999999999999999999999")
@example("\u0661")
def test_any_text_is_a_stored_number_or_refused(text: str) -> None:
    stored = outcome(stored_number, text)
    assert stored == "ValidationException" or stored_number(stored) == stored


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1" * 39, "more than 38 significant digits"),
        ("1E126", "Number overflow"),
        ("-1E-131", "Number underflow"),
        ("two", "cannot be converted to a numeric value: two"),
    ],
)
def test_a_number_that_dynamodb_cannot_hold_is_refused(
    orders: Orders, number: str, reason: str
) -> None:
    for value in ({"N": number}, {"NS": [number]}, {"L": [{"M": {"x": {"N": number}}}]}):
        with pytest.raises(ClientError, match=reason):
            orders.put(total=value)
    assert orders.records() == []


def test_numbers_are_stored_plainly_wherever_they_stand(orders: Orders) -> None:
    orders.put(
        total={"N": "010.500"},
        N={"L": [{"M": {"N": {"N": "1E+2"}}}, {"NS": ["1.0", "-0"]}]},
    )
    stored = {"total": {"N": "10.5"}, "N": {"L": [{"M": {"N": {"N": "100"}}}, {"NS": ["0", "1"]}]}}
    item = orders.records()[0]["dynamodb"]["NewImage"]
    assert item == {"id": {"S": "one"}, **stored}
    assert orders.get()["total"] == {"N": "10.5"}


def nested(levels: int) -> dict[str, Any]:
    """Return a value of so many maps, one within the other."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"L": value}}
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"SS": ["a", "a"]}, "contains duplicates"),
        ({"L": [{"BS": [b"a", b"a"]}]}, "contains duplicates"),
        ({"SS": []}, "may not be empty"),
        ({"M": {"x": {"BS": []}}}, "may not be empty"),
        ({"S": "1", "N": "1"}, "more than one datatypes"),
        (nested(33), "Nesting Levels"),
    ],
)
def test_a_value_that_dynamodb_does_not_take_is_refused(
    orders: Orders, value: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        orders.put(x=value)
    with pytest.raises(ClientError, match=reason):
        orders.update("SET x = :x", x=value)
    assert orders.records() == []


def test_names_like_tags_and_32_levels_are_taken(orders: Orders) -> None:
    item = {"S": {"S": "x"}, "N": {"N": "1"}, "SS": {"L": []}, "M": nested(32)}
    orders.put(**item)
    assert orders.get() == {"id": {"S": "one"}, **item}


batches = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.none() | items, min_size=1), max_size=3
)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": {"N": "1"}},
        {"id": {"S": ""}},
        {"id": {"S": "x" * 2049}},
        {"total": {"N": "1"}},
        {"id": {"S": "two"}, "none": {"NULL": False}},
        {"id": {"S": "two"}, "text": {"S": "x" * 410_000}},
    ],
)
def test_a_batch_with_a_wrong_item_is_refused(orders: Orders, wrong: dict[str, Any]) -> None:
    requests = {orders.name: [{"PutRequest": {"Item": wrong}}]}
    assert code_of(orders.table.batch_write_item, RequestItems=requests) == "ValidationException"
    assert orders.records() == []


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


@given(numbers.filter(lambda n: -40 < n.adjusted() < 40), numbers)
@settings(max_examples=50)
def test_sums_are_exact_or_refused(left: Decimal, right: Decimal) -> None:
    assume(-40 < right.adjusted() < 40)
    one, two = stored_number(str(left)), stored_number(str(right))
    total = outcome(stored_sum, one, two)
    assert total == "ValidationException" or Fraction(total) == Fraction(one) + Fraction(two)
    digits = str(Fraction(one) + Fraction(two)).strip("-0")
    assert total != "ValidationException" or len(digits) > 38


def test_an_update_adds_exactly(orders: Orders) -> None:
    orders.put(amount={"N": "1" * 30})
    orders.update("SET amount = amount + :n", n={"N": "0.50"})
    assert orders.get()["amount"] == {"N": "1" * 30 + ".5"}


def test_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(AwsError, match="SerializationException"):
        as_json(stored_values(b'{"Item": {"id": {"S": "\\ud800"}}}'))


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


def same(left: Any, right: Any) -> bool:
    """Compare items; the elements of a set have no order."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: sorted(each) if name == "SS" and isinstance(each, list) else ordered(each)
                for name, each in value.items()
            }
        return [ordered(each) for each in value] if isinstance(value, list) else value

    return bool(ordered(left) == ordered(right))


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
    assert cloud.step() == goes
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
    cloud.settle()
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


def test_a_batch_get_finds_what_is_there(orders: Orders) -> None:
    orders.put("one", total={"N": "1"})
    keys = [{"id": {"S": "one"}}, {"id": {"S": "two"}}]
    answer = orders.table.batch_get_item(RequestItems={orders.name: {"Keys": keys}})
    assert answer["Responses"][orders.name] == [{"id": {"S": "one"}, "total": {"N": "1"}}]
    assert answer["UnprocessedKeys"] == {}
    twice = {orders.name: {"Keys": [keys[0], keys[0]]}}
    assert code_of(orders.table.batch_get_item, RequestItems=twice) == "ValidationException"


def test_an_item_is_at_most_400_kb(orders: Orders) -> None:
    for size in (200_000, 300_000, 400_000):
        orders.put(text={"S": "x" * size})
    assert code_of(orders.put, text={"S": "x" * 410_000}) == "ValidationException"
    orders.put("two", one={"S": "x" * 300_000})
    grow = {"t": {"S": "x" * 200_000}}
    assert code_of(orders.update, "SET more = :t", "two", **grow) == "ValidationException"
    orders.update("SET one = :t", "two", **grow)
    orders.update("SET more = :t", "two", **grow)


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


def test_changes_are_counted(orders: Orders, cloud: Cloud) -> None:
    before = sum(hop.came_in for hop in cloud.part(DynamoDb).counts())
    orders.put()
    orders.put()
    orders.delete()
    count = before + 2
    assert cloud.part(DynamoDb).counts() == [HopCount("DynamoDB stream", count, count, 0)]


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
