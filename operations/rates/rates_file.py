"""File of exchange rates: CSV with a date, a currency and a rate on each line, all checked."""

from __future__ import annotations

import csv
import re
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from setup.lib.errors import UserError
from terminal.arguments import day
from terminal.text import count

HEADER = ["date", "currency", "rate"]
# An amount has 14 digits before the point and 4 after it: with these its product is exact.
RATE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,12})?")
MAX_LISTED = 10


class InvalidRates(UserError):
    """The file has lines that are no rates; the message lists them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one unit of a currency is worth on a day, in the reporting currency."""

    day: date
    currency: str
    rate: Decimal


def currency_code(text: str) -> str:
    """Return a currency's code."""
    if not re.fullmatch("[A-Z]{3}", text):
        raise ArgumentTypeError(f"expected a currency such as USD, found {text!r}")
    return text


def read_rates(path: Path, reporting_currency: str) -> list[Rate]:
    """Return the rates of a file; raise InvalidRates if any line is wrong."""
    try:
        # Excel begins a file in UTF-8 with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as lines:
            parser = _Parser(reporting_currency)
            rates = list(parser.parse(lines))
    except OSError as error:
        raise InvalidRates(f"{path}: {error.strerror}: give a CSV file of rates") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRates(f"{path} is not CSV in UTF-8 ({error}): save it as such") from None
    if parser.problems:
        raise InvalidRates("\n".join(_problem_lines(path, parser.problems)))
    if not rates:
        raise InvalidRates(f"{path}: expected lines such as 2026-11-23,USD,0.8672, found none")
    return rates


def _problem_lines(path: Path, problems: list[str]) -> Iterator[str]:
    yield from (f"{path}, {problem}" for problem in problems[:MAX_LISTED])
    if len(problems) > MAX_LISTED:
        yield f"{path}: {count(len(problems) - MAX_LISTED, 'more wrong line')}"


class _Parser:
    """Parser of the lines; it collects what is wrong with each."""

    def __init__(self, reporting_currency: str) -> None:
        self.problems: list[str] = []
        self._reporting_currency = reporting_currency
        self._line_numbers: dict[tuple[date, str], int] = {}

    def parse(self, lines: Iterator[str]) -> Iterator[Rate]:
        """Yield the rates of all lines that are right."""
        reader = csv.reader(lines)
        header = next(reader, [])
        if header != HEADER:
            self.problems.append(
                f"line 1: expected {','.join(HEADER)}, found {','.join(header)[:80]!r}"
            )
            return
        for fields in filter(None, reader):
            try:
                yield self._parse_rate(fields, reader.line_num)
            except ArgumentTypeError as error:
                self.problems.append(f"line {reader.line_num}: {error}")

    def _parse_rate(self, fields: list[str], line_number: int) -> Rate:
        if len(fields) != len(HEADER):
            raise ArgumentTypeError(f"expected {len(HEADER)} values, found {len(fields)}")
        rate = Rate(day(fields[0]), currency_code(fields[1]), _positive_number(fields[2]))
        if rate.currency == self._reporting_currency and rate.rate != 1:
            raise ArgumentTypeError(f"expected 1 for {rate.currency}, found {fields[2]!r}")
        first = self._line_numbers.setdefault((rate.day, rate.currency), line_number)
        if first != line_number:
            raise ArgumentTypeError(
                f"expected one rate of {rate.currency} on {rate.day}, found another on line {first}"
            )
        return rate


def _positive_number(text: str) -> Decimal:
    number = Decimal(text) if RATE.fullmatch(text) else Decimal(0)
    if number == 0:
        raise ArgumentTypeError(
            "expected a rate above 0 with at most 8 digits before the point and 12 after it, "
            f"found {text[:40]!r}"
        )
    return number
