"""Firehose batches: every record is returned once, in order, as a row or unchanged as failed."""

from binascii import b2a_base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from json import dumps
from json.encoder import encode_basestring_ascii as ascii_quoted
from typing import Any, NamedTuple

from transform.changes import FULL_VIEW, Change, parse_change
from transform.columns import JsonPaths
from transform.errors import BadRecord, kind
from transform.masking import NO_MASKING, Masking
from transform.parsing import decode_base64
from transform.partition import date_partition
from transform.row import encode_row

# Lambda's limit is 6 MB (6,291,556 bytes): one byte more fails the whole batch.
MAX_RESPONSE_BYTES = 6_000_000

Result = dict[str, Any]


@dataclass(frozen=True)
class BatchResult:
    """The results for Firehose, and the first reason for a failure or warning, if any."""

    records: list[Result]
    reason: str | None

    @property
    def response(self) -> dict[str, list[Result]]:
        """The response as Firehose expects it."""
        return {"records": self.records}

    @property
    def summary(self) -> str:
        """One line of JSON with the counts of the records, and none of their content."""
        ok = sum(result["result"] == "Ok" for result in self.records)
        counts = {"in": len(self.records), "ok": ok, "failed": len(self.records) - ok}
        return dumps({**counts, "reason": self.reason})


def transform_batch(
    event: Mapping[str, Any], json_paths: Collection[str] = (), masking: Masking = NO_MASKING
) -> BatchResult:
    """Return the results of a batch; only an event without a list of records raises BadRecord.

    `json_paths` names the columns of maps that stay one column of JSON; `masking` says which
    values no row may hold.
    """
    records = _members(event).get("records")
    if not isinstance(records, list):
        raise BadRecord("a list", kind(records), "records")
    records = [_members(record) for record in records]
    paths = frozenset(json_paths)
    outcomes = [_transform_record(record, paths, masking) for record in records]
    results = [outcome.result for outcome in outcomes]
    reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None]
    if sum(map(_size, results)) > MAX_RESPONSE_BYTES:
        results = _fit_response(records, results)
        reasons.append("response: expected at most 6 MB, found more")
    return BatchResult(results, reasons[0] if reasons else None)


class _Outcome(NamedTuple):
    """A result, and the reason for its failure or warning, if any."""

    result: Result
    reason: str | None


def _members(value: object) -> Mapping[str, Any]:
    """Return an object of Firehose's event; any other value has no members."""
    return value if isinstance(value, dict) else {}


def _transform_record(
    record: Mapping[str, Any], json_paths: JsonPaths, masking: Masking
) -> _Outcome:
    try:
        data = decode_base64(record.get("data"))
        change = parse_change(data, _arrived_at(record), json_paths, masking)
    except BadRecord as error:
        return _Outcome(_failed_result(record), str(error))
    result = _ok_result(record, encode_row(change), change.changed_at)
    return _Outcome(result, _view_type_warning(change))


def _arrived_at(record: Mapping[str, Any]) -> object:
    """Return the arrival time of a record at Firehose, or else at Kinesis."""
    name = "approximateArrivalTimestamp"
    arrived_at = record.get(name)
    if arrived_at is not None:
        return arrived_at
    return _members(record.get("kinesisRecordMetadata")).get(name)


def _failed_result(record: Mapping[str, Any]) -> Result:
    return {
        "recordId": record.get("recordId"),
        "result": "ProcessingFailed",
        "data": record.get("data"),
    }


def _ok_result(record: Mapping[str, Any], row: bytes, changed_at: str) -> Result:
    return {
        "recordId": record.get("recordId"),
        "result": "Ok",
        "data": b2a_base64(row, newline=False).decode(),
        "metadata": {"partitionKeys": date_partition(changed_at)},
    }


def _view_type_warning(change: Change) -> str | None:
    """Return a warning if the stream omits images; its changes make rows all the same."""
    if change.view == FULL_VIEW:
        return None
    return str(BadRecord(FULL_VIEW, change.view, "StreamViewType"))


_OK_SIZE = len(dumps(_ok_result({"recordId": ""}, b"", "YYYY-MM-DD"))) - len('""') + len(", ")


def _size(result: Result) -> int:
    """Return an upper bound, close to the real size, of a result in Lambda's JSON response."""
    if result["result"] == "Ok":
        return _OK_SIZE + len(ascii_quoted(str(result["recordId"]))) + len(result["data"])
    return len(dumps(result)) + len(", ")


def _fit_response(records: list[Any], full: list[Result]) -> list[Result]:
    """Return results within the limit, in order: a row that does not fit is a failed record.

    The failed record is kept as it is, so that a replay makes its row in a smaller batch.
    """
    fitted = [_failed_result(record) for record in records]
    room = MAX_RESPONSE_BYTES - sum(map(_size, fitted))
    for index, result in enumerate(full):
        extra_bytes = _size(result) - _size(fitted[index])
        if extra_bytes <= max(room, 0):
            fitted[index] = result
            room -= extra_bytes
    return fitted
