"""The lake's row of a change: one line of JSON in which every value is a text or null."""

from transform.changes import Change
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
_HEAD = ",".join(f'"{name}":%s' for name in CDC_COLUMNS)


def line(change: Change, with_attributes: bool = True) -> bytes:
    """Return the row of a change and its line end; both images are in it in any case."""
    cells = _HEAD % tuple(["null" if text is None else quoted(text) for text in _texts(change)])
    # A removal has the columns of the old image, so that it can be analysed too.
    image = change.old_image if change.operation == "REMOVE" else change.new_image
    if image and with_attributes:
        cells += "".join(image.columns)
    # A surrogate that stands alone, which UTF-8 cannot hold, becomes its JSON escape.
    return f"{{{cells}}}\n".encode("utf-8", "backslashreplace")


def _texts(change: Change) -> tuple[str | None, ...]:
    """Return the texts of the columns `cdc_…`, in their order."""
    changed = change.changed
    return (
        change.operation,
        change.key,
        change.source,
        change.sequence,
        change.snapshot_at,
        change.event_id,
        change.changed_at,
        "true" if change.expired else "false",
        None if changed is None else f"[{','.join(map(quoted, changed))}]",
        change.old_image and change.old_image.text,
        change.new_image and change.new_image.text,
    )
