"""DynamoDB's numbers as exact strings: parsed and formatted, never computed with."""

import re

from transform.errors import BadRecord, kind

# DynamoDB's own strings have at most about 170 characters; the limits bound the work.
_NUMBER = re.compile(
    r"([+-]?)(?=\.?[0-9])([0-9]{0,999})(?:\.([0-9]{0,999}))?(?:[eE]([+-]?[0-9]{1,9}))?"
).fullmatch


def plain_digits(text: object) -> str:
    """Return a DynamoDB number in plain digits: no exponent, no superfluous zeros, no digit lost.

    >>> plain_digits("-01.50E+2")
    '-150'
    """
    match = _NUMBER(text) if type(text) is str else None
    if match is None:
        raise BadRecord("a number in a string", kind(text))
    sign, whole, fraction, exponent = match.groups("")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    power = int(exponent or "0") - len(fraction) + len(digits) - len(significant)
    return f"{'-' if sign == '-' else ''}{_plain(significant, power)}" if significant else "0"


def _plain(digits: str, power: int) -> str:
    """Return digits times a power of ten in plain digits, within DynamoDB's range."""
    if len(digits) > 38 or not -130 <= power + len(digits) - 1 <= 125:
        raise BadRecord("38 digits from 1E-130 to 9.99E+125", "a number out of range")
    if power >= 0:
        return digits + "0" * power
    padded = digits.rjust(1 - power, "0")
    return f"{padded[:power]}.{padded[power:]}"
