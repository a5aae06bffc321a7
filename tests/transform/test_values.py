"""Values as JSON: each of the ten types, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given

from tests.strategies.records import values
from transform.errors import BadRecord
from transform.images import canonical, flattened
from transform.parsing import as_pairs
from transform.values import typed_and_plain


def encode(value: Any) -> tuple[str, str]:
    """Return the typed and the plain JSON of a value."""
    return typed_and_plain(as_pairs(value))


@pytest.mark.parametrize(
    ("value", "typed", "plain"),
    [
        ({"S": 'a"\n\\é\u2028'}, '{"S":"a\\"\\n\\\\é\u2028"}', '"a\\"\\n\\\\é\u2028"'),
        ({"S": ""}, '{"S":""}', '""'),
        ({"N": "010.500"}, '{"N":"10.5"}', '"10.5"'),
        ({"B": "QR=="}, '{"B":"QQ=="}', '"QQ=="'),
        ({"B": b"A"}, '{"B":"QQ=="}', '"QQ=="'),
        ({"B": bytearray(b"A")}, '{"B":"QQ=="}', '"QQ=="'),
        ({"BOOL": True}, '{"BOOL":true}', "true"),
        ({"BOOL": False}, '{"BOOL":false}', "false"),
        ({"NULL": True}, '{"NULL":true}', "null"),
        ({"SS": ["b", "a", "b", "B"]}, '{"SS":["B","a","b"]}', '["B","a","b"]'),
        ({"NS": ["10", "9.50", "9.5", "-1"]}, '{"NS":["-1","9.5","10"]}', '["-1","9.5","10"]'),
        ({"BS": ["gA==", "AA==", b"\0"]}, '{"BS":["AA==","gA=="]}', '["AA==","gA=="]'),
        (
            {"BS": ["//8=", "/w==", "AQ=="]},
            '{"BS":["AQ==","/w==","//8="]}',
            '["AQ==","/w==","//8="]',
        ),
        ({"L": []}, '{"L":[]}', "[]"),
        ({"L": [{"N": "1.0"}, {"NULL": True}]}, '{"L":[{"N":"1"},{"NULL":true}]}', '["1",null]'),
        ({"M": {}}, '{"M":{}}', "{}"),
        (
            {"M": {"b": {"BOOL": True}, "a": {"L": [{"M": {"x": {"S": "y"}}}]}}},
            '{"M":{"a":{"L":[{"M":{"x":{"S":"y"}}}]},"b":{"BOOL":true}}}',
            '{"a":[{"x":"y"}],"b":true}',
        ),
    ],
)
def test_values_are_encoded(value: Any, typed: str, plain: str) -> None:
    assert encode(value) == (typed, plain)
    assert json.loads(canonical({"a": value})) == {"a": json.loads(typed)}


INVALID_VALUES = [
    {},
    {"S": "a", "N": "1"},
    {"S": 5},
    {"S": None},
    {"S": ["a"]},
    {"S": b"a"},
    {"N": 5},
    {"N": "five"},
    {"N": ["5"]},
    {"N": {}},
    {"B": "?"},
    {"B": 5},
    {"BOOL": "true"},
    {"BOOL": 1},
    {"BOOL": None},
    {"NULL": False},
    {"NULL": None},
    {"SS": "ab"},
    {"SS": [1]},
    {"SS": ["a", 1]},
    {"SS": [["a"]]},
    {"NS": ["1", 2]},
    {"NS": "1"},
    {"BS": "AA=="},
    {"BS": ["?"]},
    {"L": {}},
    {"L": "a"},
    {"L": [5]},
    {"L": [["S", "a"]]},
    {"M": []},
    {"M": "a"},
    {"M": {"a": 5}},
    {"M": {"a": {"S": 5}}},
    {"L": [{"M": {"a": 5}}]},
    {"X": "a"},
    {"s": "a"},
    "a",
    5,
    None,
    True,
    [["S", "a"]],
    [],
]


@pytest.mark.parametrize("value", INVALID_VALUES, ids=str)
def test_invalid_value_names_its_attribute(value: Any) -> None:
    for image in (
        {"quantity": value},
        {"quantity": {"L": [value]}},
        {"quantity": {"M": {"x": value}}},
    ):
        with pytest.raises(BadRecord, match=r"^quantity: expected .*, found ") as error_info:
            canonical(image)
        assert "x" not in error_info.value.location


@given(values())
def test_plain_json_has_no_numbers(value: Any) -> None:
    for text in flattened({"a": {"L": [value]}}).values():
        assert text is not None
        plain = json.loads(text, parse_int=pytest.fail, parse_float=pytest.fail)
        assert len(plain) == 1


def test_reason_names_the_attribute_and_the_kind() -> None:
    reasons = {
        ("x", "N"): "a: expected a number in a string, found another string",
        (5, "N"): "a: expected a number in a string, found a number",
        (5, "S"): "a: expected a value of one of DynamoDB's types, found another value",
        ("x", "X"): "a: expected a value of one of DynamoDB's types, found another value",
        ("x", "BOOL"): "a: expected true or false, found another string",
        ("x", "L"): "a: expected a list, found another string",
        ("x", "M"): "a: expected an object, found another string",
    }
    for (content, tag), reason in reasons.items():
        with pytest.raises(BadRecord) as error_info:
            canonical({"a": {tag: content}})
        assert str(error_info.value) == reason
