"""The lake's row of a change: one line of JSON in which every value is a text or null."""

from json import dumps

from transform.changes import Change
from transform.parsing import parsed
from transform.values import quoted

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


def line(change: Change) -> bytes:
    """Return the row of a change, with its line end."""
    old, new = change.old_image, change.new_image
    # A removal has the columns of the old image, so that it can be analysed too.
    image = old if change.operation == "REMOVE" else new
    expired = "true" if change.expired else "false"
    return _encoded(
        f'{{"cdc_operation":"{change.operation}"'
        f',"cdc_key":{quoted(change.key)}'
        f',"cdc_source":{quoted(change.source)}'
        f',"cdc_sequence":"{change.sequence}"'
        f',"cdc_snapshot_at":{_or_null(change.snapshot_at)}'
        f',"cdc_event_id":{quoted(change.event_id)}'
        f',"cdc_changed_at":"{change.changed_at}"'
        f',"cdc_expired":"{expired}"'
        f',"cdc_changed":{_or_null(_names(change.changed))}'
        f',"cdc_old_image":{_or_null(old and old.text)}'
        f',"cdc_new_image":{_or_null(new and new.text)}'
        f"{''.join(image.columns) if image else ''}}}\n"
    )


def without_attributes(row: bytes) -> bytes:
    """Return a row without its attributes; it holds both images still."""
    columns = {name: text for name, text in parsed(row) if name in CDC_COLUMNS}
    return _encoded(dumps(columns, ensure_ascii=False, separators=(",", ":")) + "\n")


def _names(changed: list[str] | None) -> str | None:
    return None if changed is None else f"[{','.join(map(quoted, changed))}]"


def _or_null(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def _encoded(text: str) -> bytes:
    """Return JSON in UTF-8; a surrogate that stands alone, which that cannot hold, is escaped."""
    return text.encode("utf-8", "backslashreplace")
