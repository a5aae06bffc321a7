"""Records rebuilt from rows: the record of a row gives the same row again."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import transform
from tests.strategies.records import Item, items, keys, stream_arn, stream_record, stream_records
from transform.changes import IMAGES_BY_VIEW_TYPE, parse_change
from transform.row import CDC_COLUMNS, encode_row

KEY = {"order_id": {"S": "1"}}
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
IMAGES = {"NewImage", "OldImage"}


@st.composite
def records(draw: st.DrawFn) -> Item:
    """Return stream records of every operation, view type, identity and time precision."""
    record = draw(stream_records())
    view = draw(st.sampled_from(list(IMAGES_BY_VIEW_TYPE)))
    dynamodb = {
        name: value
        for name, value in record["dynamodb"].items()
        if name not in IMAGES - IMAGES_BY_VIEW_TYPE[view]
    }
    dynamodb["StreamViewType"] = view
    dynamodb["ApproximateCreationDateTime"] = draw(st.integers(0, 2**41) | st.floats(1e-9, 2**31))
    dynamodb["SequenceNumber"] = draw(st.from_regex(r"[0-9]{1,40}", fullmatch=True))
    identity = {"userIdentity": TTL} if draw(st.booleans()) else {}
    return {**record, **identity, "dynamodb": dynamodb}


@st.composite
def snapshots(draw: st.DrawFn) -> Item:
    """Return records of backfill and repair, tombstones included."""
    image = draw(st.none() | items())
    return {
        "eventName": "SNAPSHOT",
        "eventSourceARN": stream_arn(1),
        "snapshotAt": draw(st.datetimes()).isoformat(" ", "microseconds"),
        "dynamodb": {
            "Keys": draw(keys()),
            "SequenceNumber": "0" * 40,
            **({} if image is None else {"NewImage": image}),
        },
    }


def encoded_row(record: bytes) -> bytes:
    """Return the row of a record."""
    return encode_row(parse_change(record))


def test_non_string_column_is_named() -> None:
    row: dict[str, Any] = {"cdc_sequence": 7}
    with pytest.raises(transform.BadRecord) as error_info:
        transform.record_from_row(row)
    assert str(error_info.value) == "cdc_sequence: expected a string or null, found a number"


@given(records() | snapshots())
@example({**stream_record("REMOVE", KEY, KEY, None), "eventID": "\ud800"})
@example(stream_record("INSERT", KEY, None, {**KEY, "a": {"S": "\ud800\n\r\u2028\\"}}))
@example(stream_record("MODIFY", KEY, {**KEY, "cdc_key": {"S": '"},'}}, KEY))
def test_record_of_a_row_gives_the_same_row(record: Item) -> None:
    row = encoded_row(json.dumps(record).encode())
    columns = json.loads(row)
    without_attributes = {name: columns[name] for name in CDC_COLUMNS}
    for known_columns in (columns, without_attributes):
        assert encoded_row(transform.record_from_row(known_columns)) == row


@given(stream_records())
def test_record_of_a_full_row_has_both_images(record: Item) -> None:
    row = json.loads(encoded_row(json.dumps(record).encode()))
    assert parse_change(transform.record_from_row(row)).view == "NEW_AND_OLD_IMAGES"


@given(st.dictionaries(st.sampled_from(CDC_COLUMNS), st.none() | st.text() | st.integers()))
def test_invalid_row_raises_bad_record(row: dict[str, Any]) -> None:
    with pytest.raises(transform.BadRecord):
        parse_change(transform.record_from_row(row))
