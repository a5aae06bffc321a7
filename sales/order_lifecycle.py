"""The lifecycle of generated sales orders: every change of every order, drawn from a seed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

from faker import Faker

from sales import market
from sales.market import REGIONS, Region

Order = dict[str, Any]
T = TypeVar("T")

HISTORY_DAYS = 30
RETENTION = timedelta(days=3653)  # Ten years, as tax law requires; then TTL deletes the order.
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Without the letters that look like digits.

JOURNEYS = {  # The steps after an order is placed, and the percentage of orders that take them.
    "paid shipped tracked delivered": 37,
    "coupon_added paid shipped tracked delivered": 10,
    "line_corrected paid shipped tracked delivered": 8,
    "gift_noted paid shipped tracked delivered": 6,
    "paid address_corrected shipped tracked delivered": 9,
    "payment_failed paid shipped tracked delivered": 7,
    "paid shipped tracked delivered returned": 9,
    "payment_failed payment_failed cancelled": 3,
    "payment_failed cancelled": 3,
    "paid cancelled": 5,
    "cancelled": 3,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate: the number of orders, the fraction to delete, and the day before which."""

    orders: int
    seed: int
    removals: Fraction
    until: date


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One change of one order: `before` is None when it is placed, `after` when it is deleted."""

    order_id: str
    changed_at: datetime
    before: Order | None
    after: Order | None

    @property
    def operation(self) -> str:
        """The event name that DynamoDB Streams gives to such a change."""
        if self.before is None:
            return "INSERT"
        return "REMOVE" if self.after is None else "MODIFY"


def generate_changes(plan: Plan) -> list[OrderChange]:
    """Return every change of the plan's orders, sorted by time."""
    changes = [change for history in order_histories(plan) for change in history]
    # The sort is stable, so changes of one order at the same second keep their order.
    return sorted(changes, key=lambda change: change.changed_at)


def order_histories(plan: Plan) -> Iterator[list[OrderChange]]:
    """Yield the changes of each order; changes after the plan's last day are left out."""
    generator = OrderGenerator(plan)
    for number in range(plan.orders):
        # Removals are spread evenly, so the fraction is exact even for a few orders.
        is_purged = int((number + 1) * plan.removals) > int(number * plan.removals)
        yield generator.history(is_purged)


