"""What is said of a record that cannot become a row: helpful, and without its content."""

import pickle

import pytest
from hypothesis import given

from tests.strategies.records import json_values, texts
from transform.errors import BadRecord, kind


def test_a_bad_record_tells_where_what_was_expected_and_what_was_found() -> None:
    bad = BadRecord("a number", "a list", "quantity")
    assert str(bad) == "quantity: expected a number, found a list"
    assert str(bad.with_prefix("NewImage")) == "NewImage.quantity: expected a number, found a list"


def test_a_bad_record_without_a_place_tells_the_rest() -> None:
    bad = BadRecord("JSON", "another string")
    assert str(bad) == "expected JSON, found another string"
    assert str(bad.with_prefix("data")) == "data: expected JSON, found another string"
    assert bad.with_prefix("").where == ""
    assert isinstance(bad, ValueError)


def test_a_bad_record_survives_pickling_and_shows_what_it_holds() -> None:
    bad = pickle.loads(pickle.dumps(BadRecord("a number", "a list", "quantity")))
    assert str(bad) == "quantity: expected a number, found a list"
    assert repr(bad) == "BadRecord('a number', 'a list', 'quantity')"


@pytest.mark.parametrize(
    ("value", "told"),
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
def test_a_kind_names_what_a_value_is(value: object, told: str) -> None:
    assert kind(value) == told


@given(json_values() | texts())
def test_a_kind_is_one_of_few_whatever_the_value_holds(value: object) -> None:
    few = {"another string", "true or false", "a list", "an object", "nothing", "a number"}
    assert kind(value) in few
