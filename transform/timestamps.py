"""Timestamps: `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, so that strings sort by time."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from numbers import Real
from typing import Any

from transform.digits import plain_digits
from transform.errors import BadRecord, kind
from transform.parsing import Number

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - every datetime of this module is UTC.
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,99}))?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?"
).fullmatch


def parse_timestamp(value: object) -> str:
    """Return a timestamp in microseconds from any form that AWS writes: epoch number or ISO 8601.

    >>> parse_timestamp("1479499740"), parse_timestamp("2026-11-23T10:15:30.5+01:00")
    ('2016-11-18 20:09:00.000000', '2026-11-23 09:15:30.500000')
    """
    if isinstance(value, Number):
        value = value.text
    elif isinstance(value, Real) and not isinstance(value, bool):
        number: Any = value  # The abstract Real cannot be compared with an int.
        value = repr(value) if abs(number) < 1 << 64 else "out of range"
    if type(value) is not str:
        raise BadRecord("a timestamp", kind(value))
    return _parse_string(value)


def format_utc(time: datetime) -> str:
    """Return a timezone-aware datetime in the same form."""
    return _format(time.astimezone(UTC).replace(tzinfo=None))


@lru_cache(maxsize=1024)  # The changes of a batch share their seconds.
def _parse_string(text: str) -> str:
    iso = _ISO(text)
    try:
        return _format(_from_iso(*iso.groups()) if iso else _from_epoch(plain_digits(text)))
    except (ValueError, OverflowError):
        raise BadRecord("a timestamp of the years 1 to 9999", "another string") from None


def _format(time: datetime) -> str:
    return time.isoformat(" ", "microseconds")


def _from_epoch(number: str) -> datetime:
    """Return the time of seconds, milliseconds or microseconds; the magnitude decides which."""
    whole, _, fraction = number.partition(".")
    if len(whole) <= 11:  # seconds
        decimals = 6
    elif len(whole) <= 14:  # milliseconds
        decimals = 3
    else:
        decimals = 0
    microseconds = int(whole + fraction[:decimals].ljust(decimals, "0"))
    return _EPOCH + timedelta(microseconds=microseconds)


def _from_iso(  # noqa: PLR0913, PLR0917 - one parameter per group of _ISO.
    date: str, time: str, fraction: str | None, sign: str | None, hours: str, minutes: str
) -> datetime:
    """Return the UTC time of an ISO string's parts; without an offset it is UTC already."""
    local = datetime.fromisoformat(f"{date}T{time}.{(fraction or '')[:6].ljust(6, '0')}")
    if sign is None:
        return local
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return local - offset if sign == "+" else local + offset
