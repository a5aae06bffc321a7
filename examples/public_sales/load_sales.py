"""Write the orders of a public data set into the table: CDNOW, or Tableau's Superstore.

Both are files that you download yourself: CDNOW_master.txt, whose lines hold a customer, a day, a
number of CDs and dollars, and Superstore's CSV with one line for each product of an order.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from itertools import groupby
from operator import itemgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # Makes the project importable.

from data_generator import Writer, batches
from sales.order_lifecycle import Order, OrderChange
from setup.lib.cli import exit_status
from setup.lib.errors import UserError
from setup.names import TABLE

SUPERSTORE_COLUMNS = (
    "Order ID",
    "Order Date",
    "Ship Date",
    "Customer ID",
    "Customer Name",
    "Region",
    "Product ID",
    "Product Name",
    "Category",
    "Sales",
    "Quantity",
)


class InvalidLine(UserError):
    """A line that is not of the data set."""


def main() -> int:
    """Write the orders of the file, and return the exit status."""
    description, _ = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CDNOW_master.txt, or Superstore's CSV"
    )
    path = parser.parse_args().file
    return exit_status(lambda: load(path), name="load_sales.py")


def load(path: Path) -> int:
    """Write the orders of a file into the table, and print how many."""
    orders = read_orders(path)
    writer = Writer(TABLE)
    now = datetime.now(UTC)
    changes = [OrderChange(order["order_id"], now, None, order) for order in orders]
    for batch in batches(changes):
        writer.write(batch)
    print(writer.summary())
    return 0


def read_orders(path: Path) -> list[Order]:
    """Return the orders of a file of either data set."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_bytes().decode("cp1252")  # Superstore is often saved so.
    lines = text.splitlines()
    if not lines:
        raise InvalidLine(f"{path}: expected lines of CDNOW or Superstore, found an empty file")
    is_superstore = "Order ID" in lines[0]
    read = superstore_orders if is_superstore else cdnow_orders
    return list(read(lines))


def cdnow_orders(lines: Iterable[str]) -> Iterator[Order]:
    """Yield an order for each line: customer, day, number of CDs, dollars."""
    for number, line in enumerate(lines, start=1):
        try:
            customer, day, cds, dollars = line.split()
            paid_at = f"{datetime.strptime(day, '%Y%m%d'):%Y-%m-%d}T12:00:00Z"  # noqa: DTZ007 - the data set has no zone
            total = Decimal(dollars)
            pieces = int(cds)
        except (ValueError, DecimalException):
            raise InvalidLine(
                f"line {number}: expected customer, YYYYMMDD, CDs and dollars, found {line[:60]!r}"
            ) from None
        item = {"sku": "CD", "name": "CDs", "category": "Music", "quantity": 1, "unit_price": total}
        yield {
            **sold_order(f"CDNOW-{number:06}", paid_at, total, [item]),
            "customer": {"id": customer},
            "cds": pieces,
        }


def superstore_orders(lines: Iterable[str]) -> Iterator[Order]:
    """Yield an order for all lines of one order ID."""
    reader = csv.DictReader(lines)
    missing = sorted(set(SUPERSTORE_COLUMNS) - set(reader.fieldnames or ()))
    if missing:
        raise InvalidLine(f"line 1: expected the column {missing[0]!r}, which is missing")
    rows = sorted(reader, key=itemgetter("Order ID"))
    for order_id, group in groupby(rows, key=itemgetter("Order ID")):
        products = list(group)
        first = products[0]
        try:
            items = [line_of(product) for product in products]
            paid_at, shipped_at = (at_noon(first[name]) for name in ("Order Date", "Ship Date"))
        except (ValueError, DecimalException) as error:
            raise InvalidLine(f"order {order_id}: {error}") from None
        total = sum(
            (Decimal(product["Sales"].replace(",", "")) for product in products), Decimal(0)
        )
        yield {
            **sold_order(order_id, paid_at, total, items),
            "shipped_at": shipped_at,
            "customer": {"id": first["Customer ID"], "name": first["Customer Name"]},
            "region": first["Region"],
        }


def line_of(product: dict[str, str]) -> Order:
    """Return the line of an order for a product; its sales are exact if they divide evenly."""
    quantity = Decimal(product["Quantity"])
    return {
        "sku": product["Product ID"],
        "name": product["Product Name"],
        "category": product["Category"],
        "quantity": quantity,
        "unit_price": sales_of(product) / quantity,
    }


def sales_of(product: dict[str, str]) -> Decimal:
    """Return the dollars that all pieces of a product cost together."""
    return Decimal(product["Sales"].replace(",", ""))


def at_noon(day: str) -> str:
    """Return noon, UTC, of a day that is written as month/day/year."""
    return f"{datetime.strptime(day, '%m/%d/%Y'):%Y-%m-%d}T12:00:00Z"  # noqa: DTZ007 - the data set has no zone


def sold_order(order_id: str, paid_at: str, total: Decimal, items: list[Order]) -> Order:
    """Return an order in dollars that was paid when it was placed."""
    return {
        "order_id": order_id,
        "status": "paid",
        "placed_at": paid_at,
        "paid_at": paid_at,
        "updated_at": paid_at,
        "currency": "USD",
        "subtotal": total,
        "total": total,
        "items": items,
    }


if __name__ == "__main__":
    sys.exit(main())
