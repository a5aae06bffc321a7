"""The lake's row of a change: one line of JSON in which every value is a text or null."""

from typing import NamedTuple

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
_HEAD = "{" + ",".join(f'"{name}":%s' for name in CDC_COLUMNS)
_TAIL = b"}\n"


class Line(NamedTuple):
    """A row as bytes, ended by its line end; `head` of them come before the attributes."""

    row: bytes
    head: int

    @property
    def without_attributes(self) -> bytes:
        """Return the row without its attributes; it holds both images still."""
        return self.row[: self.head] + _TAIL


def line(change: Change) -> Line:
    """Return the row of a change."""
    texts = ["null" if text is None else quoted(text) for text in _texts(change)]
    # A removal has the columns of the old image, so that it can be analysed too.
    image = change.old_image if change.operation == "REMOVE" else change.new_image
    head = _encoded(_HEAD % tuple(texts))
    return Line(head + _encoded("".join(image.columns) if image else "") + _TAIL, len(head))


def _encoded(text: str) -> bytes:
    """Return JSON in UTF-8; a surrogate that stands alone, which that cannot hold, is escaped."""
    return text.encode("utf-8", "backslashreplace")


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
