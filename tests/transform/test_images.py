"""Images: canonical texts are equal exactly if the items are, and can be parsed back."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import Item, items, shuffled
from transform.errors import BadRecord
from transform.images import build_image, canonical, flattened, image_reusing, parse_image
from transform.parsing import as_pairs, decode_base64, parse_json

PARSERS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Fraction,
    "B": decode_base64,
    "BOOL": bool,
    "NULL": lambda _: None,
    "SS": frozenset,
    "NS": lambda members: frozenset(map(Fraction, members)),
    "BS": lambda members: frozenset(map(decode_base64, members)),
    "L": lambda members: tuple(map(meaning, members)),
    "M": lambda members: frozenset((name, meaning(value)) for name, value in members.items()),
}


def meaning(value: Item) -> Any:
    """Return the meaning of a typed value: sets without order, numbers without notation."""
    ((tag, content),) = value.items()
    return tag, PARSERS[tag](content)


@given(items())
@example({"a": {"S": "\ud800"}, "\udfff": {"S": "\\ud800"}})
@example({"a": {"M": {"\ud800": {"L": [{"S": "\udc00"}]}}}})
def test_canonical_text_is_invertible(item: Item) -> None:
    text = canonical(item)
    assert meaning({"M": parse_image(text)}) == meaning({"M": item})
    assert canonical(parse_image(text)) == text
    text.encode()


@given(st.data(), items())
def test_attribute_and_set_order_is_ignored(data: st.DataObject, item: Item) -> None:
    reordered = data.draw(st.composite(shuffled)(item))
    assert canonical(reordered) == canonical(item)
    assert flattened(reordered) == flattened(item)


@given(items(), items())
@example({"a": {"S": "1"}}, {"a": {"N": "1"}})
@example({"a": {"NULL": True}}, {})
@example({"a": {"L": []}}, {"a": {"M": {}}})
@example({"a": {"SS": ["x"]}}, {"a": {"L": [{"S": "x"}]}})
@example({"a": {"N": "1E2"}}, {"a": {"N": "100.0"}})
@example({"a": {"S": "\ud800"}}, {"a": {"S": "\\ud800"}})
def test_texts_are_equal_iff_items_are(one: Item, other: Item) -> None:
    are_equal = meaning({"M": one}) == meaning({"M": other})
    assert (canonical(one) == canonical(other)) == are_equal


@given(items())
def test_canonical_text_is_compact_sorted_json(item: Item) -> None:
    def sorted_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert pairs == sorted(pairs, key=lambda pair: pair[0])
        return dict(pairs)

    text = canonical(item)
    value = json.loads(text, object_pairs_hook=sorted_names, parse_int=pytest.fail)
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert text == compact.encode("utf-8", "backslashreplace").decode()


@given(items())
@example({"a": {"N": "1234567890123456789012345678901234567890"[:38]}})
def test_images_agree_with_boto3(item: Item) -> None:
    def with_bytes(value: Any) -> Any:
        if isinstance(value, list):
            return [with_bytes(member) for member in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": decode_base64(value["B"])}
        if set(value) == {"BS"} and isinstance(value["BS"], list):
            return {"BS": [decode_base64(member) for member in value["BS"]]}
        return {name: with_bytes(member) for name, member in value.items()}

    deserialize = TypeDeserializer().deserialize
    try:
        expected = deserialize({"M": with_bytes(item)})
        actual = deserialize({"M": with_bytes(parse_image(canonical(item)))})
    except ArithmeticError:  # boto3 rejects some numbers that DynamoDB accepts.
        return
    assert actual == expected
    assert canonical(with_bytes(item)) == canonical(item)


@given(items(), items())
def test_reuse_does_not_change_the_image(one: Item, other: Item) -> None:
    merged = {**one, **other}
    similar = build_image(as_pairs(one))
    reusing = image_reusing(as_pairs(merged), similar)
    assert reusing == build_image(as_pairs(merged))._replace(columns=[])
    assert list(reusing.members) == sorted(merged)


def test_reuse_does_not_hide_invalid_values() -> None:
    similar = build_image(parse_json(b'{"a":{"BOOL":true},"b":{"S":"1"}}'))
    for invalid in (b'{"a":{"BOOL":1}}', b'{"b":{"S":1}}', b'{"c":null}'):
        with pytest.raises(BadRecord):
            image_reusing(parse_json(invalid), similar)


@given(items())
def test_columns_keep_strings_and_numbers_exactly(item: Item) -> None:
    columns = set(flattened(item).values())
    for value in leaves(item):
        ((tag, content),) = value.items()
        if tag == "S":
            assert content in columns
        elif tag == "N":
            assert parse_image(canonical({"a": value}))["a"]["N"] in columns


def leaves(item: Item) -> list[Item]:
    """Return the values that have a column of their own."""
    values: list[Item] = []
    for value in item.values():
        values += leaves(value["M"]) if value.get("M") else [value]
    return values


def test_only_maps_become_several_columns() -> None:
    item = {
        "id": {"S": "1"},
        "customer": {"M": {"name": {"S": "A"}, "address": {"M": {"city": {"S": "B"}}}}},
        "empty": {"M": {}},
        "inner": {"M": {"empty": {"M": {}}}},
        "items": {"L": [{"M": {"price": {"N": "1.50"}, "gift": {"BOOL": False}}}]},
        "tags": {"SS": ["b", "a"]},
        "raw": {"B": "AAE="},
        "paid": {"BOOL": True},
        "none": {"NULL": True},
        "null": {"S": "null"},
    }
    assert flattened(item) == {
        "customer__address__city": "B",
        "customer__name": "A",
        "empty": "{}",
        "id": "1",
        "inner__empty": "{}",
        "items": '[{"gift":false,"price":"1.5"}]',
        "none": None,
        "null": "null",
        "paid": "true",
        "raw": "AAE=",
        "tags": '["a","b"]',
    }


def test_item_may_have_32_levels() -> None:
    value: Item = {"S": "deep"}
    for _ in range(31):
        value = {"M": {"a": value}}
    assert flattened({"a": value}) == {"__".join(["a"] * 32): "deep"}
    assert parse_image(canonical({"a": value})) == {"a": value}


@pytest.mark.parametrize("value", [[], "a", None, 5])
def test_image_must_be_an_object(value: Any) -> None:
    with pytest.raises(BadRecord, match="expected an object, found"):
        canonical(value)


def test_duplicate_names_are_rejected() -> None:
    for pairs in (
        (("a", (("S", "1"),)), ("a", (("S", "2"),))),
        (("a", (("M", (("x", (("S", "1"),)), ("x", (("S", "2"),)))),)),),
        (("a", (("L", [(("M", (("x", (("S", "1"),)), ("x", (("S", "2"),)))),)]),)),),
        (("a", (("S", "1"), ("S", "2"))),),
    ):
        with pytest.raises(BadRecord):
            build_image(pairs)
