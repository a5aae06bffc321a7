"""Base64 and JSON: strict, total, and with nothing lost."""

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

NO_JSON = "expected JSON in UTF-8, found other bytes"


def standard(value: Any) -> Any:
    """Return a parsed value as json.loads has it."""
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
def test_any_bytes_are_a_value_or_a_bad_record(raw: bytes) -> None:
    try:
        parse_json(raw)
    except BadRecord as bad:
        constants = {f"expected JSON, found {name}" for name in ("NaN", "Infinity", "-Infinity")}
        assert str(bad) in constants | {NO_JSON}  # noqa: PT017 - a value is as good.


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[1,]", b"{'a':1}", b"[1] 2", b"\x0b1"])
def test_what_is_no_json_is_told_so(raw: bytes) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_json(raw)
    assert str(caught.value) == NO_JSON


def test_space_around_a_value_is_none_of_it() -> None:
    assert parse_json(b' \r\n\t"a " \t\r\n') == "a "


def test_numbers_keep_every_digit() -> None:
    texts = ["1" * 5000, "1.50", "-0", "1E400"]
    assert [number.text for number in parse_json(f"[{','.join(texts)}]".encode())] == texts


def test_a_number_equals_nothing_but_itself() -> None:
    first, second = parse_json(b"[1,1]")
    assert first != second
    assert first not in (1, True, "1")


def test_constants_that_are_not_json_are_refused() -> None:
    with pytest.raises(BadRecord, match=r"^expected JSON, found NaN$"):
        parse_json(b"[NaN]")


def test_names_given_twice_survive_parsing_and_are_refused_by_members() -> None:
    pairs = parse_json(b'{"a":1,"b":2,"a":3}')
    assert [name for name, _ in pairs] == ["a", "b", "a"]
    with pytest.raises(BadRecord, match="expected distinct names, found a duplicate"):
        members(pairs)


def test_members_are_those_of_an_object() -> None:
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
def test_base64_is_whole_groups_of_its_alphabet_and_nothing_else(text: str) -> None:
    if BASE64.fullmatch(text):
        assert decode_base64(text) == base64.b64decode(text)
    else:
        with pytest.raises(BadRecord, match="expected base64, found another string"):
            decode_base64(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "nothing"), (5, "a number"), (["AAAA"], "a list"), ({}, "an object")],
)
def test_base64_is_a_text(value: object, found: str) -> None:
    with pytest.raises(BadRecord) as caught:
        decode_base64(value)
    assert str(caught.value) == f"expected base64, found {found}"


@given(json_values())
def test_pairs_of_a_value_are_what_parsing_its_text_gives(value: Any) -> None:
    text = json.dumps(value)
    if "NaN" not in text and "Infinity" not in text:
        assert standard(as_pairs(value)) == standard(parse_json(text.encode()))


def test_sets_and_tuples_are_lists_and_bytes_stay() -> None:
    assert as_pairs({"a": {1}, "b": (2,), "c": frozenset([3]), "d": b"x"}) == (
        ("a", [1]),
        ("b", [2]),
        ("c", [3]),
        ("d", b"x"),
    )
