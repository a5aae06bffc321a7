"""The record that a row of the lake was made of, as far as the row tells: what replay sends again.

Where a row comes back from Firehose instead of the change, the change is not lost: the columns
`cdc_…` hold all of it that a row is made of.
"""

from collections.abc import Mapping, Set

from transform.changes import FULL_VIEW, IMAGES, NEW, OLD, SNAPSHOT, VIEWS
from transform.errors import BadRecord, kind
from transform.row import CDC_COLUMNS
from transform.values import quoted

_TTL = '{"type":"Service","principalId":"dynamodb.amazonaws.com"}'


def record_from_row(row: Mapping[str, str | None]) -> bytes:
    """Return a record whose row has the columns `cdc_…` of this one; the attributes follow.

    It is put together from the row's texts as they are: whoever does not trust them compares.
    """
    told = {name: _text(name, row.get(name)) for name in CDC_COLUMNS}
    operation = told["cdc_operation"]
    outer = {
        "eventName": _quoted(operation),
        "eventSourceARN": _quoted(told["cdc_source"]),
        "dynamodb": _object(_inner(told)),
    }
    if operation == SNAPSHOT:
        outer["snapshotAt"] = _quoted(told["cdc_snapshot_at"])
    else:
        outer["eventID"] = _quoted(told["cdc_event_id"])
    if told["cdc_expired"] == "true":
        outer["userIdentity"] = _TTL
    return _object(outer).encode("utf-8", "backslashreplace")


def _inner(told: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the members of `dynamodb`, as JSON."""
    columns = {NEW: told["cdc_new_image"], OLD: told["cdc_old_image"]}
    images = {name: text for name, text in columns.items() if text is not None}
    return {
        "ApproximateCreationDateTime": _quoted(told["cdc_changed_at"]),
        "Keys": told["cdc_key"],
        **images,
        "SequenceNumber": _quoted(told["cdc_sequence"]),
        "StreamViewType": _quoted(_view(told["cdc_operation"], images.keys())),
    }


def _view(operation: str | None, images: Set[str]) -> str:
    """Return a view type that tells these images of such a change, and no others."""
    if operation == SNAPSHOT or IMAGES.get(operation or "", set()) <= images:
        return FULL_VIEW
    return next(view for view, told in VIEWS.items() if told == images)


def _text(name: str, value: object) -> str | None:
    if value is not None and type(value) is not str:
        raise BadRecord("a text or null", kind(value), name)
    return value


def _quoted(text: str | None) -> str | None:
    return None if text is None else quoted(text)


def _object(members: Mapping[str, str | None]) -> str:
    told = (f'"{name}":{text}' for name, text in members.items() if text is not None)
    return f"{{{','.join(told)}}}"
