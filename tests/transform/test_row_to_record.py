"""Rows turned back into records: the record of a row makes the same row again."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import transform
from tests.strategies.records import ARN, Item, items, keys, stream_record, stream_records
from transform.changes import IMAGES_BY_VIEW_TYPE, parse_change
from transform.row import CDC_COLUMNS, encode_row, without_attributes

KEY = {"order_id": {"S": "1"}}
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
IMAGES_BY_OPERATION = {"NewImage", "OldImage"}


@st.composite
def records(draw: st.DrawFn) -> Item:
    """Return records of every operation, view type, identity and precision of time."""
    record = draw(stream_records())
    view = draw(st.sampled_from(list(IMAGES_BY_VIEW_TYPE)))
    inner = {
        name: value
        for name, value in record["dynamodb"].items()
        if name not in IMAGES_BY_OPERATION - IMAGES_BY_VIEW_TYPE[view]
    }
    inner["StreamViewType"] = view
    inner["ApproximateCreationDateTime"] = draw(st.integers(0, 2**41) | st.floats(1e-9, 2**31))
    inner["SequenceNumber"] = draw(st.from_regex(r"[0-9]{1,40}", fullmatch=True))
    identity = {"userIdentity": TTL} if draw(st.booleans()) else {}
    return {**record, **identity, "dynamodb": inner}


@st.composite
def snapshots(draw: st.DrawFn) -> Item:
    """Return records of backfill and repair, tombstones among them."""
    image = draw(st.none() | items())
    return {
        "eventName": "SNAPSHOT",
        "eventSourceARN": ARN.format(1),
        "snapshotAt": draw(st.datetimes()).isoformat(" ", "microseconds"),
        "dynamodb": {
            "Keys": draw(keys()),
            "SequenceNumber": "0" * 40,
            **({} if image is None else {"NewImage": image}),
        },
    }


def test_a_column_that_is_no_text_is_named() -> None:
    with pytest.raises(transform.BadRecord) as caught:
        transform.record_from_row({"cdc_sequence": 7})
    assert str(caught.value) == "cdc_sequence: expected a string or null, found a number"


@given(records() | snapshots())
@example({**stream_record("REMOVE", KEY, KEY, None), "eventID": "\ud800"})
@example(stream_record("INSERT", KEY, None, {**KEY, "a": {"S": "\ud800\n\r\u2028\\"}}))
@example(stream_record("MODIFY", KEY, {**KEY, "cdc_key": {"S": '"},'}}, KEY))
def test_the_record_of_a_row_makes_the_same_row(record: Item) -> None:
    row = encode_row(parse_change(json.dumps(record).encode()))
    again = encode_row(parse_change(transform.record_from_row(json.loads(row))))
    assert again == row
    assert (
        encode_row(parse_change(transform.record_from_row(json.loads(without_attributes(row)))))
        == row
    )


@given(stream_records())
def test_the_record_of_a_full_row_gives_no_cause_for_remarks(record: Item) -> None:
    row = json.loads(encode_row(parse_change(json.dumps(record).encode())))
    assert parse_change(transform.record_from_row(row)).view == "NEW_AND_OLD_IMAGES"


@given(st.dictionaries(st.sampled_from(CDC_COLUMNS), st.none() | st.text() | st.integers()))
def test_a_row_that_is_none_makes_no_other_error_than_a_bad_record(row: dict[str, Any]) -> None:
    try:
        parse_change(transform.record_from_row(row))
    except transform.BadRecord:
        return
    pytest.fail("a row without a change made a record")
