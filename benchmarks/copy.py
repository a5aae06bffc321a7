"""Cost of the named queries over the lake's JSON, and over the copy of operations.compact.

    python -m benchmarks.copy [--orders N] [--days N] [--question NAME ...]

By default 20,000 orders change for 31 days, and all queries are asked. Each further month has as
many changes of the same orders. Bytes are those that Trino would read, seconds those of the
laptop's Athena, and dollars those of the planner: for the bytes, and a GET for each object. The
lake has an object for each hour here, but is counted with one for each minute, as on AWS. The copy
is made as of the last day: by one run for all days, and one of each night for the last three.
"""

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import groupby

import boto3

from analytics.athena import Row, run_query
from analytics.cost import prices
from analytics.cost.monthly import MIN_QUESTION_BYTES, occupied
from analytics.named_queries import load_named_queries
from benchmarks.analytics import last_query_seconds
from local.core.server import Cloud
from operations.compact.compaction import Compaction
from operations.digest import digest
from operations.lake_copy.parts import CopyTable, first_recent_day
from sales.order_lifecycle import Plan, generate_changes
from setup import names
from tests.support.lake_fixture import lake_line, lake_with_views

DAYS_OF_MONTH = 31
MINUTES_OF_DAY = 24 * 60
NIGHTS = 4
SEED = 1
LAST_DAY = date(2026, 12, 31)  # A year after the first day that queries read.

Answer = tuple[list[Row], int, float]  # Rows, bytes and seconds.
Objects = tuple[float, float]  # Without and with the copy.


def main() -> None:
    """Measure the queries without and with a copy."""
    args = parse_args()
    with lake_with_views() as cloud:
        cloud.clock.advance(max(0, day_start(LAST_DAY).timestamp() - cloud.clock.now()))
        rows = generate_rows(args.orders, max(1, args.days // DAYS_OF_MONTH))
        order_id = write_lake(rows, args.days)
        count = len(rows)
        print(f"{count} changes of {args.orders} orders over {args.days} days", flush=True)
        print("lake:", stored(names.LAKE), flush=True)
        before = {name: ask(cloud, name, order_id) for name in args.question}
        for night in reversed(range(NIGHTS)):
            compact(LAST_DAY - timedelta(days=night))
        after = {name: ask(cloud, name, order_id) for name in args.question}
        objects = json_objects(count, args.days), copied_objects(count, args.days)
    print_costs(before, after, objects)


def generate_rows(order_count: int, months: int) -> list[dict[str, str]]:
    """Return the rows of the orders' changes, in order, repeated each month."""
    changes = generate_changes(Plan(order_count, SEED, Fraction(0), LAST_DAY))
    rows = [json.loads(lake_line(change, number)[1]) for number, change in enumerate(changes)]
    return rows * months


def write_lake(rows: list[dict[str, str]], days: int) -> str:
    """Write the rows, spread evenly over the days, and return the id of an order."""
    s3 = boto3.client("s3")
    for hour, lines in groupby(dated_lines(rows, days), key=lambda line: line[0]):
        body = gzip.compress("".join(line for _, line in lines).encode())
        s3.put_object(Bucket=names.bucket(), Key=f"{names.LAKE}dt={hour}.gz", Body=body)
    return rows[0]["order_id"]


def dated_lines(rows: list[dict[str, str]], days: int) -> Iterator[tuple[str, str]]:
    """Yield the hour and the line of each row, with a time, number and ID of its own."""
    start = day_start(LAST_DAY) - timedelta(days=days - 1)
    for number, row in enumerate(rows):
        changed_at = start + number * timedelta(days=days) / len(rows)
        own = {
            "cdc_changed_at": f"{changed_at:%Y-%m-%d %H:%M:%S}.000",
            "cdc_sequence": f"{number:040}",
            "cdc_event_id": digest(str(number))[:32],
        }
        yield f"{changed_at:%Y-%m-%d/%H}", json.dumps(row | own) + "\n"


def day_start(day: date) -> datetime:
    """Return the beginning of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ask(cloud: Cloud, name: str, order_id: str) -> Answer:
    """Return rows, bytes and seconds of a named query."""
    query = load_named_queries()[name]
    arguments = {"order_id": order_id} if "order_id" in query.parameters else {}
    result = run_query(query.sql, query.parameter_values(arguments))
    return list(result.rows), result.bytes_scanned, last_query_seconds(cloud)


def compact(today: date) -> None:
    """Run a compaction as of a day."""
    started_at = time.monotonic()
    outcome = Compaction(today, lambda _: None).run()
    print(
        f"compact: {len(outcome.copied_days)} days in {time.monotonic() - started_at:.0f} s; "
        f"Athena read {outcome.bytes_scanned / 1e6:.1f} MB; JSON from {outcome.recent_from}; "
        f"copy: {stored(names.TABLES)}",
        flush=True,
    )


def stored(prefix: str) -> str:
    """Return how much is stored below a prefix."""
    sizes = object_sizes(prefix)
    return f"{len(sizes)} objects, {sum(sizes) / 1e6:.1f} MB"


def object_sizes(prefix: str) -> list[int]:
    """Return the sizes of the objects below a prefix."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    responses = pages.paginate(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Size"] for page in responses for entry in page.get("Contents", ())]


def json_objects(changes: int, days: int) -> float:
    """Return how many objects Firehose writes for changes over days: one for each busy minute."""
    return occupied(changes, days * MINUTES_OF_DAY)


def copied_objects(changes: int, days: int) -> float:
    """Return how many objects a question reads: those of a table's parts, and of recent days."""
    files = max(count_objects(table) for table in (names.HISTORY, names.STATE))
    recent_days = (LAST_DAY - date.fromisoformat(first_recent_day())).days + 1
    return files + json_objects(changes, days) * recent_days / days


def count_objects(table_name: str) -> int:
    """Return how many objects the parts of a table have that queries read."""
    table = CopyTable(table_name)
    return sum(len(object_sizes(f"{table.prefix}{part.name}/")) for part in table.parts())


def dollars(scanned: int, objects: float) -> float:
    """Return what a question costs on AWS."""
    scanned = max(MIN_QUESTION_BYTES, scanned)
    return prices.ATHENA.cost(scanned) + prices.S3_GETS.cost(objects)


def print_costs(before: dict[str, Answer], after: dict[str, Answer], objects: Objects) -> None:
    """Print a line for each query, with its cost from the JSON and from the copy."""
    print(f"objects that a question reads: {objects[0]:,.0f}, with the copy {objects[1]:,.0f}")
    print(f"{'question':32}{'MB':>8}{'s':>8}{'$':>9}{'copy MB':>12}{'s':>8}{'$':>9}")
    for name, answer in before.items():
        cells = [*cost_cells(answer, objects[0]), *cost_cells(after[name], objects[1])]
        note = "" if answer[0] == after[name][0] else "  DIFFERS"
        print(f"{name:32}{''.join(cells)}{note}")
    equal = sum(before[name][0] == after[name][0] for name in before)
    print(f"{equal} of {len(before)} answers are equal")


def cost_cells(answer: Answer, objects: float) -> list[str]:
    """Return the cells of an answer's cost."""
    _, scanned, seconds = answer
    return [f"{scanned / 1e6:10.2f}", f"{seconds:8.1f}", f"{dollars(scanned, objects):9.4f}"]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    queries = list(load_named_queries())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copy", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000, help="number of orders")
    parser.add_argument("--days", type=int, default=DAYS_OF_MONTH, help="days with changes")
    parser.add_argument(
        "--question", nargs="+", choices=queries, default=queries, help="queries to ask"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
