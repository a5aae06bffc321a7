"""Error documents: whatever the bytes and however they arrive, every record in them is found."""

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operations.replay import error_documents
from operations.replay.error_documents import Document, document, documents, pieces

Told = dict[str, Any]

SPELLINGS = st.sampled_from(["errorCode", "ErrorCode", "lastErrorCode"])
SEPARATORS = st.sampled_from([b"", b"\n", b"\r\n", b" ", b"\n\n"])
GARBAGE = st.sampled_from(
    [b"", b"x", b"}", b'"', b"null", b"[1,2]", b'{"a', b'{"a":"\\', b"{{", b"\xff\xfe", b'{"a":{}']
)


@st.composite
def told(draw: st.DrawFn) -> Told:
    """Return what Firehose tells of a failed record, in one of its spellings."""
    return {
        "rawData": base64.b64encode(draw(st.binary(max_size=30))).decode(),
        draw(SPELLINGS): draw(st.sampled_from(["Lambda.FunctionError", "A.B"])),
        "errorMessage": draw(st.text('ab"\\{}\n\u2028é', max_size=8)),
        "arrivalTimestamp": draw(st.integers(0, 2**41)),
        "dataCatalogTable": {"catalogArn": draw(st.text("}{\\", max_size=3))},
    }


def chunked(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """Return content, cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    bounds = zip([0, *cuts], [*cuts, len(content)], strict=True)
    return [content[start:end] for start, end in bounds]


@st.composite
def written(draw: st.DrawFn) -> tuple[list[Told], list[bytes]]:
    """Return documents, and the chunks of an object that holds them."""
    tales = draw(st.lists(told(), max_size=4))
    indent = draw(st.sampled_from([None, None, 2]))
    texts = [json.dumps(each, ensure_ascii=False, indent=indent).encode() for each in tales]
    separator = draw(SEPARATORS)
    return tales, chunked(draw, separator.join([*texts, b""]))


@given(written())
def test_every_document_is_read_back_to_back_or_by_line(
    case: tuple[list[Told], list[bytes]],
) -> None:
    tales, parts = case
    found = list(documents(parts))
    assert [json.loads(each.text) for each in found] == tales
    assert [each.raw for each in found] == [base64.b64decode(each["rawData"]) for each in tales]
    assert all(each.code in ("Lambda.FunctionError", "A.B") for each in found)
    assert [each.arrived_at for each in found] == [each["arrivalTimestamp"] for each in tales]


@given(
    st.data(), st.lists(GARBAGE | told().map(lambda tale: json.dumps(tale).encode()) | st.binary())
)
def test_however_an_object_is_cut_its_pieces_are_the_same(
    data: st.DataObject, parts: list[bytes]
) -> None:
    content = data.draw(SEPARATORS).join(parts)
    whole = list(pieces([content]))
    assert list(pieces(data.draw(st.composite(chunked)(content)))) == whole
    assert list(pieces(bytes([byte]) for byte in content)) == whole


@given(
    st.lists(GARBAGE | st.binary(max_size=9) | told().map(lambda tale: json.dumps(tale).encode()))
)
def test_no_byte_of_an_object_is_lost(parts: list[bytes]) -> None:
    content = b"\n".join(parts)
    assert b"".join(b"".join(pieces([content])).split()) == b"".join(content.split())


@given(told(), GARBAGE, told())
@example({"rawData": ""}, b'{"rawData":"abc', {"rawData": ""})
def test_what_is_no_document_hides_none_that_begins_a_line(
    first: Told, garbage: bytes, second: Told
) -> None:
    lines = [json.dumps(first).encode(), garbage, json.dumps(second).encode()]
    found = [each.text for each in documents([b"\n".join(lines)]) if each.raw is not None]
    assert found == [lines[0], lines[2]]


@given(st.data(), st.integers(8, 40))
def test_a_document_that_is_too_long_is_given_out_in_parts(data: st.DataObject, size: int) -> None:
    long, short = b'{"a":"' + b'\\"}{' * 30 + b'"}', b'{"b":1}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(error_documents, "LONGEST", size)
        found = list(pieces(data.draw(st.composite(chunked)(long + short))))
    assert found[-1] == short
    assert b"".join(found[:-1]) == long
    assert all(len(each) <= size for each in found)


HOSTILE = [
    b"",
    b"x",
    b"{}",
    b"[]",
    b'{"rawData":1}',
    b'{"rawData":"*"}',
    b"[" * 99999,
    b'{"a":NaN}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_piece_without_a_record_is_told_as_such(text: bytes) -> None:
    assert document(text) == Document(text)


def test_an_error_code_that_is_no_code_has_no_name() -> None:
    for code in ("\x1b[2J", "a b", "", 7, None, "x" * 101):
        assert document(json.dumps({"errorCode": code}).encode()).code == "unknown"
