"""Changes: stream records checked and named; what is not one is a BadRecord that says why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.records import ARN, Item, items, keys, payloads, stream_record, stream_records
from transform.changes import Change, parse_change
from transform.errors import BadRecord
from transform.images import canonical

KEY = {"order_id": {"S": "1"}}
OLD_IMAGE = {**KEY, "status": {"S": "placed"}, "total": {"N": "1"}}
NEW_IMAGE = {**KEY, "status": {"S": "paid"}, "paid_at": {"S": "now"}, "total": {"N": "1.0"}}


def told(record: Any, arrived_at: object = None) -> Change:
    """Return the change of a record as a pipe delivers it."""
    return parse_change(json.dumps(record).encode(), arrived_at)


def with_inner(record: Item, **members: Any) -> Item:
    """Return a record with other members of `dynamodb`; those that are None are left out."""
    inner = {**record["dynamodb"], **members}
    inner = {name: value for name, value in inner.items() if value is not None}
    return {**record, "dynamodb": inner}


@given(stream_records())
def test_a_change_tells_what_its_record_tells(record: Item) -> None:
    found, inner = told(record), record["dynamodb"]
    assert found.operation == record["eventName"]
    assert found.key == canonical(inner["Keys"])
    assert found.source == record["eventSourceARN"]
    assert found.sequence == inner["SequenceNumber"].zfill(40)
    assert found.event_id == record["eventID"]
    assert found.snapshot_at is None
    assert not found.expired
    for image, name in ((found.old_image, "OldImage"), (found.new_image, "NewImage")):
        assert (image and image.text) == (canonical(inner[name]) if name in inner else None)


@given(stream_records())
def test_what_changed_are_the_attributes_that_differ(record: Item) -> None:
    old, new = (record["dynamodb"].get(name, {}) for name in ("OldImage", "NewImage"))
    differ = {
        name
        for name in {*old, *new}
        if canonical({k: v for k, v in old.items() if k == name})
        != canonical({k: v for k, v in new.items() if k == name})
    }
    assert told(record).changed == sorted(differ)


@given(payloads())
def test_any_bytes_are_a_change_or_a_bad_record(payload: bytes) -> None:
    try:
        assert isinstance(parse_change(payload, 1), Change)
    except BadRecord as bad:
        assert "expected" in str(bad)  # noqa: PT017 - a change is as good.


def test_an_insert_changed_all_and_a_number_written_otherwise_did_not_change() -> None:
    assert told(stream_record("INSERT", KEY, None, NEW_IMAGE)).changed == sorted(NEW_IMAGE)
    assert told(stream_record("REMOVE", KEY, OLD_IMAGE, None)).changed == sorted(OLD_IMAGE)
    assert told(stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE)).changed == ["paid_at", "status"]
    assert told(stream_record("MODIFY", KEY, NEW_IMAGE, OLD_IMAGE)).changed == ["paid_at", "status"]
    assert told(stream_record("MODIFY", KEY, OLD_IMAGE, OLD_IMAGE)).changed == []


@pytest.mark.parametrize(
    ("view", "old", "new", "changed"),
    [
        ("KEYS_ONLY", None, None, None),
        ("NEW_IMAGE", None, NEW_IMAGE, None),
        ("OLD_IMAGE", OLD_IMAGE, None, None),
        ("NEW_AND_OLD_IMAGES", OLD_IMAGE, NEW_IMAGE, ["paid_at", "status"]),
    ],
)
def test_each_view_type_makes_changes_with_the_images_it_tells(
    view: str, old: Item | None, new: Item | None, changed: list[str] | None
) -> None:
    found = told(with_inner(stream_record("MODIFY", KEY, old, new), StreamViewType=view))
    assert found.view == view
    assert (found.old_image is None, found.new_image is None) == (old is None, new is None)
    assert found.changed == changed


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
@pytest.mark.parametrize("operation", ["INSERT", "REMOVE"])
def test_what_cannot_be_told_is_not_guessed(view: str, operation: str) -> None:
    image = {"INSERT": {"NEW_IMAGE": NEW_IMAGE}, "REMOVE": {"OLD_IMAGE": OLD_IMAGE}}[operation].get(
        view
    )
    new, old = (image, None) if operation == "INSERT" else (None, image)
    found = told(with_inner(stream_record(operation, KEY, old, new), StreamViewType=view))
    assert found.changed == (sorted(image) if image else None)


def test_a_record_without_a_view_type_tells_both_images() -> None:
    record = with_inner(stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE), StreamViewType=None)
    assert told(record).view == "NEW_AND_OLD_IMAGES"
    with pytest.raises(BadRecord, match=r"OldImage: expected an image, found nothing"):
        told(with_inner(record, OldImage=None))


RECORD = stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE)
BAD = [
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
        with_inner(RECORD, StreamViewType="ALL"),
        "StreamViewType: expected NEW_AND_OLD_IMAGES or NEW_IMAGE or OLD_IMAGE or KEYS_ONLY, "
        "found another string",
    ),
    (with_inner(RECORD, Keys=None), "Keys: expected an object, found nothing"),
    (
        with_inner(RECORD, Keys={"id": {"N": "x"}}),
        "Keys.id: expected a number in a string, found another string",
    ),
    (with_inner(RECORD, NewImage=None), "NewImage: expected an image, found nothing"),
    (with_inner(RECORD, OldImage=None), "OldImage: expected an image, found nothing"),
    (with_inner(RECORD, OldImage=[]), "OldImage: expected an object, found a list"),
    (
        with_inner(RECORD, NewImage={"total": {"N": "1_0"}}),
        "NewImage.total: expected a number in a string, found another string",
    ),
    (
        with_inner({**RECORD, "eventName": "INSERT"}),
        "OldImage: expected nothing in a change of INSERT, found an object",
    ),
    (
        with_inner({**RECORD, "eventName": "REMOVE"}),
        "NewImage: expected nothing in a change of REMOVE, found an object",
    ),
    (
        with_inner(RECORD, SequenceNumber=None),
        "SequenceNumber: expected 1 to 40 digits in a string, found nothing",
    ),
    (
        with_inner(RECORD, ApproximateCreationDateTime=True),
        "ApproximateCreationDateTime: expected a timestamp, found true or false",
    ),
    (
        {**stream_record("REMOVE", KEY, OLD_IMAGE, None), "userIdentity": "me"},
        "userIdentity: expected an object, found another string",
    ),
]


@pytest.mark.parametrize(("record", "reason"), BAD)
def test_a_bad_record_is_told_so(record: Any, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        told(record)
    assert str(caught.value) == reason


@pytest.mark.parametrize("sequence", [5, "", "1" * 41, "12a", "-1", "1\n", "\u0661", [], "1.0"])
def test_a_sequence_number_is_digits(sequence: object) -> None:
    with pytest.raises(BadRecord, match="SequenceNumber: expected 1 to 40 digits in a string"):
        told(with_inner(RECORD, SequenceNumber=sequence))


def test_a_sequence_number_of_json_is_told_as_what_it_is() -> None:
    with pytest.raises(BadRecord, match="in a string, found a number"):
        told(with_inner(RECORD, SequenceNumber=10**20))


@given(st.integers(0, 10**40 - 1), st.integers(0, 10**40 - 1))
def test_sequences_sort_as_their_numbers(one: int, other: int) -> None:
    texts = [told(with_inner(RECORD, SequenceNumber=str(n))).sequence for n in (one, other)]
    assert {len(text) for text in texts} == {40}
    assert (texts[0] < texts[1]) == (one < other)


@pytest.mark.parametrize(
    ("identity", "expired"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, "true"),
        ({"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}, "true"),
        ({"type": "Service", "principalId": "someone"}, "false"),
        ({"type": "User", "principalId": "dynamodb.amazonaws.com"}, "false"),
        ({"principalId": "dynamodb.amazonaws.com"}, "false"),
        ({}, "false"),
        (None, "false"),
    ],
)
def test_a_removal_by_ttl_is_known_by_its_identity(identity: Item | None, expired: str) -> None:
    removal = {**stream_record("REMOVE", KEY, OLD_IMAGE, None), "userIdentity": identity}
    assert told(removal).expired == (expired == "true")
    assert not told({**RECORD, "userIdentity": identity}).expired


def test_a_change_happened_when_its_record_says_else_when_it_arrived() -> None:
    assert told(RECORD, 1).changed_at == "2026-01-01 00:00:01.000"
    at_arrival = with_inner(RECORD, ApproximateCreationDateTime=None)
    assert told(at_arrival, 1664028820148).changed_at == "2022-09-24 14:13:40.148"
    with pytest.raises(BadRecord, match="ApproximateCreationDateTime: expected a timestamp"):
        told(at_arrival)


def test_deep_nesting_is_a_bad_record() -> None:
    for depth, opening in ((100_000, b"["), (100_000, b'{"a":'), (400, b'{"M":{"a":')):
        value = opening * depth
        record = json.dumps(with_inner(RECORD, NewImage={"a": "@"})).encode()
        with pytest.raises(BadRecord):
            parse_change(record.replace(b'"@"', value))


def test_images_nested_beyond_pythons_stack_are_a_bad_record() -> None:
    for lists in (300, 450, 480, 600):
        deep = '{"L":[' * lists + '{"S":"x"}' + "]}" * lists
        record = json.dumps(stream_record("INSERT", KEY, None, {"a": {"S": "@"}}))
        try:
            parse_change(record.replace('{"S": "@"}', deep).encode())
        except BadRecord as bad:
            assert str(bad) == "expected at most 32 levels, found more"  # noqa: PT017 - or written.


@given(keys(), items(), st.sampled_from(["NewImage", None]))
def test_a_snapshot_has_a_hash_for_its_identity(key: Item, item: Item, name: str | None) -> None:
    record = {
        "eventName": "SNAPSHOT",
        "eventSourceARN": ARN.format(1),
        "snapshotAt": "2026-11-23T10:15:30.123456789Z",
        "dynamodb": {"Keys": key, "SequenceNumber": "0", **({name: item} if name else {})},
    }
    found = told(record)
    assert found.operation == "SNAPSHOT"
    assert found.snapshot_at == "2026-11-23 10:15:30.123456"
    assert found.changed_at == "2026-11-23 10:15:30.123"
    assert found.changed is None
    assert found.old_image is None
    assert (found.new_image and found.new_image.text) == (canonical(item) if name else None)
    assert len(found.event_id) == 32
    assert told(record).event_id == found.event_id
    later = {**record, "snapshotAt": "2026-11-23T10:15:30.123457Z"}
    elsewhere = {**record, "eventSourceARN": ARN.format(2)}
    higher = with_inner(record, SequenceNumber="1")
    other_key = with_inner(record, Keys={"other": {"S": "x"}})
    other_item = with_inner(record, NewImage={"other": {"S": "x"}})
    others = [later, elsewhere, higher, other_key, other_item]
    assert len({told(other).event_id for other in [record, *others]}) == 6


def test_a_snapshot_needs_its_own_time_and_no_old_image() -> None:
    record = {**RECORD, "eventName": "SNAPSHOT"}
    with pytest.raises(BadRecord, match="snapshotAt: expected a timestamp, found nothing"):
        told(record, 1)
    with pytest.raises(BadRecord, match="OldImage: expected nothing in a change of SNAPSHOT"):
        told({**record, "snapshotAt": "2026-11-23T10:15:30Z"})
