"""What each question and the dashboard cost: bytes scanned, time, and the size of the page.

    python -m benchmarks.analytics [ORDERS ...]        default: 400 20000

The chain runs whole for each size, in a process of its own. A question's time is the best of three,
as the laptop's Athena gives it; its ratio is to the floor: counting the lake's lines, which reads
all of them and casts nothing. A page's time is from the beginning of its loading until all charts
are drawn, the best of five in a Chromium without a window. At the end the same lines are spread
over 31 days, and counted with and without a condition on the day.
"""

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import boto3

from analytics.athena import run_query
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from local.demo import change_count, run_script, write_orders
from local.environment import use_cloud
from local.services.registry import SERVICES
from setup.names import CHANGES, LAKE, WORKGROUP, bucket
from tests.support.chromium import chromium, tab
from tests.support.lake_fixture import stored

SIZES = ("400", "20000")
ONE = "--one"
SEED = 1
RUNS, SHOWS = 3, 5
FLOOR = f"SELECT count(*) FROM {CHANGES}"
ANY = "SELECT min(order_id) FROM orders"
COUNT = "SELECT count(*) FROM order_changes WHERE "
CONDITIONS = {
    "none": "true",
    "seven days": "dt BETWEEN '2026-10-05' AND '2026-10-11'",
    "one day": "dt = '2026-10-05'",
}
SHOWN = "performance.getEntriesByName('shown')[0].startTime"


class Cost(NamedTuple):
    """What a query came to."""

    rows: int
    scanned: int
    seconds: float


def cost(cloud: Cloud, sql: str, values: list[str]) -> Cost:
    """Return what a query takes at best."""
    found = []
    for _ in range(RUNS):
        answer = run_query(sql, values)
        rows = sum(1 for _ in answer.rows)
        found.append(Cost(rows, answer.bytes_scanned, last_seconds(cloud)))
    return min(found, key=lambda one: one.seconds)


def last_seconds(cloud: Cloud) -> float:
    """Return how long the last query ran."""
    athena = cloud.client("athena")
    newest, *_ = athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
    execution = athena.get_query_execution(QueryExecutionId=newest)["QueryExecution"]
    return execution["Statistics"]["EngineExecutionTimeInMillis"] / 1000


def first_chart(page: Path) -> float:
    """Return the seconds until a page shows all of its charts, at best."""
    found = []
    with tab() as browser:
        browser.resize(1280, 900)
        for _ in range(SHOWS):
            browser.show(page)
            found.append(browser.value(SHOWN) / 1000)
    return min(found)


def spread() -> None:
    """Spread the lines of the lake evenly over October."""
    s3, lines = boto3.client("s3"), []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=LAKE):
        for found in page["Contents"]:
            body = s3.get_object(Bucket=bucket(), Key=found["Key"])["Body"].read()
            lines += gzip.decompress(body).decode().split("\n")[:-1]
    stored([(f"2026-10-{1 + at % 31:02}", f"{line}\n") for at, line in enumerate(lines)])


def measure(orders: int) -> None:
    """Print what all questions and the page cost over the changes of so many orders."""
    cloud = Cloud(SERVICES)
    use_cloud(cloud.endpoint)
    try:
        run_script(cloud, "setup")
        write_orders(cloud, orders, SEED)
        cloud.run_until_idle()
        run_script(cloud, "setup/10_glue.py", "--crawl")
        hops = tuple(hop for service in cloud.services for hop in service.counts())
        floor = cost(cloud, FLOOR, [])
        print(
            f"{orders} orders, {change_count(hops)} changes, "
            f"{floor.bytes_scanned:,} bytes in the lake"
        )
        print(f"{'question':28} {'rows':>7} {'bytes scanned':>14} {'seconds':>8} {'ratio':>6}")
        print(told("(count the lines)", floor, floor), flush=True)
        [(any_order,)] = run_query(ANY).rows
        given = {"order_history": {"order_id": any_order}}
        for name, question in load_named_queries().items():
            found = cost(cloud, question.sql, question.parameter_values(given.get(name, {})))
            print(told(name, found, floor), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "page.html")
            run_script(cloud, "-m", "analytics.dashboard", "--out", str(page))
            shown = f", {first_chart(page):.2f} s until its charts" if chromium() else ""
            print(f"page: {page.stat().st_size:,} bytes{shown}", flush=True)
        spread()
        for name, condition in CONDITIONS.items():
            answer = run_query(COUNT + condition)
            [(count,)] = answer.rows
            print(f"{name:12} {int(count):7,} changes {answer.bytes_scanned:12,} bytes", flush=True)
    finally:
        cloud.close()


def told(name: str, found: Cost, floor: Cost) -> str:
    """Return a query's line."""
    ratio = found.seconds / floor.seconds
    return f"{name:28} {found.rows:7,} {found.bytes_scanned:14,} {found.seconds:8.2f} {ratio:6.1f}"


def main(arguments: list[str]) -> None:
    """Measure each size in a process of its own, so that no one pays for another's memory."""
    if arguments[:1] == [ONE]:
        measure(int(arguments[1]))
        return
    for size in arguments or SIZES:
        subprocess.run([sys.executable, "-m", "benchmarks.analytics", ONE, size], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
