"""Erasing rows and failed records: content goes, key and rank stay, all else is untouched."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.erase.erasing import NO_LIMIT, Limits, Piece
from operations.replay.validation import Accepted, validate_record
from tests.strategies.records import Item, payloads, stream_records
from tests.support.replay_fixture import error_document, insert_record
from tests.support.verify_fixture import (
    PAID,
    SHIPPED,
    history_rows,
    order_item,
    order_key,
    row_from_record,
    snapshot_row,
)
from tests.transform.test_row_to_record import snapshots
from transform.erasure import has_content
from transform.row import ERASED
from transform.state import Row, rank

KEY = order_key(1)
EVERYTHING = {KEY: NO_LIMIT}


def line_of(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"


def erase(text: bytes, limits: Limits = EVERYTHING) -> bytes:
    return Piece(text).erased(limits)


def erase_record(record: bytes, limits: Limits = EVERYTHING) -> bytes:
    """Return the record of an erased document."""
    members = json.loads(erase(error_document(record), limits))
    return base64.b64decode(members["rawData"])


@given(stream_records(), st.sampled_from([b"\n", b"\r\n", b""]))
def test_other_rows_stay_byte_for_byte(record: Item, newline: bytes) -> None:
    row = row_from_record(record)
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
def test_a_failed_record_is_erased_as_its_row(record: Item) -> None:
    row = row_from_record(record)
    limits = {row["cdc_key"]: NO_LIMIT}
    erased = erase_record(json.dumps(record).encode(), limits)
    validation = validate_record(erased)
    assert isinstance(validation, Accepted)
    assert validation.key == row["cdc_key"]
    new_row = row_from_record(json.loads(erased))
    assert not has_content(new_row)
    assert erase_record(erased, limits) == erased
    assert row_from_record(json.loads(erase_record(line_of(row), limits))) == new_row
    erased_line = erase(line_of(row), limits)
    assert not has_content(json.loads(erased_line))
    assert erase(erased_line, limits) == erased_line


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
    record = insert_record("SO-1", 1, note={"S": "Ring twice"})
    assert Piece(error_document(record)).texts == {b"Ring twice"}
    assert Piece(error_document(b'{"eventSourceARN":"arn:aws:dynamodb"}')).texts == set()
