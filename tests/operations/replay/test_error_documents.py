"""Error documents: every record is parsed, whatever bytes surround it and however they arrive."""

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operations.replay import error_documents
from operations.replay.error_documents import (
    ErrorDocument,
    parse_document,
    parse_documents,
    split_pieces,
)

Document = dict[str, Any]

CODE_NAMES = st.sampled_from(["errorCode", "ErrorCode", "lastErrorCode"])
SEPARATORS = st.sampled_from([b"", b"\n", b"\r\n", b" ", b"\n\n"])
GARBAGE = st.sampled_from(
    [b"", b"x", b"}", b'"', b"null", b"[1,2]", b'{"a', b'{"a":"\\', b"{{", b"\xff\xfe", b'{"a":{}']
)


@st.composite
def firehose_documents(draw: st.DrawFn) -> Document:
    """Return the document of a failed record, in one of Firehose's spellings."""
    return {
        "rawData": base64.b64encode(draw(st.binary(max_size=30))).decode(),
        draw(CODE_NAMES): draw(st.sampled_from(["Lambda.FunctionError", "A.B"])),
        "errorMessage": draw(st.text('ab"\\{}\n\u2028é', max_size=8)),
        "arrivalTimestamp": draw(st.integers(0, 2**41)),
        "dataCatalogTable": {"catalogArn": draw(st.text("}{\\", max_size=3))},
    }


ENCODED_DOCUMENTS = firehose_documents().map(lambda document: json.dumps(document).encode())


def split_anywhere(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """Return content in chunks of any size."""
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    bounds = zip([0, *cuts], [*cuts, len(content)], strict=True)
    return [content[start:end] for start, end in bounds]


@st.composite
def error_objects(draw: st.DrawFn) -> tuple[list[Document], list[bytes]]:
    """Return documents, and the chunks of an object that consists of them."""
    documents = draw(st.lists(firehose_documents(), max_size=4))
    indent = draw(st.sampled_from([None, None, 2]))
    texts = [
        json.dumps(document, ensure_ascii=False, indent=indent).encode() for document in documents
    ]
    content = draw(SEPARATORS).join([*texts, b""])
    return documents, split_anywhere(draw, content)


@given(error_objects())
def test_every_document_is_parsed(error_object: tuple[list[Document], list[bytes]]) -> None:
    documents, chunks = error_object
    parsed = list(parse_documents(chunks))
    records = [base64.b64decode(document["rawData"]) for document in documents]
    times = [document["arrivalTimestamp"] for document in documents]
    assert [json.loads(document.text) for document in parsed] == documents
    assert [document.record for document in parsed] == records
    assert all(document.code in ("Lambda.FunctionError", "A.B") for document in parsed)
    assert [document.arrived_at for document in parsed] == times


@given(st.data(), st.lists(GARBAGE | ENCODED_DOCUMENTS | st.binary()))
def test_pieces_do_not_depend_on_the_chunks(data: st.DataObject, parts: list[bytes]) -> None:
    content = data.draw(SEPARATORS).join(parts)
    pieces = list(split_pieces([content]))
    assert list(split_pieces(data.draw(st.composite(split_anywhere)(content)))) == pieces
    assert list(split_pieces(bytes([byte]) for byte in content)) == pieces


@given(st.lists(GARBAGE | st.binary(max_size=9) | ENCODED_DOCUMENTS))
def test_no_byte_of_an_object_is_lost(parts: list[bytes]) -> None:
    content = b"\n".join(parts)
    joined = b"".join(split_pieces([content]))
    assert b"".join(joined.split()) == b"".join(content.split())


@given(firehose_documents(), GARBAGE, firehose_documents())
@example({"rawData": ""}, b'{"rawData":"abc', {"rawData": ""})
def test_garbage_hides_no_document_on_the_next_line(
    first: Document, garbage: bytes, second: Document
) -> None:
    lines = [json.dumps(first).encode(), garbage, json.dumps(second).encode()]
    documents = parse_documents([b"\n".join(lines)])
    texts = [document.text for document in documents if document.record is not None]
    assert texts == [lines[0], lines[2]]


@given(st.data(), st.integers(8, 40))
def test_an_oversized_document_is_split(data: st.DataObject, size: int) -> None:
    long = b'{"a":"' + b'\\"}{' * 30 + b'"}'
    short = b'{"b":1}'
    chunks = data.draw(st.composite(split_anywhere)(long + short))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(error_documents, "MAX_PIECE_BYTES", size)
        *pieces, last_piece = split_pieces(chunks)
    assert last_piece == short
    assert b"".join(pieces) == long
    assert all(len(piece) <= size for piece in pieces)


WITHOUT_RECORD = [
    b"",
    b"x",
    b"{}",
    b"[]",
    b'{"rawData":1}',
    b'{"rawData":"*"}',
    b"[" * 99999,
    b'{"a":NaN}',
]


@pytest.mark.parametrize("text", WITHOUT_RECORD)
def test_a_piece_without_a_record_is_unreadable(text: bytes) -> None:
    assert parse_document(text) == ErrorDocument(text)


@pytest.mark.parametrize("code", ["\x1b[2J", "a b", "", 7, None, "x" * 101])
def test_an_unprintable_error_code_is_unknown(code: object) -> None:
    assert parse_document(json.dumps({"errorCode": code}).encode()).code == "unknown"
