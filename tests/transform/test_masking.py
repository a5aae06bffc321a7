"""Masking: a masked value is nowhere in a row, and everything else is as without masking."""

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import transform
from tests.strategies.records import (
    Item,
    firehose_record,
    invalid_numbers,
    items,
    names,
    shuffled,
    stream_record,
    stream_records,
    values,
)
from transform import canonical, canonical_and_flattened, record_from_row
from transform.errors import BadRecord
from transform.masking import DROP, HASH, METHODS, Masking, Rules
from transform.row import CDC_COLUMNS

KEY = b"0123456789abcdef0123456789abcdef"
PERSON = "Ada Lovelace"
NUMBER = "18151210271852"
ENCODED = base64.b64encode(PERSON.encode()).decode()
SECRETS: list[Item] = [
    {"S": PERSON},
    {"N": NUMBER},
    {"B": ENCODED},
    {"SS": ["x", PERSON]},
    {"NS": ["1", NUMBER]},
    {"BS": [ENCODED]},
]


def nested_secrets() -> st.SearchStrategy[Item]:
    """Return values of every type that hold the secret, at any depth."""
    return st.recursive(
        st.sampled_from(SECRETS),
        lambda inner: (
            inner.map(lambda value: {"L": [value]})
            | inner.map(lambda value: {"M": {PERSON: value}})
        ),
        max_leaves=3,
    )


