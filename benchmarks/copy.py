"""Cost of each named query over the lake's JSON, and over the copy of operations.compact.

    python -m benchmarks.copy [ORDERS [DAYS]]        default: 20000 31

The lake has one object for each hour with changes; on AWS it is one for each minute. Bytes are
those that Trino would read, seconds those of the laptop's Athena. The copy is made as of the last
day, by one run for all days, and one of each night for the last three.
"""

import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import boto3

from analytics.athena import Row, run_query
from analytics.named_queries import load_named_queries
from benchmarks.analytics import last_query_seconds
from local.core.server import Cloud
from operations.compact.compaction import Compaction
from sales.order_lifecycle import Plan, generate_changes
from setup import names
from tests.support.lake_fixture import lake_line, lake_with_views

DEFAULT_ORDERS = 20_000
DEFAULT_DAYS = 31
NIGHTS = 4
SEED = 1
LAST_DAY = date(2026, 11, 1)

Cost = tuple[list[Row], int, float]


def write_lake(order_count: int, days: int) -> str:
    """Write a lake of orders over days, and return the id of an order."""
    plan = Plan(order_count, SEED, Fraction(0), LAST_DAY)
    changes = sorted(generate_changes(plan), key=lambda change: change.changed_at)
    start = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC) - timedelta(days - 1)
    step = timedelta(days=days) / len(changes)
    lines = defaultdict(list)
    for number, change in enumerate(changes):
        changed_at = start + number * step
        _, line = lake_line(change, number)
        row = json.loads(line) | {"cdc_changed_at": f"{changed_at:%Y-%m-%d %H:%M:%S}.000"}
        lines[f"dt={changed_at:%Y-%m-%d}/{changed_at:%H}.gz"].append(json.dumps(row))
    s3 = boto3.client("s3")
    for key, rows in lines.items():
        body = gzip.compress("\n".join(rows).encode())
        s3.put_object(Bucket=names.bucket(), Key=f"{names.LAKE}{key}", Body=body)
    print(f"{len(changes)} changes of {order_count} orders over {days} days")
    return changes[-1].order_id


def stored(prefix: str) -> str:
    """Return how much is stored below a prefix."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    entries = [
        entry
        for page in pages.paginate(Bucket=names.bucket(), Prefix=prefix)
        for entry in page.get("Contents", ())
    ]
    return f"{len(entries)} objects, {sum(entry['Size'] for entry in entries) / 1e6:.1f} MB"


def measure(cloud: Cloud, order_id: str) -> dict[str, Cost]:
    """Return rows, bytes and seconds of each named query."""
    costs = {}
    for name, query in load_named_queries().items():
        arguments = {"order_id": order_id} if "order_id" in query.parameters else {}
        result = run_query(query.sql, query.parameter_values(arguments))
        rows = list(result.rows)
        costs[name] = (rows, result.bytes_scanned, last_query_seconds(cloud))
    return costs


def print_costs(before: Mapping[str, Cost], after: Mapping[str, Cost]) -> None:
    """Print a line for each query."""
    print(f"{'query':32} {'JSON MB':>9} {'copy MB':>9} {'JSON s':>8} {'copy s':>8}")
    for name, (rows, scanned, seconds) in before.items():
        copied_rows, copied_bytes, copied_seconds = after[name]
        note = "" if rows == copied_rows else "  DIFFERS"
        print(
            f"{name:32} {scanned / 1e6:9.1f} {copied_bytes / 1e6:9.1f} {seconds:8.1f} "
            f"{copied_seconds:8.1f}{note}"
        )
    equal = sum(before[name][0] == after[name][0] for name in before)
    print(f"{equal} of {len(before)} answers are equal")


def main(order_count: int = DEFAULT_ORDERS, days: int = DEFAULT_DAYS) -> None:
    """Measure the queries without and with a copy."""
    with lake_with_views() as cloud:
        order_id = write_lake(order_count, days)
        print("lake:", stored(names.LAKE))
        before = measure(cloud, order_id)
        for night in reversed(range(NIGHTS)):
            started_at = time.monotonic()
            outcome = Compaction(LAST_DAY - timedelta(days=night), lambda _: None).run()
            print(
                f"copied {len(outcome.copied_days)} days in {time.monotonic() - started_at:.0f} s; "
                f"Athena read {outcome.bytes_scanned / 1e6:.1f} MB"
            )
        print("copy:", stored(names.TABLES), "; JSON from", outcome.recent_from)
        print_costs(before, measure(cloud, order_id))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
