"""Rows: one line of JSON with string or null values, identical for identical changes."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import Item, shuffled, stream_record, stream_records
from transform.changes import parse_change
from transform.images import canonical, flattened
from transform.row import CDC_COLUMNS, encode_row

KEY = {"order_id": {"S": "1"}}


def encoded_row(record: Item) -> bytes:
    """Return the row of a record."""
    return encode_row(parse_change(json.dumps(record).encode()))


def parse_row(row: bytes) -> dict[str, str | None]:
    """Return the columns of a row, which must be one line of distinct string or null values."""
    assert row.count(b"\n") == 1
    assert row.endswith(b"}\n")
    pairs = json.loads(row, object_pairs_hook=list, parse_int=pytest.fail, parse_float=pytest.fail)
    columns = dict(pairs)
    assert len(columns) == len(pairs)
    assert all(value is None or type(value) is str for value in columns.values())
    return columns


@given(stream_records())
@example(stream_record("INSERT", KEY, None, {**KEY, "a": {"S": "\ud800\n\r\u2028"}}))
@example(stream_record("INSERT", KEY, None, {**KEY, "%s": {"S": "%s"}, "\\": {"S": "\\\ud800"}}))
@example(stream_record("INSERT", KEY, None, {**KEY, "cdc_key": {"S": "x"}, "dt": {"S": "y"}}))
def test_row_is_one_lossless_line(record: Item) -> None:
    columns = parse_row(encoded_row(record))
    dynamodb = record["dynamodb"]
    old = dynamodb.get("OldImage")
    new = dynamodb.get("NewImage")
    assert columns["cdc_old_image"] == (None if old is None else canonical(old))
    assert columns["cdc_new_image"] == (None if new is None else canonical(new))
    cdc = {name: columns.pop(name) for name in CDC_COLUMNS}
    assert columns == flattened(new if new is not None else old)
    assert cdc["cdc_key"] == canonical(dynamodb["Keys"])


@given(st.data(), stream_records())
def test_same_change_gives_the_same_row(data: st.DataObject, record: Item) -> None:
    reordered = data.draw(st.composite(shuffled)(record))
    assert encoded_row(reordered) == encoded_row(record)


def test_modify_row_is_encoded_exactly() -> None:
    old = {**KEY, "total": {"N": "1"}, "note": {"S": "é"}}
    new = {**KEY, "total": {"N": "1.50"}, "customer": {"M": {"postalCode": {"S": "x"}}}}
    assert parse_row(encoded_row(stream_record("MODIFY", KEY, old, new, 7))) == {
        "cdc_operation": "MODIFY",
        "cdc_key": '{"order_id":{"S":"1"}}',
        "cdc_source": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-98/stream/"
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


def test_remove_row_has_the_old_attributes() -> None:
    removal = stream_record("REMOVE", KEY, {**KEY, "total": {"N": "1"}}, None)
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    columns = parse_row(encoded_row({**removal, "userIdentity": identity}))
    assert columns["cdc_expired"] == "true"
    assert columns["cdc_new_image"] is None
    assert columns["total"] == "1"


@pytest.mark.parametrize("operation", ["INSERT", "MODIFY", "REMOVE"])
def test_keys_only_rows_have_no_attributes(operation: str) -> None:
    record = stream_record(operation, KEY, None, None)
    record["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    columns = parse_row(encoded_row(record))
    assert set(columns) == set(CDC_COLUMNS)
    assert columns["cdc_changed"] is columns["cdc_new_image"] is columns["cdc_old_image"] is None


def test_old_image_modify_rows_have_no_attributes() -> None:
    record = stream_record("MODIFY", KEY, KEY, None)
    record["dynamodb"]["StreamViewType"] = "OLD_IMAGE"
    assert set(parse_row(encoded_row(record))) == set(CDC_COLUMNS)
