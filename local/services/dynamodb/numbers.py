"""Numbers as DynamoDB stores them: plain digits, at most 38 of them, within its range."""

import re
from decimal import Context, Decimal, InvalidOperation

from local.core.request import AwsError

DIGITS = 38
GREATEST = 125  # The power of ten of a number's first digit.
LEAST = -130

_STORED = re.compile(r"0|-?(?:0\.\d*[1-9]|[1-9]\d*(?:\.\d*[1-9])?)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_EXACT = Context(prec=400)  # Wider than any sum of two numbers in DynamoDB's range.

TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
TOO_LARGE = (
    "Number overflow. Attempting to store a number with magnitude larger than supported range"
)
TOO_SMALL = (
    "Number underflow. Attempting to store a number with magnitude smaller than supported range"
)


def stored_number(text: str) -> str:
    """Return a number in DynamoDB's one spelling of it, or refuse it as AWS does.

    >>> stored_number("010.500"), stored_number("1E+2"), stored_number("-0.0")
    ('10.5', '100', '0')
    """
    if len(text) <= DIGITS and _STORED.fullmatch(text):
        return text
    if not _NUMBER.fullmatch(text):
        found = f": {text}" if text else ""
        raise refusal(f"The parameter cannot be converted to a numeric value{found}")
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # An exponent that not even Decimal can hold.
        raise refusal(TOO_SMALL if "e-" in text.lower() else TOO_LARGE) from None
    return _plain(sign, "".join(map(str, digits)).lstrip("0"), int(exponent))


def stored_sum(left: str, right: str, sign: int = 1) -> str:
    """Return `left` plus `sign` times `right`, exactly, as DynamoDB stores it."""
    total = _EXACT.fma(Decimal(sign), Decimal(right), Decimal(left))
    return stored_number(str(total))


def _plain(sign: int, digits: str, exponent: int) -> str:
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent += len(digits) - len(significant)
    magnitude = len(significant) + exponent - 1
    if magnitude > GREATEST:
        raise refusal(TOO_LARGE)
    if magnitude < LEAST:
        raise refusal(TOO_SMALL)
    if len(significant) > DIGITS:
        raise refusal(TOO_PRECISE)
    return format(Decimal((sign, tuple(map(int, significant)), exponent)), "f")


def refusal(text: str) -> AwsError:
    """Return the error with which DynamoDB refuses a value."""
    return AwsError("ValidationException", text)
