"""Firehose's error documents, parsed from the bytes of an error object without losing any.

An object holds one document per line, or documents back to back. Content that is not a document
becomes a piece of bytes in its place: all pieces joined are the object, except for the white space
between them.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from operations.json_objects import parse_object, to_json

MAX_PIECE_BYTES = 32 * 1024 * 1024  # Firehose's own documents hold a record of at most 6 MB
UNKNOWN_CODE = "unknown"
_STRUCTURAL_BYTE = re.compile(rb'["\\{}]')
_VALID_CODE = re.compile(r"[\w.:-]{1,100}")


@dataclass(frozen=True, slots=True)
class ErrorDocument:
    """One failed record and its error code; `record` is None if the document is unreadable.

    `text` is the document as it is in the object. `record` is either the change as it came from
    Kinesis, or the row that the function made of it.
    """

    text: bytes
    code: str = UNKNOWN_CODE
    arrived_at: object = None
    record: bytes | None = None


def parse_documents(chunks: Iterable[bytes]) -> Iterator[ErrorDocument]:
    """Yield the documents of an object, given as chunks of its content."""
    return map(parse_document, split_pieces(chunks))


def parse_document(text: bytes) -> ErrorDocument:
    """Return the document of a piece; Firehose spells its member names in more than one way.

    >>> parse_document(b'{"rawData": "e30=", "lastErrorCode": "Parquet.ParseError"}').code
    'Parquet.ParseError'
    """
    members = parse_object(text)
    if members is None:
        return ErrorDocument(text)
    by_name = {name.lower(): value for name, value in members.items()}
    return ErrorDocument(
        text=text,
        code=printable_code(by_name.get("errorcode", by_name.get("lasterrorcode"))),
        arrived_at=by_name.get("arrivaltimestamp"),
        record=_decode_base64(by_name.get("rawdata")),
    )


def replace_record(text: bytes, record: bytes, code: str) -> bytes:
    """Return a document with another record and error code."""
    members = parse_object(text) or {}
    for name in members:
        if name.lower() == "rawdata":
            members[name] = b64encode(record).decode()
        elif name.lower() in ("errorcode", "lasterrorcode"):
            members[name] = code
    return to_json(members)


def printable_code(code: object) -> str:
    """Return an error code if it is safe to print, else UNKNOWN_CODE."""
    return code if isinstance(code, str) and _VALID_CODE.fullmatch(code) else UNKNOWN_CODE


def _decode_base64(text: object) -> bytes | None:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def split_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces of an object: whole JSON objects, and the content between them.

    The pieces do not depend on how the bytes are split into chunks.
    """
    scanner = _Scanner()
    for chunk in chunks:
        yield from scanner.feed(chunk)
    yield from scanner.finish()


class _Scanner:
    """Finds the ends of JSON objects. An object at the start of a line ends an unfinished one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer
        self._reset()

    def _reset(self, depth: int = 0) -> None:
        self._depth = depth
        self._is_in_string = False
        self._escaped_position = -1

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Add a chunk, and yield the pieces that end in it."""
        self._buffer += chunk
        while (end := self._next_end()) is not None:
            piece = bytes(self._buffer[:end]).strip()
            del self._buffer[:end]
            self._scanned -= end
            self._escaped_position -= end
            if piece:
                yield piece

    def finish(self) -> Iterator[bytes]:
        """Yield the rest of the buffer."""
        if piece := bytes(self._buffer).strip():
            yield piece

    def _next_end(self) -> int | None:
        """Return where the next piece ends, or None if that needs another chunk."""
        for match in _STRUCTURAL_BYTE.finditer(self._buffer, self._scanned, MAX_PIECE_BYTES):
            position = match.start()
            self._scanned = position + 1
            if match[0] == b"{":
                end = self._open_brace(position)
                if end is not None:
                    return end
            elif self._closes_object(match[0], position):
                return position + 1
        self._scanned = min(len(self._buffer), MAX_PIECE_BYTES)
        return MAX_PIECE_BYTES if len(self._buffer) >= MAX_PIECE_BYTES else None

    def _open_brace(self, position: int) -> int | None:
        """Process an opening brace; return its position if the piece before it ends there."""
        starts_line = position == 0 or self._buffer[position - 1] in b"\n\r"
        if self._depth and not (starts_line and position):
            self._depth += not self._is_in_string
            return None
        self._reset(depth=1)
        return position or None

    def _closes_object(self, byte: bytes, position: int) -> bool:
        """Process a quote, backslash or closing brace; return whether it ends an object."""
        if position == self._escaped_position or not self._depth:
            return False
        if byte == b"\\" and self._is_in_string:
            self._escaped_position = position + 1
        elif byte == b'"':
            self._is_in_string = not self._is_in_string
        elif byte == b"}" and not self._is_in_string:
            self._depth -= 1
        return self._depth == 0