def rules_of(methods: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return rules for attributes and members of maps, which an item may have or not."""
    return st.recursive(
        methods,
        lambda inner: st.dictionaries(names(), inner, min_size=1, max_size=3),
        max_leaves=4,
    ).filter(lambda rules: isinstance(rules, dict))


RULES = rules_of(st.sampled_from(METHODS))


@st.composite
def items_with_rules(draw: st.DrawFn) -> tuple[Item, Rules]:
    """Return an item and rules, most of them for attributes that it has."""
    item = draw(items())
    return item, {**draw(RULES), **draw_rules(draw, item)}


def draw_rules(draw: st.DrawFn, attributes: Item) -> dict[str, Any]:
    """Return rules for some of the attributes, and for some of the members of their maps."""
    rules: dict[str, Any] = {}
    for name, value in attributes.items():
        choice = draw(st.integers(0, 3))
        inner = draw_rules(draw, value["M"]) if choice == 2 and "M" in value else {}
        if choice < len(METHODS):
            rules[name] = METHODS[choice]
        elif inner:
            rules[name] = inner
    return rules


def token_of(value: Item, key: bytes = KEY) -> str:
    """Return the token of a value, computed step by step."""
    text = canonical({"v": value}).removeprefix('{"v":').removesuffix("}")
    half = hmac.new(key, text.encode(), "sha256").hexdigest()[:32]
    return f"masked:{half}{hmac.new(key, half.encode(), 'sha256').hexdigest()[:32]}"


def model(attributes: Item, rules: Rules) -> Item:
    """Return masked attributes, as plainly as can be."""
    masked: Item = {}
    for name, value in attributes.items():
        rule = rules.get(name)
        if rule == HASH:
            masked[name] = {"S": token_of(value)}
        elif isinstance(rule, dict) and "M" in value:
            masked[name] = {"M": model(value["M"], rule)}
        elif rule != DROP:
            masked[name] = value
    return masked


def row_of(record: Item | bytes, masking: Masking) -> str:
    """Return the text of the row of a record."""
    event = {"records": [firehose_record(record)]}
    [result] = transform.transform_batch(event, (), masking).records
    assert result["result"] == "Ok"
    return base64.b64decode(result["data"]).decode()


def masked_image(item: Item, rules: Rules, key: bytes = KEY) -> str:
    """Return the canonical text of a masked item."""
    return canonical_and_flattened(item, (), Masking(rules, key))[0]


@given(items(), nested_secrets(), st.sampled_from(METHODS), st.lists(names(), max_size=2))
def test_no_masked_value_is_in_the_row(
    item: Item, secret: Item, method: str, path: list[str]
) -> None:
    value: Item = {"secret": secret}
    rules: dict[str, Any] = {"secret": method}
    for name in path:
        value = {name: {"M": value}}
        rules = {name: rules}
    key = {"order_id": {"S": "1"}}
    new = {**value, **key}
    old = {**item, **new}
    for record in (
        stream_record("INSERT", key, None, new),
        stream_record("MODIFY", key, old, new),
        stream_record("REMOVE", key, old, None),
    ):
        row = row_of(record, Masking(rules, KEY))
        assert not any(hidden in row for hidden in (PERSON, NUMBER, ENCODED))


@given(items_with_rules())
def test_masking_agrees_with_the_model(case: tuple[Item, Rules]) -> None:
    """So every other attribute stays as it is, in the image and in the columns."""
    item, rules = case
    masked = canonical_and_flattened(item, (), Masking(rules, KEY))
    assert masked == canonical_and_flattened(model(item, rules))


@given(stream_records(), RULES)
def test_row_is_that_of_masked_images(record: Item, rules: Rules) -> None:
    images = {
        name: model(image, rules)
        for name, image in record["dynamodb"].items()
        if name in ("OldImage", "NewImage")
    }
    masked = {**record, "dynamodb": {**record["dynamodb"], **images}}
    assert row_of(record, Masking(rules, KEY)) == row_of(masked, transform.NO_MASKING)


@given(items_with_rules())
def test_masking_twice_changes_nothing_more(case: tuple[Item, Rules]) -> None:
    item, rules = case
    once = masked_image(item, rules)
    assert masked_image(transform.parse_image(once), rules) == once


@given(stream_records(), RULES)
def test_a_replayed_row_stays_the_same(record: Item, rules: Rules) -> None:
    masking = Masking(rules, KEY)
    row = json.loads(row_of(record, masking))
    again = json.loads(row_of(record_from_row(row), masking))
    assert all(again[name] == row[name] for name in CDC_COLUMNS)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[Item, Item]:
    """Return a value, and the same with its sets and maps in another order."""
    value = draw(values())
    return value, shuffled(draw, value)


@given(spellings(), values())
def test_tokens_are_equal_for_equal_values_only(pair: tuple[Item, Item], other: Item) -> None:
    value, same = pair
    assert masked_image({"a": same}, {"a": HASH}) == masked_image({"a": value}, {"a": HASH})
    assume(canonical({"a": value}) != canonical({"a": other}))
    assert masked_image({"a": other}, {"a": HASH}) != masked_image({"a": value}, {"a": HASH})
    assert masked_image({"a": value}, {"a": HASH}, KEY[::-1]) != (
        masked_image({"a": value}, {"a": HASH})
    )


@given(st.text("0123456789abcdefé", max_size=66))
@example(token_of({"S": "x"}, KEY[::-1]).removeprefix("masked:"))
@example(token_of({"S": "x"})[len("masked:") : -1])
@example("0" * 32 + token_of({"S": "x"})[-32:])
@example(f"{token_of({'S': 'x'}).removeprefix('masked:')}0")
@example(f"{token_of({'S': 'x'})[7:39]}0{token_of({'S': 'x'})[39:]}")
@example(f"{token_of({'S': 'x'})[7:]}é")
@example("\ud800")
def test_no_other_value_passes_for_a_token(text: str) -> None:
    forged = {"S": f"masked:{text}"}
    assert masked_image({"a": forged}, {"a": HASH}) == canonical({"a": {"S": token_of(forged)}})


def test_an_attribute_of_another_shape_is_left() -> None:
    """A rule for a member applies to maps: a text or a list in their place stays readable."""
    item = {"a": {"S": "text"}, "b": {"L": [{"M": {"c": {"S": "text"}}}]}}
    assert masked_image(item, {"a": {"c": HASH}, "b": {"c": HASH}}) == canonical(item)


@given(invalid_numbers())
def test_an_invalid_masked_value_is_located(number: str) -> None:
    item: Item = {"customer": {"M": {"age": {"N": number}}}}
    with pytest.raises(BadRecord, match=r"^customer\.age: expected"):
        masked_image(item, {"customer": {"age": HASH}})


def test_a_duplicate_masked_member_fails() -> None:
    twice = b'{"customer":{"M":{"age":{"N":"1"},"age":{"N":"2"}}}}'
    record = json.dumps(stream_record("INSERT", {"id": {"S": "1"}}, None, {"id": {"S": "1"}}))
    raw = record.encode().replace(b'{"id": {"S": "1"}}, "Seq', twice + b', "Seq')
    event = {"records": [firehose_record(raw)]}
    result = transform.transform_batch(event, (), Masking({"customer": {"age": DROP}}, KEY))
    assert result.reason == "NewImage.customer: expected distinct names, found a duplicate"


def test_a_key_is_long_and_never_shown() -> None:
    with pytest.raises(ValueError, match="expected at least 32 bytes, found fewer"):
        Masking({"a": DROP}, KEY[1:])
    assert "0123" not in repr(Masking({"a": HASH}, KEY))
