"""Erasing a row of the lake, or a failed record: what it says of the item goes, the change stays.

A row keeps its key, its rank and its time, so the history still counts it. Its images and its
attributes go, and `cdc_expired` says "erased". A failed record keeps the same, so a replay still
delivers it, as a change without images. All else stays as it was, byte for byte.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from operations.json_objects import parse_object, to_json
from operations.replay.error_documents import parse_document
from transform import BadRecord, canonical, parse_change, record_from_row
from transform.row import CDC_COLUMNS, ERASED
from transform.state import rank, stream_rank

Rank = tuple[str, ...]
Limits = Mapping[str, Rank]  # of each key, the rank up to which its rows are erased
NO_LIMIT: Rank = ("\U0010ffff",)

MIN_TEXT_LENGTH = 8  # of a text that is looked for where no key is; shorter ones are anywhere
RANK_COLUMNS = ("cdc_source", "cdc_sequence", "cdc_snapshot_at", "cdc_event_id")
CONTENT_COLUMNS = ("cdc_changed", "cdc_old_image", "cdc_new_image")


def erase_row(line: bytes, limits: Limits) -> bytes:
    """Return a line of the lake, erased if it is a row of one of the keys."""
    row = parse_object(line) or {}
    if not has_content(row, limits):
        return line
    return to_json(_erased_row(row)) + _newline(line)


def erase_document(text: bytes, limits: Limits) -> bytes:
    """Return an error document, with its record erased if it is a change of one of the keys."""
    record = parse_document(text).record
    erased = record and erase_record(record, limits)
    if erased == record:
        return text
    members = parse_object(text) or {}
    for name in members:
        if name.lower() == "rawdata":
            members[name] = b64encode(erased or b"").decode()
        elif name.lower() in ("errorcode", "lasterrorcode"):
            members[name] = ERASED
    return to_json(members) + _newline(text)


def erase_record(record: bytes, limits: Limits) -> bytes:
    """Return a record, or a row in its place, as the record of a change without images."""
    members = parse_object(record) or {}
    if has_content(members, limits):
        row = _erased_row(members)
        try:
            return record_from_row({**row, "cdc_expired": members.get("cdc_expired")})
        except BadRecord:
            return to_json(row)
    change = members.get("dynamodb")
    if not isinstance(change, dict) or not _is_record_to_erase(record, change, limits):
        return record
    without_images = {name: change[name] for name in change if not name.endswith("Image")}
    if members.get("eventName") != "SNAPSHOT":
        without_images["StreamViewType"] = "KEYS_ONLY"
    return to_json({**members, "dynamodb": without_images})


def has_content(row: Mapping[str, Any], limits: Limits) -> bool:
    """Return whether a row of one of the keys has images or attributes, up to its rank."""
    key = row.get("cdc_key")
    if not isinstance(key, str) or key not in limits:
        return False
    has_images = any(row.get(name) is not None for name in CONTENT_COLUMNS)
    has_attributes = not row.keys() <= set(CDC_COLUMNS)
    return (has_images or has_attributes) and row_rank(row) <= limits[key]


def row_rank(row: Mapping[str, Any]) -> Rank:
    """Return the rank of a row, which may lack columns."""
    source, *others = (str(row.get(name) or "") for name in RANK_COLUMNS)
    return (*stream_rank(source), *others)


def unattributed(text: bytes) -> bytes:
    """Return what a line or a document says if it is of no known key; else nothing."""
    content = _content(text)
    members = parse_object(content) or {}
    has_key = isinstance(members.get("cdc_key"), str) or isinstance(members.get("dynamodb"), dict)
    return b"" if has_key else content


def texts_of(text: bytes) -> set[bytes]:
    """Return the texts in the attribute columns of a row, by which its content is recognized."""
    row = parse_object(_content(text)) or {}
    if "cdc_key" not in row:
        return set()
    values = [value for name, value in row.items() if name not in CDC_COLUMNS]
    texts = [value for value in values if isinstance(value, str) and len(value) >= MIN_TEXT_LENGTH]
    return {value.encode("utf-8", "replace") for value in texts}


def _content(text: bytes) -> bytes:
    """Return the record of an error document, or a line of the lake as it is."""
    is_row = "cdc_key" in (parse_object(text) or {})
    record = None if is_row else parse_document(text).record
    return text if record is None else record


def _erased_row(row: Mapping[str, Any]) -> dict[str, Any]:
    erased = {name: row.get(name) for name in CDC_COLUMNS}
    return erased | dict.fromkeys(CONTENT_COLUMNS) | {"cdc_expired": ERASED}


def _is_record_to_erase(record: bytes, change: Mapping[str, Any], limits: Limits) -> bool:
    """Return whether a change has images of one of the keys, also if the transform rejects it."""
    if not any(name.endswith("Image") for name in change):
        return False
    try:
        parsed = parse_change(record, arrived_at=0)
        return parsed.key in limits and rank(parsed) <= limits[parsed.key]
    except BadRecord:
        keys = change.get("Keys")
    try:
        return isinstance(keys, dict) and canonical(keys) in limits
    except BadRecord:
        return False


def _newline(text: bytes) -> bytes:
    return text[len(text.rstrip(b"\r\n")) :]
