"""Timestamps: one string in microseconds for every notation that AWS uses."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import invalid_numbers, json_values
from transform.errors import BadRecord
from transform.parsing import Number
from transform.timestamps import format_utc, parse_timestamp

EPOCH = datetime(1970, 1, 1)
SINCE_1973 = st.datetimes(datetime(1973, 3, 4), datetime(5138, 1, 1))


@given(SINCE_1973)
@example(datetime(2024, 2, 29, 23, 59, 59, 999999))
def test_all_notations_give_the_same_timestamp(time: datetime) -> None:
    micros = (time - EPOCH) // timedelta(microseconds=1)
    text = time.isoformat(" ", "microseconds")
    assert parse_timestamp(str(micros)) == text
    assert parse_timestamp(Number(str(micros))) == text
    assert parse_timestamp(micros) == text
    assert parse_timestamp(f"{micros // 1000}.{micros % 1000:03}") == text
    assert parse_timestamp(f"{micros // 10**6}.{micros % 10**6:06}") == text
    assert parse_timestamp(f"{micros}E-6") == text
    assert parse_timestamp(time.isoformat("T", "microseconds") + "Z") == text


@given(SINCE_1973, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
def test_offset_is_converted_to_utc(time: datetime, offset: timedelta) -> None:
    whole_minutes = timedelta(minutes=offset // timedelta(minutes=1))
    zoned = time.replace(tzinfo=UTC).astimezone(timezone(whole_minutes))
    assert parse_timestamp(zoned.isoformat()) == time.isoformat(" ", "microseconds")
    assert format_utc(zoned) == time.isoformat(" ", "microseconds")


@given(SINCE_1973, SINCE_1973)
def test_timestamps_sort_like_times(one: datetime, other: datetime) -> None:
    first = format_utc(one.replace(tzinfo=UTC))
    second = format_utc(other.replace(tzinfo=UTC))
    assert (first < second) == (one < other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1479499740, "2016-11-18 20:09:00.000000"),
        (1664559083.0, "2022-09-30 17:31:23.000000"),
        ("1.479499740E9", "2016-11-18 20:09:00.000000"),
        (99999999999, "5138-11-16 09:46:39.000000"),
        (100000000000, "1973-03-03 09:46:40.000000"),
        (99999999999999, "5138-11-16 09:46:39.999000"),
        (100000000000000, "1973-03-03 09:46:40.000000"),
        (2251799813685247, "2041-05-10 11:56:53.685247"),
        (0, "1970-01-01 00:00:00.000000"),
        (-1, "1969-12-31 23:59:59.000000"),
        ("1664028820148.9999", "2022-09-24 14:13:40.148999"),
        ("1664028820148123.9", "2022-09-24 14:13:40.148123"),
        ("2026-11-23T10:15:30", "2026-11-23 10:15:30.000000"),
        ("2026-11-23 10:15:30.1234567Z", "2026-11-23 10:15:30.123456"),
        ("2026-11-23 10:15:30,5+0530", "2026-11-23 04:45:30.500000"),
        ("2026-11-23T00:15:30-01:00", "2026-11-23 01:15:30.000000"),
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00.000000"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31 23:59:59.999999"),
    ],
)
def test_timestamps_are_parsed(value: object, text: str) -> None:
    assert parse_timestamp(value) == text


@given(invalid_numbers() | json_values())
@example("2026-13-01T00:00:00Z")
@example("2026-01-01T24:00:00Z")
@example("0001-01-01T00:00:00+01:00")
@example("9999-12-31T23:59:59-01:00")
@example("2026-11-23")
@example("2026-11-23T10:15:30ZZ")
@example("9" * 30)
@example(10**18)
@example(10**5000)
@example(-(10**5000))
@example(float("nan"))
@example(float("inf"))
@example(1e300)
@example("1E125")
@example("-1E125")
def test_any_value_is_a_timestamp_or_bad_record(value: object) -> None:
    try:
        text = parse_timestamp(value)
    except BadRecord as error:
        assert "expected a time" in str(error)  # noqa: PT017 - a timestamp is valid too.
    else:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "nothing"),
        (True, "true or false"),
        ([], "a list"),
        ({}, "an object"),
        ((), "an object"),
    ],
)
def test_timestamp_must_be_a_number_or_string(value: object, kind: str) -> None:
    with pytest.raises(BadRecord, match=f"expected a timestamp, found {kind}"):
        parse_timestamp(value)


def test_reason_states_the_range_of_years() -> None:
    reason = "expected a timestamp of the years 1 to 9999, found another string"
    with pytest.raises(BadRecord, match=reason):
        parse_timestamp("1E20")
