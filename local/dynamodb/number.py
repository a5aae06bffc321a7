"""Numbers as DynamoDB stores them: plain digits, at most 38 of them, within its range."""

import json
import re
from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from local.call import AwsError

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
        raise _refusal(f"The parameter cannot be converted to a numeric value{found}")
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # An exponent that not even Decimal can hold.
        raise _refusal(TOO_SMALL if "e-" in text.lower() else TOO_LARGE) from None
    return _plain(sign, "".join(map(str, digits)).lstrip("0"), int(exponent))


def stored_sum(left: str, right: str, sign: int = 1) -> str:
    """Return `left` plus `sign` times `right`, exactly, as DynamoDB stores it."""
    total = _EXACT.fma(Decimal(sign), Decimal(right), Decimal(left))
    return stored_number(str(total))


def with_stored_numbers(body: bytes) -> bytes:
    """Return a request's JSON with every number, however deep, as DynamoDB stores it."""
    params = json.loads(body, object_hook=_stored_value)
    try:
        return json.dumps(params, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # Half of a surrogate pair: no UTF-8 text.
        raise AwsError("SerializationException", "The text is not valid UTF-8") from None


def _stored_value(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object; if it is a number or a set of numbers, as DynamoDB stores it.

    An attribute may be *named* N or NS: then an object stands where the digits would be.
    """
    if isinstance(number := value.get("N"), str):
        value["N"] = stored_number(number)
    elif isinstance(numbers := value.get("NS"), list):
        value["NS"] = _stored_set(numbers)
    return value


def _stored_set(numbers: Sequence[Any]) -> list[Any]:
    stored = [stored_number(each) if isinstance(each, str) else each for each in numbers]
    if len({str(each) for each in stored}) < len(stored):
        listed = ", ".join(map(str, numbers))
        raise _refusal(
            "One or more parameter values were invalid: "
            f"Input collection [{listed}] contains duplicates."
        )
    return stored


def _plain(sign: int, digits: str, exponent: int) -> str:
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    exponent += len(digits) - len(significant)
    magnitude = len(significant) + exponent - 1
    if magnitude > GREATEST:
        raise _refusal(TOO_LARGE)
    if magnitude < LEAST:
        raise _refusal(TOO_SMALL)
    if len(significant) > DIGITS:
        raise _refusal(TOO_PRECISE)
    return format(Decimal((sign, tuple(map(int, significant)), exponent)), "f")


def _refusal(text: str) -> AwsError:
    return AwsError("ValidationException", text)
