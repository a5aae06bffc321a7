"""JSON objects: parsed from bytes that may be anything, and written compactly as the pipe does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


# Any below: the objects have members of any shape.
def parse_object(text: bytes) -> dict[str, Any] | None:
    """Return the members of a JSON object, or None if the text is not one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def to_json(value: object, default: Callable[[object], object] | None = None) -> bytes:
    """Return the JSON of a value in UTF-8; a lone surrogate is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default)
    return text.encode("utf-8", "backslashreplace")
