"""Changes: valid stream records are parsed, and invalid ones are a BadRecord with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.records import (
    Item,
    items,
    keys,
    payloads,
    stream_arn,
    stream_record,
    stream_records,
)
from transform.changes import Change, parse_change
from transform.errors import BadRecord
from transform.images import canonical

KEY = {"order_id": {"S": "1"}}
OLD_IMAGE = {**KEY, "status": {"S": "placed"}, "total": {"N": "1"}}
NEW_IMAGE = {**KEY, "status": {"S": "paid"}, "paid_at": {"S": "now"}, "total": {"N": "1.0"}}


def parse(record: Any, arrived_at: object = None) -> Change:
    """Return the change in a record."""
    return parse_change(json.dumps(record).encode(), arrived_at)


def with_dynamodb(record: Item, **members: Any) -> Item:
    """Return a record with these members of `dynamodb` replaced; None removes a member."""
    dynamodb = {**record["dynamodb"], **members}
    present = {name: value for name, value in dynamodb.items() if value is not None}
    return {**record, "dynamodb": present}


@given(stream_records())
def test_change_has_the_fields_of_its_record(record: Item) -> None:
    change = parse(record)
    dynamodb = record["dynamodb"]
    assert change.operation == record["eventName"]
    assert change.key == canonical(dynamodb["Keys"])
    assert change.source == record["eventSourceARN"]
    assert change.sequence == dynamodb["SequenceNumber"].zfill(40)
    assert change.event_id == record["eventID"]
    assert change.snapshot_at is None
    assert not change.expired
    for image, name in ((change.old_image, "OldImage"), (change.new_image, "NewImage")):
        assert (image and image.text) == (canonical(dynamodb[name]) if name in dynamodb else None)


@given(stream_records())
def test_changed_lists_differing_attributes(record: Item) -> None:
    old = record["dynamodb"].get("OldImage", {})
    new = record["dynamodb"].get("NewImage", {})
    differing = [name for name in {*old, *new} if only(name, old) != only(name, new)]
    assert parse(record).changed == sorted(differing)


def only(name: str, image: Item) -> str:
    """Return the canonical text of an image reduced to one attribute, present or not."""
    return canonical({name: image[name]} if name in image else {})


@given(payloads())
def test_any_bytes_give_a_change_or_bad_record(payload: bytes) -> None:
    try:
        assert isinstance(parse_change(payload, 1), Change)
    except BadRecord as error:
        assert "expected" in str(error)  # noqa: PT017 - a change is valid too.


def test_insert_and_remove_change_everything() -> None:
    assert parse(stream_record("INSERT", KEY, None, NEW_IMAGE)).changed == sorted(NEW_IMAGE)
    assert parse(stream_record("REMOVE", KEY, OLD_IMAGE, None)).changed == sorted(OLD_IMAGE)


def test_number_notation_is_not_a_change() -> None:
    assert parse(stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE)).changed == [
        "paid_at",
        "status",
    ]
    assert parse(stream_record("MODIFY", KEY, NEW_IMAGE, OLD_IMAGE)).changed == [
        "paid_at",
        "status",
    ]
    assert parse(stream_record("MODIFY", KEY, OLD_IMAGE, OLD_IMAGE)).changed == []


@pytest.mark.parametrize(
    ("view", "old", "new", "changed"),
    [
        ("KEYS_ONLY", None, None, None),
        ("NEW_IMAGE", None, NEW_IMAGE, None),
        ("OLD_IMAGE", OLD_IMAGE, None, None),
        ("NEW_AND_OLD_IMAGES", OLD_IMAGE, NEW_IMAGE, ["paid_at", "status"]),
    ],
)
def test_view_type_determines_the_images(
    view: str, old: Item | None, new: Item | None, changed: list[str] | None
) -> None:
    change = parse(with_dynamodb(stream_record("MODIFY", KEY, old, new), StreamViewType=view))
    assert change.view == view
    assert (change.old_image is None, change.new_image is None) == (old is None, new is None)
    assert change.changed == changed


@pytest.mark.parametrize(
    ("view", "operation", "old", "new", "changed"),
    [
        ("KEYS_ONLY", "INSERT", None, None, None),
        ("NEW_IMAGE", "INSERT", None, NEW_IMAGE, sorted(NEW_IMAGE)),
        ("OLD_IMAGE", "INSERT", None, None, None),
        ("KEYS_ONLY", "REMOVE", None, None, None),
        ("NEW_IMAGE", "REMOVE", None, None, None),
        ("OLD_IMAGE", "REMOVE", OLD_IMAGE, None, sorted(OLD_IMAGE)),
    ],
)
def test_changed_is_none_if_an_image_is_missing(
    view: str, operation: str, old: Item | None, new: Item | None, changed: list[str] | None
) -> None:
    record = stream_record(operation, KEY, old, new)
    assert parse(with_dynamodb(record, StreamViewType=view)).changed == changed


def test_missing_view_type_means_both_images() -> None:
    record = with_dynamodb(stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE), StreamViewType=None)
    assert parse(record).view == "NEW_AND_OLD_IMAGES"
    with pytest.raises(BadRecord, match=r"OldImage: expected an image, found nothing"):
        parse(with_dynamodb(record, OldImage=None))


RECORD = stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE)
BAD_RECORDS = [
    ([], "expected an object, found a list"),
    ({**RECORD, "dynamodb": None}, "dynamodb: expected an object, found nothing"),
    ({**RECORD, "dynamodb": "x"}, "dynamodb: expected an object, found another string"),
    ({**RECORD, "eventName": None}, "eventName: expected a non-empty string, found nothing"),
    (
        {**RECORD, "eventName": "UPSERT"},
        "eventName: expected INSERT or MODIFY or REMOVE or SNAPSHOT, found another string",
    ),
    ({**RECORD, "eventName": ["INSERT"]}, "eventName: expected a non-empty string, found a list"),
    ({**RECORD, "eventID": ""}, "eventID: expected a non-empty string, found another string"),
    ({**RECORD, "eventID": 5}, "eventID: expected a non-empty string, found a number"),
    (
        {**RECORD, "eventSourceARN": None},
        "eventSourceARN: expected a non-empty string, found nothing",
    ),
    (
        with_dynamodb(RECORD, StreamViewType="ALL"),
        "StreamViewType: expected NEW_AND_OLD_IMAGES or NEW_IMAGE or OLD_IMAGE or KEYS_ONLY, "
        "found another string",
    ),
    (with_dynamodb(RECORD, Keys=None), "Keys: expected an object, found nothing"),
    (
        with_dynamodb(RECORD, Keys={"id": {"N": "x"}}),
        "Keys.id: expected a number in a string, found another string",
    ),
    (with_dynamodb(RECORD, NewImage=None), "NewImage: expected an image, found nothing"),
    (with_dynamodb(RECORD, OldImage=None), "OldImage: expected an image, found nothing"),
    (with_dynamodb(RECORD, OldImage=[]), "OldImage: expected an object, found a list"),
    (
        with_dynamodb(RECORD, NewImage={"total": {"N": "1_0"}}),
        "NewImage.total: expected a number in a string, found another string",
    ),
    (
        with_dynamodb({**RECORD, "eventName": "INSERT"}),
        "OldImage: expected nothing in a change of INSERT, found an object",
    ),
    (
        with_dynamodb({**RECORD, "eventName": "REMOVE"}),
        "NewImage: expected nothing in a change of REMOVE, found an object",
    ),
    (
        with_dynamodb(RECORD, SequenceNumber=None),
        "SequenceNumber: expected 1 to 40 digits in a string, found nothing",
    ),
    (
        with_dynamodb(RECORD, ApproximateCreationDateTime=True),
        "ApproximateCreationDateTime: expected a timestamp, found true or false",
    ),
    (
        {**stream_record("REMOVE", KEY, OLD_IMAGE, None), "userIdentity": "me"},
        "userIdentity: expected an object, found another string",
    ),
]


@pytest.mark.parametrize(("record", "reason"), BAD_RECORDS)
def test_bad_record_states_the_reason(record: Any, reason: str) -> None:
    with pytest.raises(BadRecord) as error_info:
        parse(record)
    assert str(error_info.value) == reason


@pytest.mark.parametrize("sequence", [5, "", "1" * 41, "12a", "-1", "1\n", "\u0661", [], "1.0"])
def test_sequence_number_must_be_digits(sequence: object) -> None:
    with pytest.raises(BadRecord, match="SequenceNumber: expected 1 to 40 digits in a string"):
        parse(with_dynamodb(RECORD, SequenceNumber=sequence))


def test_numeric_sequence_number_is_rejected() -> None:
    with pytest.raises(BadRecord, match="in a string, found a number"):
        parse(with_dynamodb(RECORD, SequenceNumber=10**20))


@given(st.integers(0, 10**40 - 1), st.integers(0, 10**40 - 1))
def test_sequences_sort_like_their_numbers(one: int, other: int) -> None:
    first = parse(with_dynamodb(RECORD, SequenceNumber=str(one))).sequence
    second = parse(with_dynamodb(RECORD, SequenceNumber=str(other))).sequence
    assert len(first) == len(second) == 40
    assert (first < second) == (one < other)


@pytest.mark.parametrize(
    ("identity", "expired"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, True),
        ({"type": "Service", "principalId": "someone"}, False),
        ({"type": "User", "principalId": "dynamodb.amazonaws.com"}, False),
        ({"principalId": "dynamodb.amazonaws.com"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_ttl_deletion_is_recognized_by_identity(identity: Item | None, expired: bool) -> None:
    removal = {**stream_record("REMOVE", KEY, OLD_IMAGE, None), "userIdentity": identity}
    assert parse(removal).expired == expired
    assert not parse({**RECORD, "userIdentity": identity}).expired


def test_arrival_time_is_the_fallback() -> None:
    assert parse(RECORD, 1).changed_at == "2026-01-01 00:00:01.000"
    without_time = with_dynamodb(RECORD, ApproximateCreationDateTime=None)
    assert parse(without_time, 1664028820148).changed_at == "2022-09-24 14:13:40.148"
    with pytest.raises(BadRecord, match="ApproximateCreationDateTime: expected a timestamp"):
        parse(without_time)


def test_deep_nesting_is_a_bad_record() -> None:
    for depth, opening in ((100_000, b"["), (100_000, b'{"a":'), (400, b'{"M":{"a":')):
        value = opening * depth
        record = json.dumps(with_dynamodb(RECORD, NewImage={"a": "@"})).encode()
        with pytest.raises(BadRecord):
            parse_change(record.replace(b'"@"', value))


def test_stack_overflow_is_a_bad_record() -> None:
    for lists in (300, 450, 480, 600):
        deep = '{"L":[' * lists + '{"S":"x"}' + "]}" * lists
        record = json.dumps(stream_record("INSERT", KEY, None, {"a": {"S": "@"}}))
        try:
            parse_change(record.replace('{"S": "@"}', deep).encode())
        except BadRecord as error:
            reason = str(error)
            assert reason == "expected at most 32 levels, found more"


@given(keys(), items(), st.sampled_from(["NewImage", None]))
def test_snapshot_id_is_a_hash_of_its_content(key: Item, item: Item, name: str | None) -> None:
    record = {
        "eventName": "SNAPSHOT",
        "eventSourceARN": stream_arn(1),
        "snapshotAt": "2026-11-23T10:15:30.123456789Z",
        "dynamodb": {"Keys": key, "SequenceNumber": "0", **({name: item} if name else {})},
    }
    change = parse(record)
    assert change.operation == "SNAPSHOT"
    assert change.snapshot_at == "2026-11-23 10:15:30.123456"
    assert change.changed_at == "2026-11-23 10:15:30.123"
    assert change.changed is None
    assert change.old_image is None
    assert (change.new_image and change.new_image.text) == (canonical(item) if name else None)
    assert len(change.event_id) == 32
    assert parse(record).event_id == change.event_id
    others = [
        {**record, "snapshotAt": "2026-11-23T10:15:30.123457Z"},
        {**record, "eventSourceARN": stream_arn(2)},
        with_dynamodb(record, SequenceNumber="1"),
        with_dynamodb(record, Keys={"other": {"S": "x"}}),
        with_dynamodb(record, NewImage={"other": {"S": "x"}}),
    ]
    assert len({parse(other).event_id for other in [record, *others]}) == 6


def test_snapshot_needs_its_time_and_no_old_image() -> None:
    record = {**RECORD, "eventName": "SNAPSHOT"}
    with pytest.raises(BadRecord, match="snapshotAt: expected a timestamp, found nothing"):
        parse(record, 1)
    with pytest.raises(BadRecord, match="OldImage: expected nothing in a change of SNAPSHOT"):
        parse({**record, "snapshotAt": "2026-11-23T10:15:30Z"})
