"""Numbers as DynamoDB stores them: plain digits, at most 38 of them, within its range."""

import re
from decimal import Context, Decimal, InvalidOperation

from local.services.dynamodb.language.errors import Rejected

MAX_DIGITS = 38
MAX_MAGNITUDE = 125  # The power of ten of a number's first digit.
MIN_MAGNITUDE = -130

_NORMALIZED = re.compile(r"0|-?(?:0\.\d*[1-9]|[1-9]\d*(?:\.\d*[1-9])?)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_EXACT = Context(prec=400)  # Wider than any sum of two numbers in DynamoDB's range.

TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
TOO_LARGE = (
    "Number overflow. Attempting to store a number with magnitude larger than supported range"
)
TOO_SMALL = (
    "Number underflow. Attempting to store a number with magnitude smaller than supported range"
)


def normalize_number(text: str) -> str:
    """Return a number in the only spelling that DynamoDB stores, or raise its error.

    >>> normalize_number("010.500"), normalize_number("1E+2"), normalize_number("-0.0")
    ('10.5', '100', '0')
    """
    if len(text) <= MAX_DIGITS and _NORMALIZED.fullmatch(text):
        return text
    if not _NUMBER.fullmatch(text):
        suffix = f": {text}" if text else ""
        raise Rejected(f"The parameter cannot be converted to a numeric value{suffix}")
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # The exponent exceeds even Decimal's range.
        raise Rejected(TOO_SMALL if "e-" in text.lower() else TOO_LARGE) from None
    return _format_plain(sign, "".join(map(str, digits)).lstrip("0"), int(exponent))


def number_size(text: str) -> int:
    """Return the bytes of a normalized number: one for each pair of decimal digits, and one more.

    >>> number_size("0"), number_size("-42"), number_size("1010"), number_size("0.0000001")
    (1, 3, 3, 2)
    """
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = "0" * (len(whole) % 2) + whole + fraction + "0" * (len(fraction) % 2)
    pairs = [digits[start : start + 2] != "00" for start in range(0, len(digits), 2)]
    if not any(pairs):
        return 1
    significant = len(pairs) - pairs.index(True) - pairs[::-1].index(True)
    return significant + 1 + text.startswith("-")


def add_numbers(left: str, right: str) -> str:
    """Return `left + right` exactly, normalized; raise DynamoDB's error if it cannot be stored."""
    return normalize_number(str(_EXACT.add(Decimal(left), Decimal(right))))


def subtract_numbers(left: str, right: str) -> str:
    """Return `left - right` exactly, normalized; raise DynamoDB's error if it cannot be stored."""
    return normalize_number(str(_EXACT.subtract(Decimal(left), Decimal(right))))


def _format_plain(sign: int, digits: str, exponent: int) -> str:
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent += len(digits) - len(significant)
    magnitude = len(significant) + exponent - 1
    if magnitude > MAX_MAGNITUDE:
        raise Rejected(TOO_LARGE)
    if magnitude < MIN_MAGNITUDE:
        raise Rejected(TOO_SMALL)
    if len(significant) > MAX_DIGITS:
        raise Rejected(TOO_PRECISE)
    return format(Decimal((sign, tuple(map(int, significant)), exponent)), "f")
