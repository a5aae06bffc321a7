"""Rows: one line of JSON in which every value is a text or null, the same for the same change."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import Item, shuffled, stream_record, stream_records
from transform.changes import parse_change
from transform.images import canonical, flattened
from transform.row import CDC_COLUMNS, encode_row, without_attributes

KEY = {"order_id": {"S": "1"}}


def row(record: Any, with_attributes: bool = True) -> dict[str, str | None]:
    """Return the columns of a record's row."""
    found = encode_row(parse_change(json.dumps(record).encode()))
    text = found if with_attributes else without_attributes(found)
    assert text.count(b"\n") == 1
    assert text.endswith(b"}\n")
    pairs = json.loads(text, object_pairs_hook=list, parse_int=pytest.fail, parse_float=pytest.fail)
    columns = dict(pairs)
    assert len(columns) == len(pairs)
    assert all(value is None or type(value) is str for value in columns.values())
    return columns


@given(stream_records())
@example(stream_record("INSERT", KEY, None, {**KEY, "a": {"S": "\ud800\n\r\u2028"}}))
@example(stream_record("INSERT", KEY, None, {**KEY, "%s": {"S": "%s"}, "\\": {"S": "\\\ud800"}}))
@example(stream_record("INSERT", KEY, None, {**KEY, "cdc_key": {"S": "x"}, "dt": {"S": "y"}}))
def test_a_row_is_one_line_that_loses_nothing(record: Item) -> None:
    columns, inner = row(record), record["dynamodb"]
    old, new = inner.get("OldImage"), inner.get("NewImage")
    assert columns["cdc_old_image"] == (None if old is None else canonical(old))
    assert columns["cdc_new_image"] == (None if new is None else canonical(new))
    cdc = {name: columns.pop(name) for name in CDC_COLUMNS}
    assert columns == flattened(new if new is not None else old)
    assert cdc["cdc_key"] == canonical(inner["Keys"])


@given(st.data(), stream_records())
def test_the_same_change_is_the_same_row(data: st.DataObject, record: Item) -> None:
    same = data.draw(st.composite(shuffled)(record))
    assert encode_row(parse_change(json.dumps(same).encode())) == encode_row(
        parse_change(json.dumps(record).encode())
    )


@given(stream_records())
def test_without_attributes_a_row_holds_its_images_still(record: Item) -> None:
    whole = encode_row(parse_change(json.dumps(record).encode()))
    assert row(record, False).keys() == set(CDC_COLUMNS)
    assert whole.startswith(without_attributes(whole).removesuffix(b"}\n"))


def test_a_row_is_written_so() -> None:
    old = {**KEY, "total": {"N": "1"}, "note": {"S": "é"}}
    new = {**KEY, "total": {"N": "1.50"}, "customer": {"M": {"postalCode": {"S": "x"}}}}
    assert row(stream_record("MODIFY", KEY, old, new, 7)) == {
        "cdc_operation": "MODIFY",
        "cdc_key": '{"order_id":{"S":"1"}}',
        "cdc_source": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/"
        "2026-01-01T00:00:00.000",
        "cdc_sequence": "0000000000000000000100000000000000000007",
        "cdc_snapshot_at": None,
        "cdc_event_id": "00000000000000010000000000000007",
        "cdc_changed_at": "2026-01-01 00:00:07.000",
        "cdc_expired": "false",
        "cdc_changed": '["customer","note","total"]',
        "cdc_old_image": '{"note":{"S":"é"},"order_id":{"S":"1"},"total":{"N":"1"}}',
        "cdc_new_image": '{"customer":{"M":{"postalCode":{"S":"x"}}},"order_id":{"S":"1"},'
        '"total":{"N":"1.5"}}',
        "customer__postalcode": "x",
        "order_id": "1",
        "total": "1.5",
    }


def test_a_removal_has_the_columns_of_what_was_removed() -> None:
    removal = stream_record("REMOVE", KEY, {**KEY, "total": {"N": "1"}}, None)
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    columns = row({**removal, "userIdentity": identity})
    assert columns["cdc_expired"] == "true"
    assert columns["cdc_new_image"] is None
    assert columns["total"] == "1"


@pytest.mark.parametrize("operation", ["INSERT", "MODIFY", "REMOVE"])
def test_a_stream_of_keys_makes_rows_without_attributes(operation: str) -> None:
    record = stream_record(operation, KEY, None, None)
    record["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    columns = row(record)
    assert set(columns) == set(CDC_COLUMNS)
    assert columns["cdc_changed"] is columns["cdc_new_image"] is columns["cdc_old_image"] is None


def test_a_stream_of_old_images_gives_a_modification_no_columns() -> None:
    record = stream_record("MODIFY", KEY, KEY, None)
    record["dynamodb"]["StreamViewType"] = "OLD_IMAGE"
    assert set(row(record)) == set(CDC_COLUMNS)
