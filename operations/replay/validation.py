"""Validation: which records the transform accepts now, and why it rejects the others.

A row of the lake, kept in place of its change, is converted back into a record.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import transform
from operations.json_objects import parse_object
from operations.kinesis_writer import MAX_RECORD_BYTES, OutgoingRecord
from setup import names
from transform.row import CDC_COLUMNS

RECORD_TOO_LARGE = "exceeds Kinesis's record limit of 1 MiB"
ROW_NOT_REPRODUCIBLE = "no change produces this row"
NOT_A_CHANGE = "not a change of a table"
NO_RECORD = "not an error document with a base64 record"

Columns = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that the transform accepts, with the key and the event id of its row."""

    record: bytes
    key: str
    event_id: str

    @property
    def outgoing(self) -> OutgoingRecord:
        """The record as it is sent."""
        return OutgoingRecord(self.key, self.record)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a record cannot be replayed; its key if readable; whether it never can be."""

    reason: str
    key: str | None = None
    is_unrecoverable: bool = False


def validate_record(raw: bytes, arrived_at: object = None) -> Accepted | Rejected:
    """Run the transform on a record, or on a row in its place.

    `arrived_at` is when the record first reached Firehose, in epoch milliseconds.
    """
    row = _parse_row(raw)
    try:
        record = raw if row is None else transform.record_from_row(row)
    except transform.BadRecord as error:
        return Rejected(str(error))
    if len(record) > MAX_RECORD_BYTES:
        return Rejected(RECORD_TOO_LARGE, _key_of(record, arrived_at), is_unrecoverable=True)
    event = {"records": [_firehose_record(record, arrived_at)]}
    answer = transform.transform_batch(event, names.JSON_PATHS)
    if answer.records[0]["result"] != "Ok":
        return _reject(record, answer.reason or "")
    new_row: Columns = json.loads(b64decode(answer.records[0]["data"]))
    if row is not None and any(new_row[name] != row.get(name) for name in CDC_COLUMNS):
        return Rejected(ROW_NOT_REPRODUCIBLE)
    return _accept(_with_timestamp(record, new_row), new_row)


def _parse_row(raw: bytes) -> Columns | None:
    """Return the columns of a row of the lake, or None if the bytes are not a row."""
    columns = parse_object(raw)
    return columns if columns and "cdc_operation" in columns else None


def _reject(record: bytes, reason: str) -> Rejected:
    """Return a rejection; what never was a change can never be replayed."""
    if _is_change(record):
        return Rejected(reason)
    return Rejected(f"{NOT_A_CHANGE}: {reason}", is_unrecoverable=True)


def _is_change(record: bytes) -> bool:
    """Return whether a record looks like a change of a table, whatever is wrong with it."""
    members = parse_object(record)
    return members is not None and isinstance(members.get("dynamodb"), dict)


def _firehose_record(record: bytes, arrived_at: object) -> dict[str, object]:
    """Return a record as Firehose passes it to the function."""
    data = b64encode(record).decode()
    return {"recordId": "replay", "data": data, "approximateArrivalTimestamp": arrived_at}


def _with_timestamp(record: bytes, row: Columns) -> bytes:
    """Fix the record's timestamp so repeated replays land in the same partition."""
    members = json.loads(record)
    change: dict[str, Any] = members["dynamodb"]
    has_timestamp = change.get("ApproximateCreationDateTime") is not None
    if has_timestamp or row["cdc_snapshot_at"] is not None:
        return record
    change["ApproximateCreationDateTime"] = row["cdc_changed_at"]
    return json.dumps(members, separators=(",", ":")).encode()


def _accept(record: bytes, row: Columns) -> Accepted | Rejected:
    accepted = Accepted(record, row["cdc_key"] or "", row["cdc_event_id"] or "")
    if accepted.outgoing.size > MAX_RECORD_BYTES:
        return Rejected(RECORD_TOO_LARGE, accepted.key, is_unrecoverable=True)
    return accepted


def _key_of(record: bytes, arrived_at: object) -> str | None:
    try:
        return transform.parse_change(record, arrived_at).key
    except transform.BadRecord:
        return None
