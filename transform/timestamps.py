"""When something happened: `YYYY-MM-DD HH:MM:SS` and a fraction, in UTC, so that texts sort."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from numbers import Real

from transform.digits import plain_digits
from transform.errors import BadRecord, kind
from transform.parsing import Number

_EPOCH = datetime(1970, 1, 1)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,99}))?"
    r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?"
).fullmatch


def moment(value: object) -> str:
    """Return a time to the microsecond, however AWS wrote it: as a number since 1970, or ISO.

    >>> moment("1479499740"), moment("1664028820148"), moment("2026-11-23T10:15:30.5+01:00")
    ('2016-11-18 20:09:00.000000', '2022-09-24 14:13:40.148000', '2026-11-23 09:15:30.500000')
    """
    if isinstance(value, Number):
        value = value.text
    elif isinstance(value, Real) and not isinstance(value, bool):
        value = repr(value) if abs(value) < 1 << 64 else "beyond"
    if type(value) is not str:
        raise BadRecord("a time", kind(value))
    return _moment(value)


def utc_moment(at: datetime) -> str:
    """Return an aware datetime as the same text."""
    return _written(at.astimezone(timezone.utc).replace(tzinfo=None))


@lru_cache(maxsize=1024)  # The changes of a batch share their seconds.
def _moment(text: str) -> str:
    try:
        iso = _ISO(text)
        return _written(_utc(*iso.groups()) if iso else _since_1970(plain_digits(text)))
    except (ValueError, OverflowError):
        raise BadRecord("a time of the years 1 to 9999", "another text") from None


def _written(at: datetime) -> str:
    return at.isoformat(" ", "microseconds")


def _since_1970(plain: str) -> datetime:
    """Return the time of a count of seconds, milli- or microseconds: its magnitude tells which."""
    whole, _, fraction = plain.partition(".")
    digits = 6 if len(whole) <= 11 else 3 if len(whole) <= 14 else 0
    count = int(whole + fraction[:digits].ljust(digits, "0"))
    return _EPOCH + timedelta(microseconds=count)


def _utc(
    date: str, time: str, fraction: str | None, sign: str | None, hours: str, minutes: str
) -> datetime:
    """Return the time of an ISO text's parts; without a zone it is UTC."""
    local = datetime.fromisoformat(f"{date}T{time}.{(fraction or '')[:6].ljust(6, '0')}")
    if sign is None:
        return local
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return local - ahead if sign == "+" else local + ahead
