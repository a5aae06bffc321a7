"""Values that DynamoDB accepts, normalizes or rejects: numbers, text, nesting, sizes."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.numbers import add_numbers, normalize_number
from local.services.dynamodb.language.request_model import check_encoding
from local.services.dynamodb.language.values import ITEM_BYTES
from tests.support.laptop_cloud import code_of
from tests.support.orders_table import Orders

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.sampled_from([0, 1]),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-130, 88),
)


def result_or_error_code(function: Callable[..., str], *args: str) -> str:
    """Return the function's result, or the code of the error that it raises."""
    try:
        return function(*args)
    except Rejected as error:
        return error.code


@given(numbers, st.sampled_from(["{}", "{:E}", "{:f}", "+{}", "000{}", "{:e}"]))
@example(Decimal("10.50"), "{}")
@example(Decimal("1E+2"), "{}")
@example(Decimal("-0.0"), "{}")
@example(Decimal("9." + "9" * 37 + "E+125"), "{}")
def test_normalizing_a_number_keeps_its_value(number: Decimal, spelling: str) -> None:
    assume(number.is_zero() or -130 <= number.adjusted() <= 125)
    assume(not (number.is_signed() and spelling[0] in "+0"))
    normalized = normalize_number(spelling.format(number))
    assert Decimal(normalized) == number
    assert normalized == normalize_number(format(number, "f")) == normalize_number(normalized)
    assert "E" not in normalized
    assert not normalized.startswith("+")


@given(st.text(max_size=12) | st.from_regex(r"[-+]?\d*\.?\d*([eE][-+]?\d{1,30})?"))
@example("1_000")
@example("NaN")
@example("1e99999999999999999999999")
@example("\u0661")
def test_any_text_is_normalized_or_rejected(text: str) -> None:
    result = result_or_error_code(normalize_number, text)
    assert result == "ValidationException" or normalize_number(result) == result


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1" * 39, "more than 38 significant digits"),
        ("1E126", "Number overflow"),
        ("-1E-131", "Number underflow"),
        ("two", "cannot be converted to a numeric value: two"),
    ],
)
def test_number_out_of_range_is_rejected(orders: Orders, number: str, message: str) -> None:
    for value in ({"N": number}, {"NS": [number]}, {"L": [{"M": {"x": {"N": number}}}]}):
        with pytest.raises(ClientError, match=message):
            orders.put(total=value)
    assert orders.records() == []


def test_nested_numbers_are_normalized(orders: Orders) -> None:
    orders.put(
        total={"N": "010.500"},
        N={"L": [{"M": {"N": {"N": "1E+2"}}}, {"NS": ["1.0", "-0"]}]},
    )
    expected_attributes = {
        "total": {"N": "10.5"},
        "N": {"L": [{"M": {"N": {"N": "100"}}}, {"NS": ["0", "1"]}]},
    }
    image = orders.records()[0]["dynamodb"]["NewImage"]
    assert image == {"id": {"S": "one"}, **expected_attributes}
    assert orders.get()["total"] == {"N": "10.5"}


def nested(levels: int) -> dict[str, Any]:
    """Return a value of nested maps."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"L": value}}
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"SS": ["a", "a"]}, "contains duplicates"),
        ({"L": [{"BS": [b"a", b"a"]}]}, "contains duplicates"),
        ({"SS": []}, "may not be empty"),
        ({"M": {"x": {"BS": []}}}, "should not be empty"),
        ({"S": "1", "N": "1"}, "more than one datatypes"),
        (nested(32), "Nesting Levels"),
    ],
)
def test_invalid_value_is_rejected(orders: Orders, value: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        orders.put(x=value)
    with pytest.raises(ClientError, match=message):
        orders.update("SET x = :x", x=value)
    assert orders.records() == []


def test_tag_names_and_31_levels_are_accepted(orders: Orders) -> None:
    item: dict[str, Any] = {"S": {"S": "x"}, "N": {"N": "1"}, "SS": {"L": []}, "M": nested(31)}
    orders.put(**item)
    assert orders.get() == {"id": {"S": "one"}, **item}


@given(numbers.filter(lambda n: -40 < n.adjusted() < 40), numbers)
@settings(max_examples=50)
def test_sums_are_exact_or_rejected(first: Decimal, second: Decimal) -> None:
    assume(-40 < second.adjusted() < 40)
    exact_sum = Fraction(first) + Fraction(second)
    result = result_or_error_code(
        add_numbers, normalize_number(str(first)), normalize_number(str(second))
    )
    if result == "ValidationException":
        assert len(str(exact_sum).strip("-0")) > 38
    else:
        assert Fraction(result) == exact_sum


def test_update_adds_exactly(orders: Orders) -> None:
    orders.put(amount={"N": "1" * 30})
    orders.update("SET amount = amount + :n", n={"N": "0.50"})
    assert orders.get()["amount"] == {"N": "1" * 30 + ".5"}


def test_invalid_utf_8_is_rejected() -> None:
    with pytest.raises(Rejected, match="not valid UTF-8"):
        check_encoding(b'{"Item": {"id": {"S": "\\ud800"}}}')


@pytest.mark.parametrize(
    ("expression", "other_bytes", "cost"),
    [
        ("SET big = :t", 0, 3 + 19),
        ("SET big = :t REMOVE n", 0, 3 + 19 + 2),
        ("SET big = :t, n = n", 3, 3 + 19 + 19),
        ("SET big[0] = :t", 4, 3 + 19 + 1),
    ],
)
def test_update_counts_what_it_writes(
    orders: Orders, expression: str, other_bytes: int, cost: int
) -> None:
    big: dict[str, Any] = {"L": [{"S": "x"}]} if "[0]" in expression else {"S": "x"}
    orders.put(n={"N": "1"}, big=big)
    length = ITEM_BYTES - cost - len("big") - other_bytes
    assert code_of(orders.update, expression, t={"S": "x" * (length + 1)}) == "ValidationException"
    orders.update(expression, t={"S": "x" * length})


def test_item_is_limited_to_400_kb(orders: Orders) -> None:
    for size in (200_000, 300_000, 400_000):
        orders.put(text={"S": "x" * size})
    assert code_of(orders.put, text={"S": "x" * 410_000}) == "ValidationException"
    orders.put("two", one={"S": "x" * 300_000})
    text = {"S": "x" * 200_000}
    assert code_of(orders.update, "SET extra = :t", "two", t=text) == "ValidationException"
    orders.update("SET one = :t", "two", t=text)
    orders.update("SET extra = :t", "two", t=text)
    orders.put("three", inner={"M": {"one": text}})
    assert code_of(orders.update, "SET inner.extra = :t", "three", t={"S": "x" * 210_000})
    assert orders.get("three")["inner"] == {"M": {"one": text}}
