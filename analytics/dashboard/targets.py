"""Targets: the revenue that a month should reach, by currency, from a small JSON file."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path

from setup.lib.errors import UserError

EXAMPLE = '{"USD": 120000, "EUR": 80000.50}'
MAX_TARGET = 10**14  # as for an order's total
DECIMAL_PLACES = 4


class InvalidTargets(UserError):
    """The file holds no targets; the message says why."""


def read_targets(path: Path) -> dict[str, str]:
    """Return the monthly revenue to reach in each currency, as decimal numbers in text."""
    try:
        document = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InvalidTargets(f"{path}: {error.strerror}: give a file such as {EXAMPLE}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidTargets(f"{path} is not JSON ({error}): write {EXAMPLE}") from None
    if not isinstance(document, dict) or not document:
        raise InvalidTargets(f"{path} names no currency: write {EXAMPLE}")
    return {currency: _amount(path, currency, value) for currency, value in document.items()}


def _amount(path: Path, currency: str, value: object) -> str:
    """Return a target as text with all its digits."""
    amount = _decimal(value)
    if amount is None or not _is_target(amount):
        raise InvalidTargets(
            f"{path}: the target of {currency} is {value!s:.40}: write a number from 0.0001 to "
            f"{MAX_TARGET - 1}, with at most {DECIMAL_PLACES} decimal places"
        )
    return f"{amount:f}"


def _decimal(value: object) -> Decimal | None:
    """Return a number of JSON, or one in a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _is_target(amount: Decimal) -> bool:
    return 0 < amount < MAX_TARGET and amount == round(amount, DECIMAL_PLACES)
