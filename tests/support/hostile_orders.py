"""Orders as nobody wants them: markup, quotes, turned letters and huge amounts in every text."""

from decimal import Decimal

from sales.order_lifecycle import Order, OrderChange

SCRIPT = "<script>window.hit = 1</script>"
IMAGE = '"><img src=x onerror="window.hit = 2">'
ENDING = "</script><!-- </style> \u2028 {{facts}} {a|b}"
TURNED = "\u202eabc\u202c שלום مرحبا"
PARTY = '🎉 O\'Hara "quoted" \\u0041 \x7f'
HUGE = Decimal("12345678901234567890123456789012345678")
NAMES = (SCRIPT, IMAGE, ENDING, TURNED, PARTY)


def hostile(plain: Order) -> list[Order]:
    """Return orders, all of them paid, with such texts where the dashboard shows any."""
    orders = [
        {
            **_paid(plain, number),
            "items": [_line(name, number)],
            "region": NAMES[number - 1],
            "currency": NAMES[number - 2] if number % 2 else "USD",
        }
        for number, name in enumerate(NAMES)
    ]
    huge = {"order_id": IMAGE, "total": HUGE, "region": SCRIPT, "items": [_line(PARTY, 9)]}
    return [*orders, {**_paid(plain, 9), **huge}]


def placed(orders: list[Order], like: OrderChange) -> list[OrderChange]:
    """Return the changes that put the orders into the table."""
    return [OrderChange(order["order_id"], like.changed_at, None, order) for order in orders]


def _paid(plain: Order, number: int) -> Order:
    kept = {name: value for name, value in plain.items() if not name.endswith("_at")}
    day = f"2026-11-{10 + number}T1{number}"
    return {
        **kept,
        "order_id": f"SO-HOSTILE-{number}",
        "placed_at": f"{day}:00:00Z",
        "paid_at": f"{day}:20:59Z",
        "updated_at": f"{day}:20:59Z",
        "test_order": False,
        "total": Decimal("0.10") + number,
    }


def _line(name: str, number: int) -> Order:
    return {
        "sku": f"{number} {name}",
        "name": name,
        "category": name[::-1] if name == PARTY else name,
        "quantity": Decimal("0.125"),
        "unit_price": Decimal("19.9999"),
    }
