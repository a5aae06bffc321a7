"""Types of command-line arguments: each parses a text, or says what it expected and found."""

import math
import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path

FIRST_YEAR = 1971
LAST_YEAR = 2999


def whole_number(minimum: int = 0, maximum: int | None = None) -> Callable[[str], int]:
    """Return a type for whole numbers in ASCII digits, from `minimum` to `maximum`."""
    limits = _limits(minimum, maximum)

    def parse(text: str) -> int:
        is_whole = text.isascii() and text.isdigit()
        if not is_whole or int(text) < minimum or (maximum is not None and int(text) > maximum):
            raise ArgumentTypeError(f"expected a whole number{limits}, found {text[:40]!r}")
        return int(text)

    return parse


def number(
    minimum: float = 0.0, maximum: float | None = None, unit: str = ""
) -> Callable[[str], float]:
    """Return a type for finite numbers from `minimum` to `maximum`; `unit` is for the message."""
    limits = _limits(minimum, maximum)
    kind = f"a number of {unit}" if unit else "a number"

    def parse(text: str) -> float:
        value = _float(text)
        if not math.isfinite(value) or value < minimum or (maximum is not None and value > maximum):
            raise ArgumentTypeError(f"expected {kind}{limits}, found {text[:40]!r}")
        return value

    return parse


def fraction(text: str) -> Fraction:
    """Return an exact fraction from 0 to 1, written as `0.1` or `1/10`."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"expected a fraction from 0 to 1, found {text!r}")
    return value


def day(text: str) -> date:
    """Return a date, written as `2026-11-23`."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        value = date.min
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ArgumentTypeError(f"expected a date such as 2026-11-23, found {text!r}")
    return value


def output_file(text: str) -> Path:
    """Return a path to which a regular file can be written.

    Its folder may be missing if the parent exists: `build/` is created when it is needed. Checked
    before the work, so that a long run does not end without its output.
    """
    path = Path(text)
    # os.path treats a path that this user may not read as missing; Path raises an error.
    folder = path.parent if os.path.exists(path.parent) else path.parent.parent
    if not os.path.isdir(folder):
        raise ArgumentTypeError(f"expected a file in an existing folder, found {text!r}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ArgumentTypeError(f"{text!r} is not a regular file")
    if not os.access(folder, os.W_OK):
        raise ArgumentTypeError(f"expected a writable folder, found {str(folder)!r}")
    return path


def _float(text: str) -> float:
    try:
        return float(text) if text.isascii() else math.nan
    except ValueError:
        return math.nan


def _limits(minimum: float, maximum: float | None) -> str:
    if maximum is not None:
        return f" from {minimum} to {maximum}"
    return f", at least {minimum}" if minimum else ""
