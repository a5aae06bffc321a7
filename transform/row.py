"""Rows of the lake: one line of JSON for a change, every value a string or null."""

from transform.changes import Change
from transform.values import quote_json

CDC_COLUMNS = (
    "cdc_operation",
    "cdc_key",
    "cdc_source",
    "cdc_sequence",
    "cdc_snapshot_at",
    "cdc_event_id",
    "cdc_changed_at",
    "cdc_expired",
    "cdc_changed",
    "cdc_old_image",
    "cdc_new_image",
)

ERASED = "erased"  # cdc_expired of a row whose images and attributes were erased


def encode_row(change: Change) -> bytes:
    """Return the row of a change, with its newline."""
    old = change.old_image
    new = change.new_image
    # A removal has the columns of the old image, so that queries see what was removed.
    image = old if change.operation == "REMOVE" else new
    expired = "true" if change.expired else "false"
    return _to_utf8(
        f'{{"cdc_operation":"{change.operation}"'
        f',"cdc_key":{quote_json(change.key)}'
        f',"cdc_source":{quote_json(change.source)}'
        f',"cdc_sequence":"{change.sequence}"'
        f',"cdc_snapshot_at":{_or_null(change.snapshot_at)}'
        f',"cdc_event_id":{quote_json(change.event_id)}'
        f',"cdc_changed_at":"{change.changed_at}"'
        f',"cdc_expired":"{expired}"'
        f',"cdc_changed":{_or_null(_json_array(change.changed))}'
        f',"cdc_old_image":{_or_null(old and old.text)}'
        f',"cdc_new_image":{_or_null(new and new.text)}'
        f"{''.join(image.columns) if image else ''}}}\n"
    )


def _json_array(names: list[str] | None) -> str | None:
    return None if names is None else f"[{','.join(map(quote_json, names))}]"


def _or_null(text: str | None) -> str:
    return "null" if text is None else quote_json(text)


def _to_utf8(text: str) -> bytes:
    """Return JSON in UTF-8; a lone surrogate, which UTF-8 cannot encode, is escaped."""
    return text.encode("utf-8", "backslashreplace")
