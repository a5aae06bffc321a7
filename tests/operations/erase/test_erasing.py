"""Erasing rows and failed records: content goes, key and rank stay, all else is untouched."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transform
from operations.erase.erasing import NO_LIMIT, Limits, Piece
from operations.replay.validation import Accepted, validate_record
from tests.strategies.records import Item, firehose_record, payloads, stream_records
from tests.support.replay_fixture import error_document
from tests.support.verify_fixture import (
    PAID,
    SHIPPED,
    history_rows,
    order_item,
    order_key,
    snapshot_row,
)
from tests.transform.test_row_to_record import snapshots
from transform.row import CDC_COLUMNS, ERASED
from transform.state import Row, current_rows, rank

KEY = order_key(1)
EVERYTHING = {KEY: NO_LIMIT}


def row_of(record: Item) -> dict[str, Any]:
    [result] = transform.transform_batch({"records": [firehose_record(record)]}).records
    row: dict[str, Any] = json.loads(base64.b64decode(result["data"]))
    return row


def line_of(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def erase(text: bytes, limits: Limits = EVERYTHING) -> bytes:
    return Piece(text).erased(limits)


def erase_record(record: bytes, limits: Limits = EVERYTHING) -> bytes:
    """Return the record of an erased document."""
    members = json.loads(erase(error_document(record), limits))
    return base64.b64decode(members["rawData"])


@given(stream_records())
def test_an_erased_row_keeps_its_key_and_rank(record: Item) -> None:
    row = row_of(record)
    line = line_of(row)
    erased_line = erase(line, {row["cdc_key"]: NO_LIMIT})
    erased = json.loads(erased_line)
    before, after = Row.from_columns(row), Row.from_columns(erased)
    assert (after.key, rank(after), after.changed_at) == (
        before.key,
        rank(before),
        row["cdc_changed_at"],
    )
    assert set(erased) == set(CDC_COLUMNS)
    assert (erased["cdc_old_image"], erased["cdc_new_image"], erased["cdc_changed"]) == (None,) * 3
    assert erased["cdc_expired"] == ERASED
    assert erase(erased_line, {row["cdc_key"]: NO_LIMIT}) == erased_line
    assert current_rows([after]) == {}


@given(stream_records(), st.sampled_from([b"\n", b"\r\n", b""]))
def test_other_rows_stay_byte_for_byte(record: Item, newline: bytes) -> None:
    row = row_of(record)
    line = json.dumps(row, indent=None).encode() + newline
    assert erase(line) == line
    assert erase(line, {row["cdc_key"]: rank(Row.from_columns(row))[:-1]}) == line


def test_an_erased_row_ends_as_before() -> None:
    [row] = history_rows(order_item(1, **PAID))
    for newline in (b"\n", b"\r\n", b""):
        line = json.dumps(row).encode() + newline
        assert erase(line).endswith(b"}" + newline)


@given(st.binary(max_size=40) | payloads())
def test_what_is_no_row_stays(line: bytes) -> None:
    assert erase(line) == line
    assert erase_record(line) == line


@given(stream_records() | snapshots().filter(lambda record: "NewImage" in record["dynamodb"]))
def test_an_erased_record_makes_an_erased_row(record: Item) -> None:
    raw = json.dumps(record).encode()
    row = row_of(record)
    limits = {row["cdc_key"]: NO_LIMIT}
    erased = erase_record(raw, limits)
    validation = validate_record(erased)
    assert isinstance(validation, Accepted)
    assert validation.key == row["cdc_key"]
    new_row = row_of(json.loads(erased))
    assert (new_row["cdc_old_image"], new_row["cdc_new_image"]) == (None, None)
    if record["eventName"] == "SNAPSHOT":  # Its event id is a hash of its content.
        assert "StreamViewType" not in json.loads(erased)["dynamodb"]
    else:
        assert rank(Row.from_columns(new_row)) == rank(Row.from_columns(row))
    assert erase_record(erased, limits) == erased
    row_in_place = line_of(row)
    assert row_of(json.loads(erase_record(row_in_place, limits))) == new_row


def test_a_document_keeps_all_but_its_record() -> None:
    [insert, _] = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED))
    other = error_document(line_of(history_rows(order_item(2, **PAID))[0])) + b"\n"
    document = error_document(line_of(insert)) + b"\n"
    erased = erase(document)
    assert erase(other) == other
    assert erased.endswith(b"}\n")
    members = json.loads(erased)
    assert members.keys() == json.loads(document).keys()
    assert (members["errorCode"], members["arrivalTimestamp"]) == (ERASED, 1)
    assert b"paid" not in base64.b64decode(members["rawData"])
    assert erase(erased) == erased


def test_a_change_that_the_transform_rejects_is_erased() -> None:
    record = {
        "eventName": "UPSERT",
        "dynamodb": {"Keys": {"order_id": {"S": "SO-1"}}, "NewImage": order_item(1, **PAID)},
    }
    erased = json.loads(erase_record(json.dumps(record).encode()))
    assert "NewImage" not in erased["dynamodb"]


def test_rows_above_the_tombstone_stay() -> None:
    """They are of an item that was created again."""
    rows = history_rows(order_item(1, **PAID), None, order_item(1, **SHIPPED))
    limits = {KEY: rank(Row.from_columns(rows[1]))}
    lines = [line_of(row) for row in rows]
    assert [erase(line, limits) == line for line in lines] == [False, False, True]


def test_a_tombstone_is_not_rewritten() -> None:
    tombstone = line_of({**snapshot_row(order_item(1)), "cdc_new_image": None})
    row = {name: value for name, value in json.loads(tombstone).items() if name.startswith("cdc_")}
    assert erase(line_of(row)) == line_of(row)


ROW = line_of(history_rows(order_item(1))[0])


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (b"no JSON: order_id", True),
        (ROW, False),
        (error_document(b"poison of order_id"), True),
        (error_document(ROW), False),
        (error_document(b'{"dynamodb":{"Keys":{"order_id":{"S":"SO-1"}}}}'), False),
        (error_document(b'{"dynamodb":{"Keys":{"order_id":{"X":"SO-1"}}}}'), True),
        (error_document(b'{"dynamodb":{"Keys":["order_id"]}}'), True),
        (b'{"cdc_key":1,"order_id":""}', True),
        (b"no JSON", False),
    ],
)
def test_texts_are_found_where_no_key_is(text: bytes, is_found: bool) -> None:
    assert Piece(text).has_any({b"another", b"order_id"}) == is_found


def test_texts_are_those_of_attributes() -> None:
    [row] = history_rows(order_item(1, **PAID))
    line = line_of({**row, "note": "Ring twice", "rawData": "e30xe30x", "status": "paid"})
    assert {b"Ring twice", b"e30xe30x"} <= Piece(line).texts
    assert b"paid" not in Piece(line).texts
    assert Piece(error_document(line)).texts == Piece(line).texts
    assert Piece(error_document(b'{"eventSourceARN":"arn:aws:dynamodb"}')).texts == set()
