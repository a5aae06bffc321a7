"""Odd orders: times, amounts, texts and lists that any writer of a table may leave."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sales.order_lifecycle import OrderChange

TIMES = (
    "2026",
    "5.",
    "-1",
    "2026-03",
    "2026-W10",
    "2026-062",
    "2026-03-01",
    "2026-03-01T10",
    "2026-03-01T10:15",
    "2026-03-01T10:15Z",
    "2026-03-01T10:15:30",
    "2026-03-01T10:15:30Z",
    "2026-03-01t10:15:30z",
    "2026-03-01T10:15:30.5Z",
    "2026-03-01T10:15:30.123456789Z",
    "2026-03-01T10:15:30,5Z",
    "2026-03-01T10:15:30+01:00",
    "2026-03-01T10:15:30-0330",
    "2026-03-01T10:15:30+01",
    "2026-03-01 10:15:30",
    "2026-3-1T1:2:3Z",
    "2026-02-30",
    "2026-02-30T10:15:30Z",
    "2024-02-29T23:59:59Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T23:59:60Z",
    "12026-03-01T10:15:30Z",
    "+2026-03-01T10:15:30Z",
    "-2026-03-01T10:15:30Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01",
    "9999-12-31T23:59:59Z",
    "T10:15",
    "２０２６-03-01T10:15:30Z",
    " 2026-03-01",
    "2026-03-01\n",
    "20260301T101530Z",
    "2026-03-01T10:15:30[UTC]",
    "2026-03-01T10:15:30 UTC",
    "soon",
    "",
    None,
    True,
    Decimal(1772359530),
    {"at": "2026-03-01"},
)
AMOUNTS = (
    Decimal(0),
    Decimal("-0.005"),
    Decimal("1E+3"),
    Decimal("1.5E-2"),
    Decimal("1E-100"),
    Decimal("1E+100"),
    Decimal("12345678901234567890123456789012345678"),
    Decimal("99999999999999.99995"),
    "19.99",
    "+19.99",
    "-5",
    ".5",
    "5.",
    ".",
    "-",
    "1e3",
    "1E-2",
    "1e",
    " 19.99",
    "19.99 ",
    "19,99",
    "1_000",
    "0x10",
    "２０２６",
    "١٢",
    "𝟗𝟗",
    "NaN",
    "Infinity",
    "free",
    "",
    None,
    False,
    [Decimal(1)],
    {"amount": Decimal(2)},
)
TEXTS = (
    "",
    " ",
    "EU",
    "eu",
    "İstanbul",
    "日本",
    "a\nb",
    'say "hi"',
    "O'Hara",
    "back\\slash",
    "null",
    None,
    Decimal(7),
    True,
    {"name": "x"},
    ["EU"],
    "\u202eabc",
    "🎉",
)
LISTS: tuple[Any, ...] = (
    None,
    [],
    "no list",
    {"sku": "map"},
    [Decimal(1), "two", None],
    [{}],
    [{"sku": "A", "quantity": "２", "unit_price": "1.5"}],
    [{"sku": "B", "quantity": Decimal("0.125"), "unit_price": Decimal("19.99995")}],
    [{"sku": None, "name": Decimal(3), "category": ["x"], "quantity": Decimal(1)}],
    [{"sku": "C", "category": "c\u0301", "quantity": "1e1", "unit_price": "+2."}],
    [[{"sku": "nested"}]],
)
BOOLEANS = (True, False, None, "true", "TRUE", "t", "1", "yes", Decimal(1), "")
SECONDS = (Decimal(0), Decimal(1772359530), Decimal("-1"), Decimal("1E+11"), Decimal("1.5"), "12")
VALUES: dict[str, Sequence[Any]] = {
    **dict.fromkeys(
        (
            "placed_at",
            "paid_at",
            "payment_failed_at",
            "shipped_at",
            "delivered_at",
            "cancelled_at",
            "returned_at",
            "updated_at",
        ),
        TIMES,
    ),
    **dict.fromkeys(("subtotal", "discount", "shipping_fee", "tax", "total"), AMOUNTS),
    **dict.fromkeys(("region", "channel", "currency", "status", "coupon", "carrier"), TEXTS),
    "items": LISTS,
    "test_order": BOOLEANS,
    "expires_at": (*SECONDS, *AMOUNTS),
    "payment": ({"attempts": Decimal(2)}, {"attempts": "２"}, {"attempts": "x"}, None, "card", {}),
    "customer": ({"id": Decimal(1)}, {"id": "", "address": {"country": None}}, None, "Ann", {}),
}
"""An attribute → the odd values that it is given."""


def odd_changes(changes: Sequence[OrderChange], count: int, seed: int) -> list[OrderChange]:
    """Return changes that insert odd orders, each made of the last image of a good one."""
    rng = random.Random(seed)
    images = [(change, change.after) for change in changes if change.after]
    result = []
    for number in range(count):
        change, image = rng.choice(images)
        names = rng.sample(sorted(VALUES), rng.randint(1, 6))
        odd_values = {name: rng.choice(VALUES[name]) for name in names}
        order_id = f"ODD-{number}"
        order = {**image, **odd_values, "order_id": order_id}
        result.append(OrderChange(order_id, change.changed_at, None, order))
    return result
