"""Firehose's error documents, read from the bytes of an object: pure, and none of them is lost.

Documents stand one on a line or back to back. What is no document stays in its place as a piece of
bytes: the pieces together are the object, but for the white space between them.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST = 32 * 1024 * 1024  # bytes of a piece; Firehose's own have a record of at most 6 MB
UNNAMED = "unknown"
_MARK = re.compile(rb'["\\{}]')
_CODE = re.compile(r"[\w.:-]{1,100}").fullmatch


@dataclass(frozen=True, slots=True)
class Document:
    """One failed record, and what Firehose says of it; without `raw` it is not readable.

    `text` is the document as it stands in the object, `raw` the record: the change as it came from
    Kinesis, or the row that the function had made of it.
    """

    text: bytes
    code: str = UNNAMED
    arrived_at: object = None
    raw: bytes | None = None


def documents(chunks: Iterable[bytes]) -> Iterator[Document]:
    """Return the documents that the chunks of an object tell, in their order."""
    return map(document, pieces(chunks))


def document(text: bytes) -> Document:
    """Return the document of a piece; its names are spelled in more than one way.

    >>> document(b'{"rawData": "eyJ9", "lastErrorCode": "DataFormatConversion.ParseError"}').code
    'DataFormatConversion.ParseError'
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return Document(text)
    if not isinstance(told, dict):
        return Document(text)
    named = {name.lower(): value for name, value in told.items()}
    code = named_code(named.get("errorcode", named.get("lasterrorcode")))
    return Document(text, code, named.get("arrivaltimestamp"), _decoded(named.get("rawdata")))


def named_code(code: object) -> str:
    """Return an error code that is fit to be shown; another has no name."""
    return code if isinstance(code, str) and _CODE(code) else UNNAMED


def _decoded(text: object) -> bytes | None:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the pieces of an object: whole JSON objects, and what stands between them.

    However the bytes are cut into chunks, the pieces are the same.
    """
    scanner = _Scanner()
    for chunk in chunks:
        yield from scanner.pieces(chunk)
    yield from scanner.rest()


class _Scanner:
    """Looks for the ends of JSON objects; a line that begins with one ends what is unfinished."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0  # How much of what is held has been looked at.
        self._begin()

    def _begin(self, depth: int = 0) -> None:
        self._depth = depth
        self._quoted = False
        self._escaped = -1

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Return the pieces that end in this chunk."""
        self._held += chunk
        while (cut := self._cut()) is not None:
            piece = bytes(self._held[:cut]).strip()
            del self._held[:cut]
            self._seen -= cut
            self._escaped -= cut
            if piece:
                yield piece

    def rest(self) -> Iterator[bytes]:
        """Return what is left at the end."""
        if piece := bytes(self._held).strip():
            yield piece

    def _cut(self) -> int | None:
        """Return where the next piece ends, or None until more is known."""
        for mark in _MARK.finditer(self._held, self._seen, LONGEST):
            place = mark.start()
            self._seen = place + 1
            if mark[0] == b"{" and (cut := self._opened(place)) is not None:
                return cut
            if mark[0] != b"{" and self._closed(mark[0], place):
                return place + 1
        self._seen = min(len(self._held), LONGEST)
        if len(self._held) < LONGEST:
            return None
        return LONGEST

    def _opened(self, place: int) -> int | None:
        """Take note of a brace, and return its place where it begins a piece."""
        starts_line = place == 0 or self._held[place - 1] in b"\n\r"
        if self._depth and not (starts_line and place):
            self._depth += not self._quoted
            return None
        self._begin(depth=1)
        return place or None

    def _closed(self, mark: bytes, place: int) -> bool:
        """Take note of a quote, a backslash or a closing brace; return whether an object ends."""
        if place == self._escaped or not self._depth:
            return False
        if mark == b"\\" and self._quoted:
            self._escaped = place + 1
        elif mark == b'"':
            self._quoted = not self._quoted
        elif mark == b"}" and not self._quoted:
            self._depth -= 1
        return self._depth == 0
