"""DynamoDB's numbers, as text and exact: they are read and written here, never computed with."""

import re

from transform.errors import BadRecord, kind

# DynamoDB's own texts have at most some 170 characters; longer ones need not be looked at.
_NUMBER = re.compile(
    r"([+-]?)(?=\.?[0-9])([0-9]{0,999})(?:\.([0-9]{0,999}))?(?:[eE]([+-]?[0-9]{1,9}))?"
).fullmatch


def plain_digits(text: object) -> str:
    """Return a DynamoDB number in plain digits: no exponent, no needless zeros, no digit lost.

    >>> plain_digits("-01.50E+2")
    '-150'
    """
    match = _NUMBER(text) if type(text) is str else None
    if match is None:
        raise BadRecord("a number as text", kind(text))
    sign, whole, fraction, exponent = match.groups("")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    power = int(exponent or "0") - len(fraction) + len(digits) - len(significant)
    return f"{'-' if sign == '-' else ''}{_plain(significant, power)}" if significant else "0"


def _plain(digits: str, power: int) -> str:
    """Return digits times a power of ten in plain digits, within what DynamoDB can hold."""
    if len(digits) > 38 or not -130 <= power + len(digits) - 1 <= 125:
        raise BadRecord("38 digits from 1E-130 to 9.99E+125", "a number beyond")
    if power >= 0:
        return digits + "0" * power
    padded = digits.rjust(1 - power, "0")
    return f"{padded[:power]}.{padded[power:]}"
