"""Images: canonical texts are equal exactly for equal items, and have an inverse."""

import json
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

TYPES = {
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
    """Return what a typed value means: sets without order, numbers without notation."""
    ((tag, content),) = value.items()
    return tag, TYPES[tag](content)


@given(items())
@example({"a": {"S": "\ud800"}, "\udfff": {"S": "\\ud800"}})
@example({"a": {"M": {"\ud800": {"L": [{"S": "\udc00"}]}}}})
def test_a_canonical_text_has_an_inverse(item: Item) -> None:
    text = canonical(item)
    assert meaning({"M": parse_image(text)}) == meaning({"M": item})
    assert canonical(parse_image(text)) == text
    text.encode()


@given(st.data(), items())
def test_the_order_of_attributes_and_of_sets_does_not_show(data: st.DataObject, item: Item) -> None:
    other = data.draw(st.composite(shuffled)(item))
    assert canonical(other) == canonical(item)
    assert flattened(other) == flattened(item)


@given(items(), items())
@example({"a": {"S": "1"}}, {"a": {"N": "1"}})
@example({"a": {"NULL": True}}, {})
@example({"a": {"L": []}}, {"a": {"M": {}}})
@example({"a": {"SS": ["x"]}}, {"a": {"L": [{"S": "x"}]}})
@example({"a": {"N": "1E2"}}, {"a": {"N": "100.0"}})
@example({"a": {"S": "\ud800"}}, {"a": {"S": "\\ud800"}})
def test_texts_are_equal_exactly_when_items_are(one: Item, other: Item) -> None:
    same = meaning({"M": one}) == meaning({"M": other})
    assert (canonical(one) == canonical(other)) == same


@given(items())
def test_a_canonical_text_is_compact_sorted_json(item: Item) -> None:
    def sorted_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert pairs == sorted(pairs, key=lambda pair: pair[0])
        return dict(pairs)

    text = canonical(item)
    value = json.loads(text, object_pairs_hook=sorted_names, parse_int=pytest.fail)
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert text == compact.encode("utf-8", "backslashreplace").decode()


@given(items())
@example({"a": {"N": "1234567890123456789012345678901234567890"[:38]}})
def test_images_agree_with_boto3_where_it_does_not_raise(item: Item) -> None:
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

    read = TypeDeserializer().deserialize
    try:
        expected = read({"M": with_bytes(item)})
        found = read({"M": with_bytes(parse_image(canonical(item)))})
    except ArithmeticError:
        return
    assert found == expected
    assert canonical(with_bytes(item)) == canonical(item)


@given(items(), items())
def test_writing_an_image_like_another_gives_the_same_text(one: Item, other: Item) -> None:
    mixed = {**one, **other}
    known = build_image(as_pairs(one))
    like = image_reusing(as_pairs(mixed), known)
    alone = build_image(as_pairs(mixed))
    assert like._replace(columns=[]) == alone._replace(columns=[])
    assert list(like.members) == sorted(mixed)
    assert like.columns == []


def test_a_truth_is_no_number_and_nothing_is_no_absence() -> None:
    known = build_image(parse_json(b'{"a":{"BOOL":true},"b":{"S":"1"}}'))
    for bad in (b'{"a":{"BOOL":1}}', b'{"b":{"S":1}}', b'{"c":null}'):
        with pytest.raises(BadRecord):
            image_reusing(parse_json(bad), known)


@given(items())
def test_columns_hold_every_text_and_every_number_exactly(item: Item) -> None:
    columns = set(flattened(item).values())
    for value in leaves(item):
        ((tag, content),) = value.items()
        if tag == "S":
            assert content in columns
        elif tag == "N":
            assert parse_image(canonical({"a": value}))["a"]["N"] in columns


def leaves(item: Item) -> list[Item]:
    """Return the values that have a column of their own."""
    found = []
    for value in item.values():
        found += leaves(value["M"]) if value.get("M") else [value]
    return found


def test_maps_become_columns_and_all_else_one_column() -> None:
    item = {
        "id": {"S": "1"},
        "customer": {"M": {"name": {"S": "A"}, "address": {"M": {"city": {"S": "B"}}}}},
        "empty": {"M": {}},
        "inner": {"M": {"empty": {"M": {}}}},
        "items": {"L": [{"M": {"price": {"N": "1.50"}, "gift": {"BOOL": False}}}]},
        "tags": {"SS": ["b", "a"]},
        "raw": {"B": "AAE="},
        "paid": {"BOOL": True},
        "gone": {"NULL": True},
        "null": {"S": "null"},
    }
    assert flattened(item) == {
        "customer__address__city": "B",
        "customer__name": "A",
        "empty": "{}",
        "gone": None,
        "id": "1",
        "inner__empty": "{}",
        "items": '[{"gift":false,"price":"1.5"}]',
        "null": "null",
        "paid": "true",
        "raw": "AAE=",
        "tags": '["a","b"]',
    }


def test_an_item_may_nest_as_deep_as_dynamodb_allows() -> None:
    value: Item = {"S": "deep"}
    for _ in range(31):
        value = {"M": {"a": value}}
    assert flattened({"a": value}) == {"__".join(["a"] * 32): "deep"}
    assert parse_image(canonical({"a": value})) == {"a": value}


@pytest.mark.parametrize("value", [[], "a", None, 5])
def test_an_image_is_an_object(value: object) -> None:
    with pytest.raises(BadRecord, match="expected an object, found"):
        canonical(value)


def test_an_image_names_each_attribute_once() -> None:
    for pairs in (
        (("a", (("S", "1"),)), ("a", (("S", "2"),))),
        (("a", (("M", (("x", (("S", "1"),)), ("x", (("S", "2"),)))),)),),
        (("a", (("L", [(("M", (("x", (("S", "1"),)), ("x", (("S", "2"),)))),)]),)),),
        (("a", (("S", "1"), ("S", "2"))),),
    ):
        with pytest.raises(BadRecord):
            build_image(pairs)
