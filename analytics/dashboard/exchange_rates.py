"""Exchange rates of the page: one for each day and currency in which orders were paid."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from analytics.athena import Column, QueryResult, Row
from analytics.dashboard.facts import decode_rows, encode_columns

FACT = "exchange_rates"
COLUMNS = tuple(
    Column(name, "varchar") for name in ("currency", "day", "rate", "reporting_currency")
)
RATE_DAYS = 7  # The default of the query revenue_in_reporting_currency.


def with_used_rates(facts: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return facts whose exchange rates are only those of the days of payment.

    That fact is left out without rates, a reporting currency, or orders in another currency.
    """
    rates = decode_rows(facts.get(FACT, {}))
    others = {name: fact for name, fact in facts.items() if name != FACT}
    rows = list(_used_rates(rates, facts["sold_orders"])) if rates else []
    if not rows:
        return others
    return others | {FACT: encode_columns(QueryResult(COLUMNS, iter(rows), 0))}


def _used_rates(rates: list[tuple[Any, ...]], sold_orders: dict[str, Any]) -> Iterator[Row]:
    """Yield the rate of each currency and day of payment; it is None if it is not known."""
    reporting_currency = rates[0][-1]
    if reporting_currency is None:
        return
    rate_by_day = {(currency, _ordinal(day)): rate for currency, day, rate, _ in rates}
    payments = decode_rows({name: sold_orders[name] for name in ("currency", "day")})
    for currency, day in dict.fromkeys(payments):
        if currency != reporting_currency:
            yield currency, day, _latest_rate(rate_by_day, currency, day), reporting_currency


def _latest_rate(
    rate_by_day: Mapping[tuple[str, int | None], str | None], currency: str, day: str | None
) -> str | None:
    """Return the rate of a day, or else that of the latest day before it."""
    ordinal = _ordinal(day)
    if ordinal is None:
        return None
    keys = [(currency, ordinal - age) for age in range(RATE_DAYS + 1)]
    return next((rate_by_day[key] for key in keys if key in rate_by_day), None)


def _ordinal(day: str | None) -> int | None:
    """Return the number of a day; None if the calendar does not have it."""
    try:
        return date.fromisoformat(day or "").toordinal()
    except ValueError:
        return None
