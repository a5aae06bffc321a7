"""Weight of the dashboard's page and the time to its first chart, with a long history.

    python -m benchmarks.page [CHANGES [DAYS]]        default: 1000000 365

The history is made up: orders with five changes each, spread evenly over the days. The times are
those of headless Chromium on this machine, from opening the file to the first and the last chart;
the ratio is to the page of a history of a hundredth of the changes.
"""

import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from analytics.dashboard.page import compress, render_page
from sales.market import CATALOGUE, REGIONS
from sales.order_lifecycle import Order
from tests.support.chromium import Tab, open_tab
from tests.support.dashboard_model import ChangeRow, LastImage, encode_facts, model_facts

DEFAULT_CHANGES = 1_000_000
DEFAULT_DAYS = 365
CHANGES_PER_ORDER = 5
ORDERS_PER_CUSTOMER = 4
LAST_DAY = date(2026, 11, 22)
SEED = 1
PAGE_LOADS = 5
# Minutes from each status to the next, at least and at most; the last is rare.
STEP_MINUTES = {"paid": (1, 90), "shipped": (120, 4000), "delivered": (1440, 12000)}
PRODUCTS = [
    (category, name, dollars)
    for category, products in CATALOGUE.items()
    for name, dollars in products.items()
]
MARKS = ("first chart", "rendered")
MARK_TIMES = "performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime])"


def make_orders(count: int, days: int) -> Iterator[Order]:
    """Yield made-up orders, placed evenly over the days."""
    rng = random.Random(SEED)
    start = datetime.combine(LAST_DAY, datetime.min.time()) - timedelta(days - 1)
    weights = [region.share for region in REGIONS.values()]
    for number in range(count):
        placed_at = start + number * timedelta(days=days) / count
        (region,) = rng.choices(list(REGIONS.values()), weights)
        lines: list[Order] = [
            {
                "sku": name[:4].upper(),
                "name": name,
                "category": category,
                "quantity": Decimal(rng.randint(1, 3)),
                "unit_price": region.price(dollars),
            }
            for category, name, dollars in rng.sample(PRODUCTS, rng.randint(1, 3))
        ]
        order: Order = {
            "order_id": f"SO-{number}",
            "placed_at": f"{placed_at:%Y-%m-%dT%H:%M:%SZ}",
            "region": region.name,
            "currency": region.currency,
            "customer": {"id": f"C-{rng.randrange(max(1, count // ORDERS_PER_CUSTOMER))}"},
            "items": lines,
            "total": sum((line["quantity"] * line["unit_price"] for line in lines), Decimal(0)),
        }
        reached_at = placed_at
        for status, (minimum, maximum) in STEP_MINUTES.items():
            reached_at += timedelta(minutes=rng.randint(minimum, maximum))
            order[f"{status}_at"] = f"{reached_at:%Y-%m-%dT%H:%M:%SZ}"
            order["status"] = status
        if rng.random() < 0.1:
            order["cancelled_at"] = order["delivered_at"]
        yield order


def make_changes(orders: list[Order]) -> Iterator[ChangeRow]:
    """Yield the changes of the orders: one for each status, and one an hour later."""
    for order in orders:
        placed_at = datetime.fromisoformat(order["placed_at"][:-1])
        yield ChangeRow(placed_at, "INSERT")
        for status in STEP_MINUTES:
            yield ChangeRow(datetime.fromisoformat(order[f"{status}_at"][:-1]), "MODIFY")
        yield ChangeRow(placed_at + timedelta(hours=1), "MODIFY")


def write_page(path: Path, change_count: int, days: int) -> None:
    """Write the page of a history, and print what its facts weigh."""
    orders = list(make_orders(change_count // CHANGES_PER_ORDER, days))
    rows = model_facts(map(LastImage, orders), make_changes(orders))
    facts = {name: fact for name, fact in encode_facts(rows).items() if name != "listed_orders"}
    for name, fact in facts.items():
        print(f"{name:18} {len(rows[name]):7,} rows {len(compress(fact)):9,} bytes")
    document = {
        "pipeline": "sales-cdc",
        "made_at": f"{LAST_DAY} 23:59:59",
        "zone": "UTC",
        "week_start": 1,
        "fiscal_year_start": 1,
        "watch": None,
        "with_details": False,
        "targets": {},
        "verify": None,
        "cost": None,
        "facts": facts,
    }
    path.write_text(render_page(document), "utf-8")


def measure_loads(tab: Tab, path: Path) -> dict[str, float]:
    """Return the median seconds from opening a page to each mark."""
    loads = []
    for _ in range(PAGE_LOADS):
        tab.load(path)
        loads.append(dict(tab.evaluate(MARK_TIMES)))
    return {name: statistics.median(load[name] for load in loads) / 1000 for name in MARKS}


def main() -> None:
    """Print the weight and the times of both pages."""
    arguments = [int(text) for text in sys.argv[1:]]
    change_count, days = [*arguments, *(DEFAULT_CHANGES, DEFAULT_DAYS)[len(arguments) :]]
    with tempfile.TemporaryDirectory() as folder, open_tab() as tab:
        tab.resize(1280, 900)
        small_page, page = Path(folder, "small.html"), Path(folder, "page.html")
        write_page(small_page, change_count // 100, days)
        write_page(page, change_count, days)
        print(f"{change_count:,} changes over {days} days: {page.stat().st_size:,} bytes")
        small_times, times = measure_loads(tab, small_page), measure_loads(tab, page)
        for name in MARKS:
            ratio = times[name] / small_times[name]
            print(f"{name}: {times[name]:.2f} s, {ratio:.1f} times that of a hundredth")


if __name__ == "__main__":
    main()
