"""Hostile orders: markup, quotes, reversed text and huge amounts in every field the page shows."""

from decimal import Decimal

from sales.order_lifecycle import Order, OrderChange

SCRIPT = "<script>window.hit = 1</script>"
IMAGE = '"><img src=x onerror="window.hit = 2">'
END_TAGS = "</script><!-- </style> \u2028 {{facts}} {a|b}"
REVERSED = "\u202eabc\u202c שלום مرحبا"
QUOTED = '🎉 O\'Hara "quoted" \\u0041 \x7f'
HUGE_TOTAL = Decimal("12345678901234567890123456789012345678")
HOSTILE_NAMES = (SCRIPT, IMAGE, END_TAGS, REVERSED, QUOTED)


def hostile_orders(template: Order) -> list[Order]:
    """Return paid orders with hostile texts, the last one with a huge total too."""
    orders = [
        {
            **_paid_order(template, number),
            "items": [_line(name, number)],
            "region": HOSTILE_NAMES[number - 1],
            "currency": HOSTILE_NAMES[number - 2] if number % 2 else "USD",
        }
        for number, name in enumerate(HOSTILE_NAMES)
    ]
    huge = {"order_id": IMAGE, "total": HUGE_TOTAL, "region": SCRIPT, "items": [_line(QUOTED, 9)]}
    return [*orders, {**_paid_order(template, 9), **huge}]


def inserts(orders: list[Order], template: OrderChange) -> list[OrderChange]:
    """Return the changes that insert the orders into the table."""
    return [OrderChange(order["order_id"], template.changed_at, None, order) for order in orders]


def _paid_order(template: Order, number: int) -> Order:
    without_times = {name: value for name, value in template.items() if not name.endswith("_at")}
    hour = f"2026-11-{10 + number}T1{number}"
    return {
        **without_times,
        "order_id": f"SO-HOSTILE-{number}",
        "placed_at": f"{hour}:00:00Z",
        "paid_at": f"{hour}:20:59Z",
        "updated_at": f"{hour}:20:59Z",
        "test_order": False,
        "total": Decimal("0.10") + number,
    }


def _line(name: str, number: int) -> Order:
    return {
        "sku": f"{number} {name}",
        "name": name,
        "category": name[::-1] if name == QUOTED else name,
        "quantity": Decimal("0.125"),
        "unit_price": Decimal("19.9999"),
    }
