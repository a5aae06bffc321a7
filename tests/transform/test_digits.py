"""Numbers in plain digits: exact, and only those within DynamoDB's range."""

import re
from fractions import Fraction

import pytest
from hypothesis import example, given

from tests.strategies.records import invalid_numbers, numbers
from transform.digits import plain_digits
from transform.errors import BadRecord

PLAIN = re.compile(r"0|-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
WIDEST = "9." + "9" * 37


@given(numbers())
@example("12345678901234567890123456789012345678")
@example("-0.00")
@example("1E-130")
@example(f"{WIDEST}E+125")
@example(f"-{WIDEST}e-93")
@example("010.500")
@example(".5")
@example("5.")
@example("+5")
@example("1E+2")
def test_plain_digits_are_exact(text: str) -> None:
    assert Fraction(plain_digits(text)) == Fraction(text)


@given(numbers())
@example("-0")
@example("100")
@example("0.10")
def test_plain_digits_are_the_shortest_form(text: str) -> None:
    plain = plain_digits(text)
    assert PLAIN.fullmatch(plain)
    assert plain != "-0"
    assert plain_digits(plain) == plain


@given(invalid_numbers())
@example("1_000")
@example("1E1000000000")
@example("-1E126")
@example("0.000001E-125")
@example("1" * 1000)
@example("0." + "1" * 1000)
def test_invalid_number_is_a_bad_record(text: str) -> None:
    with pytest.raises(BadRecord, match="expected"):
        plain_digits(text)


@pytest.mark.parametrize("value", [5, None, True, b"5", ["5"]])
def test_number_must_be_a_string(value: object) -> None:
    with pytest.raises(BadRecord, match="expected a number in a string, found"):
        plain_digits(value)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1E+3", "1000"),
        ("1.5E+1", "15"),
        ("-12.50", "-12.5"),
        ("0.001", "0.001"),
        ("12E-1", "1.2"),
        ("12E-2", "0.12"),
        ("12E-3", "0.012"),
        ("1E125", "1" + "0" * 125),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("0" * 900 + "7", "7"),
        ("0E+999999999", "0"),
    ],
)
def test_numbers_are_written_in_plain_digits(text: str, plain: str) -> None:
    assert plain_digits(text) == plain


def test_reason_states_the_range() -> None:
    with pytest.raises(BadRecord) as error_info:
        plain_digits("1E126")
    reason = "expected 38 digits from 1E-130 to 9.99E+125, found a number out of range"
    assert str(error_info.value) == reason
