"""The file of exchange rates: what is accepted is uploaded whole, and each wrong line is named."""

import csv
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.rates import command
from operations.rates.rates_file import InvalidRates, Rate, read_rates

RATES = st.builds(
    Rate,
    st.dates(date(1971, 1, 1), date(2999, 12, 31)),
    st.sampled_from(["USD", "GBP", "JPY"]),
    st.decimals(Decimal("1e-12"), Decimal("99999999.999999999999"), places=12),
)
HEADER = "date,currency,rate\n"
NUMBER = "a rate above 0 with at most 8 digits before the point and 12 after it"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of rates."""
    return tmp_path_factory.mktemp("rates") / "rates.csv"


@given(rates=st.lists(RATES, min_size=1, unique_by=lambda rate: (rate.day, rate.currency)))
def test_all_rates_of_a_file_are_read(path: Path, rates: list[Rate]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "currency", "rate"])
        writer.writerows((rate.day, rate.currency, f"{rate.rate:f}") for rate in rates)
    assert read_rates(path, "EUR") == rates


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_file_is_read_or_refused(path: Path, text: str) -> None:
    for content in (text, HEADER + text, f"{HEADER}2026-11-23,USD,{text}\n"):
        path.write_text(content, "utf-8")
        with suppress(InvalidRates):
            assert all(rate.rate > 0 for rate in read_rates(path, "EUR"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2026-02-30,USD,1", "expected a date such as 2026-11-23, found '2026-02-30'"),
        ("2026-11-23,usd,1", "expected a currency such as USD, found 'usd'"),
        ("2026-11-23,USD", "expected 3 values, found 2"),
        ("2026-11-23,USD,0,92", "expected 3 values, found 4"),
        ("2026-11-23,USD,0.0", f"expected {NUMBER}, found '0.0'"),
        ("2026-11-23,USD,-1", f"expected {NUMBER}, found '-1'"),
        ("2026-11-23,USD,N/A", f"expected {NUMBER}, found 'N/A'"),
        ("2026-11-23,USD,1e-3", f"expected {NUMBER}, found '1e-3'"),
        ("2026-11-23,USD,1.0000000000001", f"expected {NUMBER}, found '1.0000000000001'"),
        ("2026-11-23,USD,123456789", f"expected {NUMBER}, found '123456789'"),
        ("2026-11-23,EUR,1.01", "expected 1 for EUR, found '1.01'"),
        ("2026-11-22,USD,1", "expected one rate of USD on 2026-11-22, found another on line 2"),
    ],
)
def test_a_wrong_line_is_named(
    path: Path, capsys: pytest.CaptureFixture[str], line: str, problem: str
) -> None:
    path.write_text(f"{HEADER}2026-11-22,USD,0.9\n\n{line}\n")
    assert command.main([str(path), "--currency", "EUR"]) == 2
    assert capsys.readouterr().err == f"{path}, line 4: {problem}\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ", line 1: expected date,currency,rate, found ''"),
        (b"date;currency;rate\n", ", line 1: expected date,currency,rate, found"),
        (HEADER.encode(), ": expected lines such as 2026-11-23,USD,0.8672, found none"),
        (b"\xff", " is not CSV in UTF-8"),
    ],
    ids=["empty", "semicolons", "no rates", "other encoding"],
)
def test_a_file_without_rates_is_refused(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidRates) as error:
        read_rates(path, "EUR")
    assert str(error.value).startswith(f"{path}{problem}")


def test_a_missing_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "none.csv"), "--currency", "EUR"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_many_wrong_lines_are_counted(path: Path) -> None:
    path.write_text(HEADER + "x,USD,1\n" * 12)
    with pytest.raises(InvalidRates) as error:
        read_rates(path, "EUR")
    *lines, last = str(error.value).splitlines()
    assert len(lines) == 10
    assert last == f"{path}: 2 more wrong lines"


def test_a_spreadsheets_file_is_read(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["date,currency,rate", "2026-11-23,USD,0.8672", '2026-11-24,"USD",0.86725', ""]
    path.write_text("\r\n".join(lines), "utf-8-sig", newline="")
    assert command.main([str(path), "--currency", "EUR", "--dry-run"]) == 0
    expected = "would upload 2 rates of 1 currency, from 2026-11-23 to 2026-11-24\n"
    assert capsys.readouterr().out == expected
