"""Base64 and JSON: strict, lossless, and total."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import json_values
from transform.errors import BadRecord
from transform.parsing import Number, as_pairs, decode_base64, members, parse_json

BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
INVALID_JSON = "expected JSON in UTF-8, found other bytes"


def standard(value: Any) -> Any:
    """Return a parsed value in the form of json.loads."""
    if isinstance(value, Number):
        return json.loads(value.text)
    if isinstance(value, tuple):
        return {name: standard(member) for name, member in value}
    return [standard(member) for member in value] if isinstance(value, list) else value


@given(json_values())
def test_parsing_agrees_with_the_standard_parser(value: Any) -> None:
    text = json.dumps(value)
    if "NaN" in text or "Infinity" in text:
        return
    assert json.dumps(standard(parse_json(text.encode()))) == text


@given(st.binary() | st.text('[]{}:,"\\ \t\n0e1.-+tfn', max_size=20).map(str.encode))
@example(b"")
@example(b"\xff")
@example(b"NaN")
@example(b"-Infinity")
@example(b"\xef\xbb\xbf{}")
@example(b"\xed\xa0\x80")
@example('"a"'.encode("utf-16"))
@example(b"1" * 5000)
def test_any_bytes_give_a_value_or_bad_record(raw: bytes) -> None:
    try:
        parse_json(raw)
    except BadRecord as error:
        constants = {f"expected JSON, found {name}" for name in ("NaN", "Infinity", "-Infinity")}
        assert str(error) in constants | {INVALID_JSON}  # noqa: PT017 - a value is valid too.


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[1,]", b"{'a':1}", b"[1] 2", b"\x0b1"])
def test_invalid_json_states_the_reason(raw: bytes) -> None:
    with pytest.raises(BadRecord) as error_info:
        parse_json(raw)
    assert str(error_info.value) == INVALID_JSON


def test_surrounding_whitespace_is_ignored() -> None:
    assert parse_json(b' \r\n\t"a " \t\r\n') == "a "


def test_numbers_keep_every_digit() -> None:
    texts = ["1" * 5000, "1.50", "-0", "1E400"]
    assert [number.text for number in parse_json(f"[{','.join(texts)}]".encode())] == texts


def test_number_equals_only_itself() -> None:
    first, second = parse_json(b"[1,1]")
    assert first != second
    assert first not in (1, True, "1")


def test_nan_is_rejected() -> None:
    with pytest.raises(BadRecord, match=r"^expected JSON, found NaN$"):
        parse_json(b"[NaN]")


def test_duplicate_names_are_rejected_by_members() -> None:
    pairs = parse_json(b'{"a":1,"b":2,"a":3}')
    assert [name for name, _ in pairs] == ["a", "b", "a"]
    with pytest.raises(BadRecord, match="expected distinct names, found a duplicate"):
        members(pairs)


def test_members_requires_an_object() -> None:
    assert members(parse_json(b'{"a":"x","b":null}')) == {"a": "x", "b": None}
    for value in (b"[]", b'"a"', b"1", b"null", b"true"):
        with pytest.raises(BadRecord, match="expected an object, found"):
            members(parse_json(value))


@given(
    st.text()
    | st.text("ABab09+/=", max_size=12)
    | st.binary().map(base64.b64encode).map(bytes.decode)
)
@example("=")
@example("====")
@example("AB=C")
@example("AAAA====")
@example("AA==AA==")
@example("A\nAAA")
@example("AAAA\n\n\n\n")
@example("AAA=AAA=")
@example("=\n==")
@example("AAAA===\n")
@example("AAAA==\n=")
def test_base64_is_strict(text: str) -> None:
    if BASE64.fullmatch(text):
        assert decode_base64(text) == base64.b64decode(text)
    else:
        with pytest.raises(BadRecord, match="expected base64, found another string"):
            decode_base64(text)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "nothing"), (5, "a number"), (["AAAA"], "a list"), ({}, "an object")],
)
def test_base64_must_be_a_string(value: object, kind: str) -> None:
    with pytest.raises(BadRecord) as error_info:
        decode_base64(value)
    assert str(error_info.value) == f"expected base64, found {kind}"


@given(json_values())
def test_as_pairs_agrees_with_parse_json(value: Any) -> None:
    text = json.dumps(value)
    if "NaN" not in text and "Infinity" not in text:
        assert standard(as_pairs(value)) == standard(parse_json(text.encode()))


def test_as_pairs_lists_collections_but_not_bytes() -> None:
    assert as_pairs({"a": {1}, "b": (2,), "c": frozenset([3]), "d": b"x"}) == (
        ("a", [1]),
        ("b", [2]),
        ("c", [3]),
        ("d", b"x"),
    )
