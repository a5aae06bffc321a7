"""Pieces of the lake's objects and of error objects: which keys they are of, and what is erased.

A piece that holds nothing of the keys stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from operations.json_objects import parse_object, to_json
from operations.lake import Rank, row_rank
from operations.replay.error_documents import parse_document, replace_record
from transform import BadRecord, canonical, parse_change, record_from_row
from transform.erasure import CONTENT_COLUMNS, erased_record, erased_row, has_content
from transform.row import CDC_COLUMNS, ERASED, encode_row

Limits = Mapping[str, Rank]  # of each key, the rank up to which its rows are erased
NO_LIMIT: Rank = ("\U0010ffff",)

MIN_TEXT_LENGTH = 8  # of a text that is looked for where no key is; shorter ones are anywhere


class Piece:
    """A line of the lake, which is a row, or an error document, which has a record or a row.

    Either may be anything else, too. Of a record, `_row` is the row that it makes.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        members = parse_object(text) or {}
        # A row may have an attribute with the name that the record has in a document.
        self._record = None if "cdc_key" in members else parse_document(text).record
        self._content = text if self._record is None else self._record
        self._members = members if self._record is None else parse_object(self._record) or {}
        self._is_row = "cdc_key" in self._members
        self._row = self._members if self._is_row else _row_of_change(self._content, self._members)

    def has_any(self, texts: Collection[bytes]) -> bool:
        """Return whether it has one of the texts, but is of no known key."""
        has_key = isinstance(self._row.get("cdc_key"), str)
        return not has_key and any(text in self._content for text in texts)

    @property
    def texts(self) -> set[bytes]:
        """The texts in the attribute columns of the row, by which its content is recognized."""
        values = [value for name, value in self._row.items() if name not in CDC_COLUMNS]
        texts = [text for text in values if isinstance(text, str) and len(text) >= MIN_TEXT_LENGTH]
        return {text.encode("utf-8", "replace") for text in texts}

    def holds(self, limits: Limits) -> bool:
        """Return whether it has images or attributes of one of the keys, up to its rank."""
        key = self._row.get("cdc_key")
        if not isinstance(key, str) or key not in limits or row_rank(self._row) > limits[key]:
            return False
        return has_content(self._row)

    def erased(self, limits: Limits) -> bytes:
        """Return the piece without what it holds of the keys."""
        if not self.holds(limits):
            return self._text
        erased = self._erased_row() if self._is_row else to_json(erased_record(self._members))
        if self._record is not None:
            erased = replace_record(self._text, erased, ERASED)
        return erased + self._text[len(self._text.rstrip(b"\r\n")) :]

    def _erased_row(self) -> bytes:
        """Return the row; if it failed, as a record, for no record would make an erased row."""
        if self._record is not None:
            with suppress(BadRecord):
                return record_from_row({**self._row, **dict.fromkeys(CONTENT_COLUMNS)})
        return to_json(erased_row(self._row))


def _row_of_change(record: bytes, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a change; if the transform rejects it, only its key and its images."""
    with suppress(BadRecord):
        return parse_object(encode_row(parse_change(record, arrived_at=0))) or {}
    change = members.get("dynamodb")
    if isinstance(change, dict):
        images = {name: image for name, image in change.items() if name.endswith("Image")}
        keys: Any = change.get("Keys")  # of any type; canonical rejects all but a mapping
        with suppress(BadRecord):
            return images | {"cdc_key": canonical(keys)}
    return {}