class OrderGenerator:
    """Draws one order after another from a seeded random source.

    The sequence of the draws decides what a seed means: to reorder them changes every order.
    """

    def __init__(self, plan: Plan) -> None:
        self._random = Random(plan.seed)
        last_day = plan.until
        self._end = datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC)
        days = [self._end - timedelta(days=age) for age in range(HISTORY_DAYS, 0, -1)]
        self._day_weights = {day: market.WEEKDAYS[day.weekday()] for day in days}
        locales = [locale for region in REGIONS.values() for locale in region.locales]
        self._fakers = {_country(locale): Faker(locale) for locale in locales}
        for faker in self._fakers.values():
            faker.seed_instance(plan.seed)
        self._customers: dict[str, list[Order]] = {name: [] for name in REGIONS}

    def history(self, is_purged: bool) -> list[OrderChange]:
        """Return the changes of the next order; the last change of a purged one deletes it."""
        changed_at, order = self._place_order(is_test_order=is_purged)
        changes = [OrderChange(order["order_id"], changed_at, None, order)]
        for name in self._choose(JOURNEYS).split():
            step = STEPS[name]
            changed_at = self._time_after(changed_at, step.median_hours)
            if changed_at >= self._end:
                break
            before = order
            order = _apply_step(order, name, changed_at, step.draw(self, order))
            changes.append(OrderChange(order["order_id"], changed_at, before, order))
        if is_purged:
            changed_at = min(self._time_after(changed_at, HOURS_UNTIL_PURGED), self._end)
            changes.append(OrderChange(order["order_id"], changed_at, order, None))
        return changes

    def no_attributes(self, order: Order) -> Order:
        """Return no attributes: the step only changes the status."""
        return {}

    def payment_attempt(self, order: Order) -> Order:
        """Return the payment with one more attempt."""
        payment = order["payment"]
        return {"payment": {**payment, "attempts": payment["attempts"] + 1}}

    def coupon(self, order: Order) -> Order:
        """Return a coupon and the discounted amounts."""
        coupon = self._random.choice(list(market.COUPONS))
        return {"coupon": coupon, **_amounts(order["region"], order["items"], coupon)}

    def corrected_lines(self, order: Order) -> Order:
        """Return the order's lines with one more of the last product, and the new amounts."""
        *lines, last = order["items"]
        lines.append({**last, "quantity": last["quantity"] + 1})
        return {"items": lines, **_amounts(order["region"], lines, order.get("coupon"))}

    def gift_note(self, order: Order) -> Order:
        """Return a note to the recipient."""
        return {"gift_note": self._choose(market.GIFT_NOTES)}

    def corrected_address(self, order: Order) -> Order:
        """Return the customer with another street in the same city."""
        customer = order["customer"]
        address = customer["address"]
        street = self._fakers[address["country"]].street_address()
        return {"customer": {**customer, "address": {**address, "street": street}}}

    def carrier(self, order: Order) -> Order:
        """Return the carrier of the shipment."""
        return {"carrier": self._choose(market.CARRIERS)}

    def tracking_number(self, order: Order) -> Order:
        """Return the carrier's tracking number."""
        return {"tracking_number": f"{self._random.randrange(10**15, 10**16)}"}

    def _place_order(self, is_test_order: bool) -> tuple[datetime, Order]:
        region = self._choose(market.SHARES)
        placed_at = self._placement_time(region)
        lines = self._lines(region)
        return placed_at, {
            "order_id": "SO-" + "".join(self._random.choices(BASE32, k=10)),
            "status": "placed",
            "placed_at": _timestamp(placed_at),
            "updated_at": _timestamp(placed_at),
            "expires_at": int((placed_at + RETENTION).timestamp()),
            "test_order": is_test_order,
            "region": region.name,
            "currency": region.currency,
            "channel": self._choose(market.CHANNELS),
            "customer": self._customer(region),
            "payment": {"method": self._choose(market.METHODS), "attempts": 0},
            "items": lines,
            **_amounts(region.name, lines),
        }

    def _customer(self, region: Region) -> Order:
        """Return a returning customer or a new one."""
        customers = self._customers[region.name]
        if customers and self._random.random() < market.REPEAT_CUSTOMERS:
            return self._random.choice(customers)
        customers.append(self._new_customer(region))
        return customers[-1]

    def _new_customer(self, region: Region) -> Order:
        country = _country(self._random.choice(region.locales))
        faker = self._fakers[country]
        address = {
            "street": faker.street_address(),
            "city": faker.city(),
            "postal_code": faker.postcode(),
            "country": country,
        }
        return {
            "id": f"C-{self._random.randrange(10**8):08}",
            "name": faker.name(),
            "email": faker.ascii_safe_email(),
            "address": address,
        }

    def _lines(self, region: Region) -> list[Order]:
        line_count = self._choose(market.LINES)
        products = [self._choose(market.PRODUCTS) for _ in range(line_count)]
        return [
            {
                "sku": product.sku,
                "name": product.name,
                "category": product.category,
                "quantity": self._choose(market.QUANTITIES),
                "unit_price": region.price(product.dollars),
            }
            for product in dict.fromkeys(products)
        ]

    def _placement_time(self, region: Region) -> datetime:
        """Return when an order is placed: most often on weekends and in the region's evening."""
        hour = self._random.choices(range(24), market.HOURS)[0] - region.hours_ahead
        seconds = self._random.randrange(3600)
        return self._choose(self._day_weights) + timedelta(hours=hour % 24, seconds=seconds)

    def _time_after(self, earlier: datetime, median_hours: float) -> datetime:
        """Return a time at least one second later; the delay has the given median."""
        delay = 3600 * median_hours * self._random.lognormvariate(0, 0.6)
        return earlier + timedelta(seconds=1 + int(delay))

    def _choose(self, weights: Mapping[T, float]) -> T:
        return self._random.choices(list(weights), list(weights.values()))[0]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an order: its median delay, and how to draw the attributes that it changes."""

    median_hours: float
    draw: Callable[[OrderGenerator, Order], Order]
    is_status: bool = True


HOURS_UNTIL_PURGED = 8
STEPS = {
    "payment_failed": Step(0.1, OrderGenerator.payment_attempt),
    "paid": Step(0.3, OrderGenerator.payment_attempt),
    "shipped": Step(20, OrderGenerator.carrier),
    "delivered": Step(55, OrderGenerator.no_attributes),
    "cancelled": Step(5, OrderGenerator.no_attributes),
    "returned": Step(150, OrderGenerator.no_attributes),
    "coupon_added": Step(0.1, OrderGenerator.coupon, is_status=False),
    "line_corrected": Step(0.2, OrderGenerator.corrected_lines, is_status=False),
    "gift_noted": Step(0.1, OrderGenerator.gift_note, is_status=False),
    "address_corrected": Step(3, OrderGenerator.corrected_address, is_status=False),
    "tracked": Step(2, OrderGenerator.tracking_number, is_status=False),
}


def _apply_step(order: Order, name: str, changed_at: datetime, attributes: Order) -> Order:
    """Return the order after a step; it always differs, because `updated_at` is later."""
    status = {"status": name, f"{name}_at": _timestamp(changed_at)} if STEPS[name].is_status else {}
    return {**order, **attributes, **status, "updated_at": _timestamp(changed_at)}


def _amounts(region_name: str, lines: list[Order], coupon: str | None = None) -> Order:
    """Return the amounts of an order with these lines, exact to the cent."""
    region = REGIONS[region_name]
    subtotal = sum((line["quantity"] * line["unit_price"] for line in lines), Decimal(0))
    discount_rate = market.COUPONS[coupon] if coupon else Decimal(0)
    discount = (subtotal * discount_rate).quantize(region.cent)
    has_free_shipping = subtotal >= market.FREE_SHIPPING_DOLLARS * region.per_dollar
    shipping_fee = Decimal(0) if has_free_shipping else region.shipping
    tax = ((subtotal - discount + shipping_fee) * region.tax).quantize(region.cent)
    return {
        "subtotal": subtotal,
        "discount": discount,
        "shipping_fee": shipping_fee,
        "tax": tax,
        "total": subtotal - discount + shipping_fee + tax,
    }


def _timestamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _country(locale: str) -> str:
    return locale[-2:]
