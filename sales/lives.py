"""The lives of sales orders, made up from a seed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

from faker import Faker

from sales import market
from sales.market import REGIONS, Region

Order = dict[str, Any]
Chosen = TypeVar("Chosen")

HISTORY_DAYS = 30
KEPT = timedelta(days=3653)  # Ten years, as tax law asks; then the table's TTL removes the order.
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # No letter that reads like a digit.

JOURNEYS = {  # What happens to an order once it is placed, to how many of a hundred.
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
    """Which lives to make: of how many orders, from which seed, how many purged, up to when."""

    orders: int
    seed: int
    removals: Fraction
    until: date


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one order: `before` is None at its start, `after` when it is removed."""

    order_id: str
    at: datetime
    before: Order | None
    after: Order | None

    @property
    def operation(self) -> str:
        """The name that DynamoDB's stream gives to such a change."""
        if self.before is None:
            return "INSERT"
        return "REMOVE" if self.after is None else "MODIFY"


def changes(plan: Plan) -> list[Change]:
    """Return every change of the plan's orders, in the order in which they happened."""
    made = [change for life in lives(plan) for change in life]
    return sorted(made, key=lambda change: change.at)  # Stable: an order's own order stays.


def lives(plan: Plan) -> Iterator[list[Change]]:
    """Return the life of each order; what would happen after the plan's day has not happened."""
    shop = Shop(plan)
    for number in range(plan.orders):
        # Spread evenly, so that the fraction holds exactly however few the orders are.
        purged = int((number + 1) * plan.removals) > int(number * plan.removals)
        yield shop.life(purged)


class Shop:
    """Where orders come from: each is drawn from what the seed gives next."""

    def __init__(self, plan: Plan) -> None:
        self._random = Random(plan.seed)
        until = plan.until
        self._end = datetime(until.year, until.month, until.day, tzinfo=timezone.utc)
        days = [self._end - timedelta(days=ago) for ago in range(HISTORY_DAYS, 0, -1)]
        self._days = {day: market.WEEKDAYS[day.weekday()] for day in days}
        locales = [locale for region in REGIONS.values() for locale in region.locales]
        self._people = {_country(locale): Faker(locale) for locale in locales}
        for people in self._people.values():
            people.seed_instance(plan.seed)
        self._customers: dict[str, list[Order]] = {name: [] for name in REGIONS}

    def life(self, purged: bool) -> list[Change]:
        """Return the changes of the next order; one that is purged ends in its removal."""
        at, order = self._placed(test_order=purged)
        life = [Change(order["order_id"], at, None, order)]
        for step in self._one_of(JOURNEYS).split():
            at = self._later(at, STEPS[step].hours)
            if at >= self._end:
                break
            before, order = order, _after(order, step, at, STEPS[step].drawn(self, order))
            life.append(Change(order["order_id"], at, before, order))
        if purged:
            at = min(self._later(at, HOURS_UNTIL_PURGED), self._end)
            life.append(Change(order["order_id"], at, order, None))
        return life

    def unchanged(self, order: Order) -> Order:
        """Return no attributes: the step only changes the status."""
        return {}

    def attempt(self, order: Order) -> Order:
        """Return the payment with one attempt more."""
        payment = order["payment"]
        return {"payment": {**payment, "attempts": payment["attempts"] + 1}}

    def coupon(self, order: Order) -> Order:
        """Return a coupon, and the amounts that it leaves."""
        coupon = self._random.choice(list(market.COUPONS))
        return {"coupon": coupon, **_amounts(order["region"], order["items"], coupon)}

    def lines(self, order: Order) -> Order:
        """Return the order's lines with one more of the last product, and their amounts."""
        *lines, last = order["items"]
        lines.append({**last, "quantity": last["quantity"] + 1})
        return {"items": lines, **_amounts(order["region"], lines, order.get("coupon"))}

    def gift_note(self, order: Order) -> Order:
        """Return a note to the one who gets the order."""
        return {"gift_note": self._one_of(market.GIFT_NOTES)}

    def new_street(self, order: Order) -> Order:
        """Return the customer at another street of the same city."""
        customer = order["customer"]
        address = customer["address"]
        street = self._people[address["country"]].street_address()
        return {"customer": {**customer, "address": {**address, "street": street}}}

    def carrier(self, order: Order) -> Order:
        """Return who carries the order."""
        return {"carrier": self._one_of(market.CARRIERS)}

    def tracking_number(self, order: Order) -> Order:
        """Return the number under which the carrier knows the order."""
        return {"tracking_number": f"{self._random.randrange(10**15, 10**16)}"}

    def _placed(self, test_order: bool) -> tuple[datetime, Order]:
        region = self._one_of(market.SHARES)
        at = self._moment(region)
        lines = self._lines(region)
        return at, {
            "order_id": "SO-" + "".join(self._random.choices(BASE32, k=10)),
            "status": "placed",
            "placed_at": _stamp(at),
            "updated_at": _stamp(at),
            "expires_at": int((at + KEPT).timestamp()),
            "test_order": test_order,
            "region": region.name,
            "currency": region.currency,
            "channel": self._one_of(market.CHANNELS),
            "customer": self._customer(region),
            "payment": {"method": self._one_of(market.METHODS), "attempts": 0},
            "items": lines,
            **_amounts(region.name, lines),
        }

    def _customer(self, region: Region) -> Order:
        """Return someone who has ordered before, or someone new."""
        known = self._customers[region.name]
        if known and self._random.random() < market.REPEAT_CUSTOMERS:
            return self._random.choice(known)
        known.append(self._new_customer(region))
        return known[-1]

    def _new_customer(self, region: Region) -> Order:
        country = _country(self._random.choice(region.locales))
        people = self._people[country]
        address = {
            "street": people.street_address(),
            "city": people.city(),
            "postal_code": people.postcode(),
            "country": country,
        }
        return {
            "id": f"C-{self._random.randrange(10**8):08}",
            "name": people.name(),
            "email": people.ascii_safe_email(),
            "address": address,
        }

    def _lines(self, region: Region) -> list[Order]:
        wanted = [self._one_of(market.PRODUCTS) for _ in range(self._one_of(market.LINES))]
        return [
            {
                "sku": product.sku,
                "name": product.name,
                "category": product.category,
                "quantity": self._one_of(market.QUANTITIES),
                "unit_price": region.price(product.dollars),
            }
            for product in dict.fromkeys(wanted)
        ]

    def _moment(self, region: Region) -> datetime:
        """Return when an order is placed: more at weekends, most in the region's evening."""
        hour = self._random.choices(range(24), market.HOURS)[0] - region.hours_ahead
        seconds = self._random.randrange(3600)
        return self._one_of(self._days) + timedelta(hours=hour % 24, seconds=seconds)

    def _later(self, at: datetime, hours: float) -> datetime:
        """Return a later moment, as far away as the median says, give or take."""
        return at + timedelta(seconds=1 + int(3600 * hours * self._random.lognormvariate(0, 0.6)))

    def _one_of(self, weights: Mapping[Chosen, float]) -> Chosen:
        return self._random.choices(list(weights), list(weights.values()))[0]


