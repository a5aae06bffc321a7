"""Model of the query that converts revenue: exact fractions, each rate looked up day by day."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from operations.rates.rates_file import Rate
from sales.order_lifecycle import Order
from tests.support.customer_models import period_start
from tests.support.dashboard_model import Rows
from tests.support.query_models import LakeHistory, group_by, sum_totals

REPORTING_CURRENCY = "EUR"
WIDE = Context(prec=60)
# Dollars have no rate on some days, and yen for longer than a rate is used.
RATES = [
    *(Rate(date(2026, 2, day), "USD", Decimal(f"0.9{day:02}3456789")) for day in (20, 23, 26)),
    *(Rate(date(2026, 3, day), "USD", Decimal(f"0.8{day:02}")) for day in range(2, 10)),
    *(Rate(date(2026, 2, day), "GBP", Decimal(f"1.15000{day}")) for day in range(1, 29)),
    *(Rate(date(2026, month, 1), "JPY", Decimal("0.006123456789")) for month in (1, 3)),
    Rate(date(2026, 3, 1), "GBP", Decimal("1.2")),
    Rate(date(2026, 3, 7), "GBP", Decimal(1)),
]


def revenue_in_reporting_currency(history: LakeHistory, rates: Sequence[Rate] = RATES) -> Rows:
    def start_of(order: Order) -> str:
        return f"{period_start(history, date.fromisoformat(history.day(order['paid_at'])))}"

    sold = history.sold_orders()
    groups = group_by(sold, lambda order: (start_of(order), order["currency"]))
    periods = group_by(sold, start_of)
    rows: Rows = []
    for (start, currency), orders in groups.items():
        rates_of_orders = [rate_of(order, history, rates) for order in orders]
        rows.append(
            (
                start,
                currency,
                str(len(orders)),
                rounded(Fraction(sum_totals(orders))),
                str(rates_of_orders.count(None)),
                REPORTING_CURRENCY if rates else None,
                converted(orders, history, rates),
                converted(periods[start], history, rates),
            )
        )
    return rows


def converted(orders: list[Order], history: LakeHistory, rates: Sequence[Rate]) -> str | None:
    """Return the orders' revenue in the reporting currency, or None if a rate is not known."""
    total = Fraction(0)
    for order in orders:
        rate = rate_of(order, history, rates)
        if rate is None:
            return None
        total += Fraction(order["total"]) * rate
    return rounded(total)


def rounded(amount: Fraction) -> str:
    """Return an amount as Athena shows it, rounded once; zero has no sign."""
    exact = WIDE.divide(Decimal(amount.numerator), Decimal(amount.denominator))
    assert Fraction(exact) == amount
    return format(exact.quantize(Decimal("0.01"), ROUND_HALF_UP, WIDE) + 0, "f")


def rate_of(order: Order, history: LakeHistory, rates: Sequence[Rate]) -> Fraction | None:
    """Return the rate of an order's day of payment, or else of the latest day before it."""
    if not rates:
        return None
    if order["currency"] == REPORTING_CURRENCY:
        return Fraction(1)
    by_day = {rate.day: rate.rate for rate in rates if rate.currency == order["currency"]}
    paid_day = date.fromisoformat(history.day(order["paid_at"]))
    for age in range(int(history.parameters.get("rate_days", "7")) + 1):
        if (rate := by_day.get(paid_day - timedelta(age))) is not None:
            return Fraction(rate)
    return None
