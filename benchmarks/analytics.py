"""Cost of each named query and the dashboard: bytes scanned, time, and the size of the page.

    python -m benchmarks.analytics [ORDERS ...]        default: 400 20000

For each size the whole chain runs in a process of its own. A query's time is the best of three, as
the laptop's Athena reports it; the ratio is to counting the lake's lines, which reads all of them
and casts nothing. The page's time is from the start of loading until all charts are drawn, the best
of five in headless Chromium. At the end the same lines are spread over 31 days and counted with
and without a condition on the day.
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
from tests.support.chromium import find_chromium, open_tab
from tests.support.lake_fixture import replace_lake

DEFAULT_SIZES = ("400", "20000")
MEASURE_ONE = "--one"
SEED = 1
QUERY_RUNS = 3
PAGE_LOADS = 5
COUNT_LINES = f"SELECT count(*) FROM {CHANGES}"
ANY_ORDER = "SELECT min(order_id) FROM orders"
COUNT_CHANGES = "SELECT count(*) FROM order_changes WHERE "
CONDITIONS = {
    "none": "true",
    "seven days": "dt BETWEEN '2026-10-05' AND '2026-10-11'",
    "one day": "dt = '2026-10-05'",
}
RENDERED_AT = "performance.getEntriesByName('rendered')[0].startTime"


class Cost(NamedTuple):
    """The cost of a query."""

    rows: int
    bytes_scanned: int
    seconds: float


def measure_query(cloud: Cloud, sql: str, values: list[str]) -> Cost:
    """Return the cost of a query's fastest run."""
    costs = []
    for _ in range(QUERY_RUNS):
        result = run_query(sql, values)
        row_count = sum(1 for _ in result.rows)
        costs.append(Cost(row_count, result.bytes_scanned, last_query_seconds(cloud)))
    return min(costs, key=lambda cost: cost.seconds)


def last_query_seconds(cloud: Cloud) -> float:
    """Return the execution time of the last query."""
    athena = cloud.client("athena")
    newest, *_ = athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"]
    execution = athena.get_query_execution(QueryExecutionId=newest)["QueryExecution"]
    milliseconds: int = execution["Statistics"]["EngineExecutionTimeInMillis"]
    return milliseconds / 1000


def measure_page(page: Path) -> float:
    """Return the seconds until all charts of a page are drawn, in the fastest load."""
    seconds = []
    with open_tab() as tab:
        tab.resize(1280, 900)
        for _ in range(PAGE_LOADS):
            tab.load(page)
            seconds.append(float(tab.evaluate(RENDERED_AT)) / 1000)
    return min(seconds)


def spread_over_october() -> None:
    """Spread the lines of the lake evenly over the days of October."""
    s3 = boto3.client("s3")
    lines: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=LAKE):
        for entry in page["Contents"]:
            body = s3.get_object(Bucket=bucket(), Key=entry["Key"])["Body"].read()
            lines += gzip.decompress(body).decode().split("\n")[:-1]
    replace_lake(
        [(f"2026-10-{1 + number % 31:02}", f"{line}\n") for number, line in enumerate(lines)]
    )


def measure(orders: int) -> None:
    """Print the cost of all queries and of the page for this many orders."""
    cloud = Cloud(SERVICES)
    use_cloud(cloud.endpoint)
    try:
        run_script(cloud, "setup")
        write_orders(cloud, orders, SEED)
        cloud.run_until_idle()
        run_script(cloud, "setup/10_glue.py", "--crawl")
        print_query_costs(cloud, orders)
        print_page_cost(cloud)
        spread_over_october()
        print_pruning()
    finally:
        cloud.close()


def print_query_costs(cloud: Cloud, orders: int) -> None:
    """Print a line for each named query."""
    hops = tuple(hop for service in cloud.services for hop in service.counts())
    floor = measure_query(cloud, COUNT_LINES, [])
    print(
        f"{orders} orders, {change_count(hops)} changes, {floor.bytes_scanned:,} bytes in the lake"
    )
    print(f"{'query':28} {'rows':>7} {'bytes scanned':>14} {'seconds':>8} {'ratio':>6}")
    print(cost_line("(count the lines)", floor, floor), flush=True)
    [(any_order,)] = run_query(ANY_ORDER).rows
    assert any_order is not None
    for name, query in load_named_queries().items():
        given = {"order_id": any_order} if name == "order_history" else {}
        cost = measure_query(cloud, query.sql, query.parameter_values(given))
        print(cost_line(name, cost, floor), flush=True)


def print_page_cost(cloud: Cloud) -> None:
    """Print the size of the page and, with Chromium installed, its loading time."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        run_script(cloud, "-m", "analytics.dashboard", "--out", str(page))
        loading = (
            f", {measure_page(page):.2f} s until all charts are drawn" if find_chromium() else ""
        )
        print(f"page: {page.stat().st_size:,} bytes{loading}", flush=True)


def print_pruning() -> None:
    """Print the bytes that a query with and without a condition on the day scans."""
    for name, condition in CONDITIONS.items():
        result = run_query(COUNT_CHANGES + condition)
        [(count,)] = result.rows
        print(
            f"{name:12} {int(count or 0):7,} changes {result.bytes_scanned:12,} bytes", flush=True
        )


def cost_line(name: str, cost: Cost, floor: Cost) -> str:
    """Return the line of a query."""
    ratio = cost.seconds / floor.seconds
    return f"{name:28} {cost.rows:7,} {cost.bytes_scanned:14,} {cost.seconds:8.2f} {ratio:6.1f}"


def main(arguments: list[str]) -> None:
    """Measure each size in a process of its own, so that none inherits another's memory."""
    if arguments[:1] == [MEASURE_ONE]:
        measure(int(arguments[1]))
        return
    for size in arguments or DEFAULT_SIZES:
        command = [sys.executable, "-m", "benchmarks.analytics", MEASURE_ONE, size]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
