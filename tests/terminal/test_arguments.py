"""Argument types: what they accept comes back exact, what they reject is named."""

from argparse import ArgumentTypeError
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal import arguments


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_whole_number_is_within_its_limits(value: int, minimum: int, maximum: int) -> None:
    parse = arguments.whole_number(minimum, maximum)
    if minimum <= value <= maximum:
        assert parse(str(value)) == value
    else:
        with pytest.raises(
            ArgumentTypeError, match=f"from {minimum} to {maximum}, found '{value}'"
        ):
            parse(str(value))


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", " 1", "٣", "0x1", "one"])
def test_other_spellings_are_no_whole_number(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a whole number, found"):
        arguments.whole_number()(text)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-0.1", "٣", "a"])
def test_a_number_is_finite_and_not_negative(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a number of seconds from 0 to 60"):
        arguments.number(0, 60, unit="seconds")(text)


@given(st.floats(0, 60))
def test_a_number_comes_back_as_it_was_written(value: float) -> None:
    assert arguments.number(0, 60)(repr(value)) == value


@given(st.fractions(0, 1))
def test_a_fraction_is_exact(value: Fraction) -> None:
    assert arguments.fraction(str(value)) == value


@pytest.mark.parametrize("text", ["-1/2", "1.1", "1/0", "a"])
def test_fractions_beyond_one_are_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a fraction from 0 to 1"):
        arguments.fraction(text)


@given(st.dates(date(1971, 1, 1), date(2999, 12, 31)))
def test_a_day_is_read_in_iso_format(value: date) -> None:
    assert arguments.day(value.isoformat()) == value


@pytest.mark.parametrize("text", ["2026-02-30", "1970-12-31", "3000-01-01", "tomorrow"])
def test_dates_that_do_not_exist_are_rejected(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a date such as 2026-11-23"):
        arguments.day(text)


def test_an_output_file_may_need_one_new_folder(tmp_path: Path) -> None:
    assert arguments.output_file(str(tmp_path / "new" / "a.json")) == tmp_path / "new" / "a.json"
    with pytest.raises(ArgumentTypeError, match="expected a file in an existing folder"):
        arguments.output_file(str(tmp_path / "no" / "such" / "a.json"))


def test_folders_and_devices_are_no_output_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(ArgumentTypeError, match="is not a regular file"):
            arguments.output_file(str(path))
