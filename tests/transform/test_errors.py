"""Reasons for bad records: they name the place and the kind, and never the content."""

import pickle

import pytest
from hypothesis import given

from tests.strategies.records import json_values, texts
from transform.errors import BadRecord, kind


def test_message_has_location_expected_and_found() -> None:
    error = BadRecord("a number", "a list", "quantity")
    assert str(error) == "quantity: expected a number, found a list"
    prefixed = error.with_prefix("NewImage")
    assert str(prefixed) == "NewImage.quantity: expected a number, found a list"


def test_message_may_lack_a_location() -> None:
    error = BadRecord("JSON", "another string")
    assert str(error) == "expected JSON, found another string"
    assert str(error.with_prefix("data")) == "data: expected JSON, found another string"
    assert error.with_prefix("").location == ""
    assert isinstance(error, ValueError)


def test_bad_record_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(BadRecord("a number", "a list", "quantity")))  # noqa: S301 - ours.
    assert str(error) == "quantity: expected a number, found a list"
    assert repr(error) == "BadRecord('a number', 'a list', 'quantity')"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("secret", "another string"),
        (True, "true or false"),
        (["secret"], "a list"),
        ({"secret": 1}, "an object"),
        ((("secret", 1),), "an object"),
        (None, "nothing"),
        (5, "a number"),
        (5.5, "a number"),
    ],
)
def test_kind_names_the_type_of_a_value(value: object, name: str) -> None:
    assert kind(value) == name


@given(json_values() | texts())
def test_kind_never_contains_the_value(value: object) -> None:
    kinds = {"another string", "true or false", "a list", "an object", "nothing", "a number"}
    assert kind(value) in kinds
