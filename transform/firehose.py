"""Firehose's call and answer: every record comes back once, in order, as a row or as it came."""

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from json.encoder import encode_basestring_ascii as ascii_quoted
from typing import Any, NamedTuple

from transform.changes import FULL_VIEW, Change, parse_change
from transform.errors import BadRecord, kind
from transform.parsing import decoded
from transform.partition import date_partition
from transform.row import line, without_attributes

# Lambda answers with at most 6 MB (6,291,556 bytes): one byte more fails the whole batch.
LIMIT = 6_000_000

Result = dict[str, Any]


@dataclass(frozen=True)
class BatchResult:
    """What goes back to Firehose, and the first reason to complain of the batch, if any."""

    records: list[Result]
    reason: str | None

    @property
    def response(self) -> dict[str, list[Result]]:
        """Return the answer in Firehose's words."""
        return {"records": self.records}

    @property
    def summary(self) -> str:
        """Return one line of JSON that counts the records and tells nothing of their content."""
        ok = sum(result["result"] == "Ok" for result in self.records)
        counts = {"in": len(self.records), "ok": ok, "failed": len(self.records) - ok}
        return dumps({**counts, "reason": self.reason})


def transform_batch(event: Mapping[str, Any]) -> BatchResult:
    """Return Firehose's answer; only an event without a list of records raises BadRecord."""
    records = _members(event).get("records")
    if not isinstance(records, list):
        raise BadRecord("a list", kind(records), "records")
    records = [_members(record) for record in records]
    outcomes = [_outcome(record) for record in records]
    results = [outcome.result for outcome in outcomes]
    reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None]
    if sum(map(_size, results)) > LIMIT:
        results = _fitting(records, results)
        reasons.append("answer: expected at most 6 MB, found more")
    return BatchResult(results, reasons[0] if reasons else None)


class _Outcome(NamedTuple):
    """A result, and the reason to complain of it, if any."""

    result: Result
    reason: str | None


def _members(value: object) -> Mapping[str, Any]:
    """Return what Firehose sent as an object; what is none has no members."""
    return value if isinstance(value, dict) else {}


def _outcome(record: Mapping[str, Any]) -> _Outcome:
    try:
        told = parse_change(decoded(record.get("data")), _arrived_at(record))
    except BadRecord as bad:
        return _Outcome(_as_it_came(record), str(bad))
    return _Outcome(_ok(record, line(told), told.changed_at), _remark(told))


def _arrived_at(record: Mapping[str, Any]) -> object:
    """Return Firehose's own time of a record, or that of Kinesis."""
    name = "approximateArrivalTimestamp"
    at = record.get(name)
    return _members(record.get("kinesisRecordMetadata")).get(name) if at is None else at


def _as_it_came(record: Mapping[str, Any]) -> Result:
    return {
        "recordId": record.get("recordId"),
        "result": "ProcessingFailed",
        "data": record.get("data"),
    }


def _ok(record: Mapping[str, Any], row: bytes, changed_at: str) -> Result:
    return {
        "recordId": record.get("recordId"),
        "result": "Ok",
        "data": b2a_base64(row, newline=False).decode(),
        "metadata": {"partitionKeys": date_partition(changed_at)},
    }


def _remark(told: Change) -> str | None:
    """Return what is wrong with a stream that tells too little, though its changes make rows."""
    if told.view == FULL_VIEW:
        return None
    return str(BadRecord(FULL_VIEW, told.view, "StreamViewType"))


_OK_SIZE = len(dumps(_ok({"recordId": ""}, b"", "YYYY-MM-DD"))) - len('""') + len(", ")


def _size(result: Result) -> int:
    """Return how many bytes Lambda makes of a result, or a few more."""
    if result["result"] == "Ok":
        return _OK_SIZE + len(ascii_quoted(str(result["recordId"]))) + len(result["data"])
    return len(dumps(result)) + len(", ")


def _fitting(records: list[Any], whole: list[Result]) -> list[Result]:
    """Return results within the limit: rows without attributes before any whole ones."""
    chosen = [_as_it_came(record) for record in records]
    room = LIMIT - sum(map(_size, chosen))
    for results in (map(_without_attributes, whole), whole):
        for index, result in enumerate(results):
            more = _size(result) - _size(chosen[index])
            if more <= max(room, 0):
                chosen[index] = result
                room -= more
    return chosen


def _without_attributes(result: Result) -> Result:
    """Return a result's row without its attributes, where it has a row."""
    if result["result"] != "Ok":
        return result
    row = without_attributes(a2b_base64(result["data"]))
    return {**result, "data": b2a_base64(row, newline=False).decode()}
