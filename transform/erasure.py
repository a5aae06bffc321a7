"""Erasure of an item: what rows and records keep of its changes.

A row keeps its key, its rank and its time, so the history still counts it. Its images and its
attributes go, and `cdc_expired` says "erased". A record keeps the same, so a replay still delivers
it, as a change without images.
"""

from collections.abc import Mapping
from typing import Any

from transform.changes import SNAPSHOT
from transform.row import CDC_COLUMNS, ERASED

CONTENT_COLUMNS = ("cdc_changed", "cdc_old_image", "cdc_new_image")
KEPT_COLUMNS = tuple(name for name in CDC_COLUMNS if name not in CONTENT_COLUMNS)


def has_content(row: Mapping[str, object]) -> bool:
    """Return whether a row has images or attributes."""
    return any(value is not None for name, value in row.items() if name not in KEPT_COLUMNS)


def erased_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without its images and attributes."""
    kept = {name: row.get(name) for name in KEPT_COLUMNS}
    return {**dict.fromkeys(CDC_COLUMNS), **kept, "cdc_expired": ERASED}


def erased_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without its images; it may be one that the transform rejects."""
    change = record["dynamodb"]
    kept = {name: change[name] for name in change if not name.endswith("Image")}
    if record.get("eventName") != SNAPSHOT:
        kept["StreamViewType"] = "KEYS_ONLY"
    return {**record, "dynamodb": kept}
