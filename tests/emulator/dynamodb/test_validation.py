"""What the laptop's DynamoDB takes for a value: numbers, texts, names, sizes."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from local.core.request import AwsError
from local.core.server import Cloud
from local.services.dynamodb.numbers import stored_number, stored_sum
from local.services.dynamodb.service import DynamoDb
from local.services.dynamodb.validation import as_json, stored_values
from tests.support.laptop_cloud import code_of, empty_account, laptop
from tests.support.orders_table import Orders

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-130, 88),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(DynamoDb) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    empty_account()
    return running


@pytest.fixture
def orders(cloud: Cloud) -> Orders:
    return Orders(cloud, f"orders-{time.monotonic_ns()}")


def outcome(call: Callable[..., str], *given: str) -> str:
    """Return what a call returns, or the code of AWS's error that it raises."""
    try:
        return call(*given)
    except AwsError as error:
        return error.code


@given(numbers, st.sampled_from(["{}", "{:E}", "{:f}", "+{}", "000{}", "{:e}"]))
@example(Decimal("10.50"), "{}")
@example(Decimal("1E+2"), "{}")
@example(Decimal("-0.0"), "{}")
@example(Decimal("9." + "9" * 37 + "E+125"), "{}")
def test_a_number_has_one_spelling_and_keeps_its_value(number: Decimal, spelling: str) -> None:
    assume(number.is_zero() or -130 <= number.adjusted() <= 125)
    assume(not (number.is_signed() and spelling[0] in "+0"))
    stored = stored_number(spelling.format(number))
    assert Decimal(stored) == number
    assert stored == stored_number(format(number, "f")) == stored_number(stored)
    assert "E" not in stored
    assert not stored.startswith("+")


@given(st.text(max_size=12) | st.from_regex(r"[-+]?\d*\.?\d*([eE][-+]?\d{1,30})?"))
@example("1_000")
@example("NaN")
@example("1e99999999999999999999999")
@example("\u0661")
def test_any_text_is_a_stored_number_or_refused(text: str) -> None:
    stored = outcome(stored_number, text)
    assert stored == "ValidationException" or stored_number(stored) == stored


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1" * 39, "more than 38 significant digits"),
        ("1E126", "Number overflow"),
        ("-1E-131", "Number underflow"),
        ("two", "cannot be converted to a numeric value: two"),
    ],
)
def test_a_number_that_dynamodb_cannot_hold_is_refused(
    orders: Orders, number: str, reason: str
) -> None:
    for value in ({"N": number}, {"NS": [number]}, {"L": [{"M": {"x": {"N": number}}}]}):
        with pytest.raises(ClientError, match=reason):
            orders.put(total=value)
    assert orders.records() == []


def test_numbers_are_stored_plainly_wherever_they_stand(orders: Orders) -> None:
    orders.put(
        total={"N": "010.500"},
        N={"L": [{"M": {"N": {"N": "1E+2"}}}, {"NS": ["1.0", "-0"]}]},
    )
    stored = {"total": {"N": "10.5"}, "N": {"L": [{"M": {"N": {"N": "100"}}}, {"NS": ["0", "1"]}]}}
    item = orders.records()[0]["dynamodb"]["NewImage"]
    assert item == {"id": {"S": "one"}, **stored}
    assert orders.get()["total"] == {"N": "10.5"}


def nested(levels: int) -> dict[str, Any]:
    """Return a value of so many maps, one within the other."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"L": value}}
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"SS": ["a", "a"]}, "contains duplicates"),
        ({"L": [{"BS": [b"a", b"a"]}]}, "contains duplicates"),
        ({"SS": []}, "may not be empty"),
        ({"M": {"x": {"BS": []}}}, "may not be empty"),
        ({"S": "1", "N": "1"}, "more than one datatypes"),
        (nested(33), "Nesting Levels"),
    ],
)
def test_a_value_that_dynamodb_does_not_take_is_refused(
    orders: Orders, value: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        orders.put(x=value)
    with pytest.raises(ClientError, match=reason):
        orders.update("SET x = :x", x=value)
    assert orders.records() == []


def test_names_like_tags_and_32_levels_are_taken(orders: Orders) -> None:
    item = {"S": {"S": "x"}, "N": {"N": "1"}, "SS": {"L": []}, "M": nested(32)}
    orders.put(**item)
    assert orders.get() == {"id": {"S": "one"}, **item}


@given(numbers.filter(lambda n: -40 < n.adjusted() < 40), numbers)
@settings(max_examples=50)
def test_sums_are_exact_or_refused(left: Decimal, right: Decimal) -> None:
    assume(-40 < right.adjusted() < 40)
    one, two = stored_number(str(left)), stored_number(str(right))
    total = outcome(stored_sum, one, two)
    assert total == "ValidationException" or Fraction(total) == Fraction(one) + Fraction(two)
    digits = str(Fraction(one) + Fraction(two)).strip("-0")
    assert total != "ValidationException" or len(digits) > 38


def test_an_update_adds_exactly(orders: Orders) -> None:
    orders.put(amount={"N": "1" * 30})
    orders.update("SET amount = amount + :n", n={"N": "0.50"})
    assert orders.get()["amount"] == {"N": "1" * 30 + ".5"}


def test_text_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(AwsError, match="SerializationException"):
        as_json(stored_values(b'{"Item": {"id": {"S": "\\ud800"}}}'))


def test_an_item_is_at_most_400_kb(orders: Orders) -> None:
    for size in (200_000, 300_000, 400_000):
        orders.put(text={"S": "x" * size})
    assert code_of(orders.put, text={"S": "x" * 410_000}) == "ValidationException"
    orders.put("two", one={"S": "x" * 300_000})
    grow = {"t": {"S": "x" * 200_000}}
    assert code_of(orders.update, "SET more = :t", "two", **grow) == "ValidationException"
    orders.update("SET one = :t", "two", **grow)
    orders.update("SET more = :t", "two", **grow)
    orders.put("three", inner={"M": {"one": grow["t"]}})
    assert code_of(orders.update, "SET inner.more = :t", "three", t={"S": "x" * 210_000})
    assert orders.get("three")["inner"] == {"M": {"one": grow["t"]}}
