"""Which records the transform accepts now, and why not the others: a pure decision.

A row that comes back in place of its change is turned into a record again.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

import transform
from operations.kinesis_writer import RECORD_BYTES, Outgoing
from transform.row import CDC_COLUMNS

TOO_LARGE = "larger than Kinesis takes"
UNLIKE = "a row that no change makes"
NO_RECORD = "no document with a record in base64"

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that becomes a row now, and that row's key and event id."""

    record: bytes
    key: str
    event_id: str

    @property
    def outgoing(self) -> Outgoing:
        """The record as it is sent."""
        return Outgoing(self.key, self.record)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a record stays; `key` where it can be read, `lost` where no replay will ever help."""

    reason: str
    key: str | None = None
    lost: bool = False


def judged(raw: bytes, arrived_at: object = None) -> Accepted | Refused:
    """Return what the transform says of a record, or of a row in its place, now.

    `arrived_at`, in epoch milliseconds, is when it first came to Firehose.
    """
    row = _row(raw)
    try:
        record = raw if row is None else transform.record_from_row(row)
    except transform.BadRecord as bad:
        return Refused(str(bad))
    if len(record) > RECORD_BYTES:
        return Refused(TOO_LARGE, _key(record, arrived_at), lost=True)
    answer = transform.transform_batch({"records": [_firehose_record(record, arrived_at)]})
    if answer.records[0]["result"] != "Ok":
        return Refused(answer.reason or "")
    made = json.loads(b64decode(answer.records[0]["data"]))
    if row is not None and any(made[name] != row.get(name) for name in CDC_COLUMNS):
        return Refused(UNLIKE)
    return _accepted(_timed(record, made), made)


def _row(raw: bytes) -> Row | None:
    """Return the columns of a row of the lake; None for what is none."""
    try:
        columns = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return columns if isinstance(columns, dict) and "cdc_operation" in columns else None


def _firehose_record(record: bytes, arrived_at: object) -> dict[str, object]:
    """Return a record as Firehose hands it to the function."""
    data = b64encode(record).decode()
    return {"recordId": "replay", "data": data, "approximateArrivalTimestamp": arrived_at}


def _timed(record: bytes, made: Row) -> bytes:
    """Return a record that has its time: replayed again and again, it stays in one partition."""
    told = json.loads(record)
    inner: dict[str, Any] = told["dynamodb"]
    if made["cdc_snapshot_at"] is not None or inner.get("ApproximateCreationDateTime") is not None:
        return record
    inner["ApproximateCreationDateTime"] = made["cdc_changed_at"]
    return json.dumps(told, separators=(",", ":")).encode()


def _accepted(record: bytes, made: Row) -> Accepted | Refused:
    accepted = Accepted(record, made["cdc_key"] or "", made["cdc_event_id"] or "")
    if accepted.outgoing.size > RECORD_BYTES:
        return Refused(TOO_LARGE, accepted.key, lost=True)
    return accepted


def _key(record: bytes, arrived_at: object) -> str | None:
    try:
        return transform.parse_change(record, arrived_at).key
    except transform.BadRecord:
        return None