@dataclass(frozen=True, slots=True)
class Step:
    """What may happen to an order: after how many hours, the median, and what it changes."""

    hours: float
    drawn: Callable[[Shop, Order], Order]
    is_status: bool = True


HOURS_UNTIL_PURGED = 8
STEPS = {
    "payment_failed": Step(0.1, Shop.attempt),
    "paid": Step(0.3, Shop.attempt),
    "shipped": Step(20, Shop.carrier),
    "delivered": Step(55, Shop.unchanged),
    "cancelled": Step(5, Shop.unchanged),
    "returned": Step(150, Shop.unchanged),
    "coupon_added": Step(0.1, Shop.coupon, is_status=False),
    "line_corrected": Step(0.2, Shop.lines, is_status=False),
    "gift_noted": Step(0.1, Shop.gift_note, is_status=False),
    "address_corrected": Step(3, Shop.new_street, is_status=False),
    "tracked": Step(2, Shop.tracking_number, is_status=False),
}


def _after(order: Order, step: str, at: datetime, drawn: Order) -> Order:
    """Return the order once a step has changed it; never the same, for time has passed."""
    status = {"status": step, f"{step}_at": _stamp(at)} if STEPS[step].is_status else {}
    return {**order, **drawn, **status, "updated_at": _stamp(at)}


def _amounts(region_name: str, lines: list[Order], coupon: str | None = None) -> Order:
    """Return what an order of these lines costs, to the cent."""
    region = REGIONS[region_name]
    subtotal = sum((line["quantity"] * line["unit_price"] for line in lines), Decimal(0))
    discount = (subtotal * market.COUPONS.get(coupon, Decimal(0))).quantize(region.cent)
    free = subtotal >= market.FREE_SHIPPING_DOLLARS * region.per_dollar
    shipping_fee = Decimal(0) if free else region.shipping
    tax = ((subtotal - discount + shipping_fee) * region.tax).quantize(region.cent)
    return {
        "subtotal": subtotal,
        "discount": discount,
        "shipping_fee": shipping_fee,
        "tax": tax,
        "total": subtotal - discount + shipping_fee + tax,
    }


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _country(locale: str) -> str:
    return locale[-2:]
