"""Records rebuilt from rows: what replay sends if Firehose returned a row instead of its change.

The change is not lost then: the `cdc_…` columns hold everything that its row is made of.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from transform.changes import (
    FULL_VIEW,
    IMAGES_BY_OPERATION,
    IMAGES_BY_VIEW_TYPE,
    NEW_IMAGE,
    OLD_IMAGE,
    SNAPSHOT,
)
from transform.errors import BadRecord, kind
from transform.row import CDC_COLUMNS
from transform.values import quote_json

_TTL = '{"type":"Service","principalId":"dynamodb.amazonaws.com"}'


def record_from_row(row: Mapping[str, str | None]) -> bytes:
    """Return a record whose row has the same `cdc_…` columns, and so the same attributes.

    The row's strings are used as they are: a caller that does not trust them compares the rows.
    """
    columns = {name: _string_or_null(name, row.get(name)) for name in CDC_COLUMNS}
    operation = columns["cdc_operation"]
    record = {
        "eventName": _quoted(operation),
        "eventSourceARN": _quoted(columns["cdc_source"]),
        "dynamodb": _object(_dynamodb_members(columns)),
    }
    if operation == SNAPSHOT:
        record["snapshotAt"] = _quoted(columns["cdc_snapshot_at"])
    else:
        record["eventID"] = _quoted(columns["cdc_event_id"])
    if columns["cdc_expired"] == "true":
        record["userIdentity"] = _TTL
    return _object(record).encode("utf-8", "backslashreplace")


def _dynamodb_members(columns: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the members of `dynamodb` as JSON."""
    texts = {NEW_IMAGE: columns["cdc_new_image"], OLD_IMAGE: columns["cdc_old_image"]}
    images = {name: text for name, text in texts.items() if text is not None}
    return {
        "ApproximateCreationDateTime": _quoted(columns["cdc_changed_at"]),
        "Keys": columns["cdc_key"],
        **images,
        "SequenceNumber": _quoted(columns["cdc_sequence"]),
        "StreamViewType": _quoted(_view_type(columns["cdc_operation"], images.keys())),
    }


def _view_type(operation: str | None, images: AbstractSet[str]) -> str:
    """Return a view type that sends exactly these images of such a change."""
    if operation == SNAPSHOT or IMAGES_BY_OPERATION.get(operation or "", set()) <= images:
        return FULL_VIEW
    return next(view for view, sent in IMAGES_BY_VIEW_TYPE.items() if sent == images)


def _string_or_null(name: str, value: object) -> str | None:
    if value is not None and type(value) is not str:
        raise BadRecord("a string or null", kind(value), name)
    return value


def _quoted(text: str | None) -> str | None:
    return None if text is None else quote_json(text)


def _object(members: Mapping[str, str | None]) -> str:
    pairs = (f'"{name}":{text}' for name, text in members.items() if text is not None)
    return f"{{{','.join(pairs)}}}"
