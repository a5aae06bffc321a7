"""Time, memory and bytes scanned of verify by number of items.

    python -m benchmarks.verify [ITEMS ...]

Table and lake are on the laptop cloud, in another process: the time is mostly that cloud's, the
memory is verify's own. For each size: a run that compares images alone, since the catalog declares
no attribute columns; a whole run, to which the ratios refer; one part of 24; and a whole run in
which one item of a hundred differs, so that two looks follow the first pass.
"""

import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from random import Random

from benchmarks.transform import ARN, order
from local.services.athena import Athena
from local.services.dynamodb.service import DynamoDb
from setup import names
from setup.columns import COLUMNS
from tests.support.laptop_cloud import laptop
from tests.support.verify_fixture import BATCH_SIZE, Item, VerifyEnvironment, declare_columns
from transform import transform_batch
from transform.snapshot import backfill_record

SIZES = (10_000, 200_000)
ROWS_PER_OBJECT = 1000
READ_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

# Linux's VmHWM is the process's peak memory in KiB.
RUN_CODE = """
import sys
from operations import lake
from operations.verify.command import main
scanned = 0
run_query = lake.run_query
def counting_query(sql):
    global scanned
    result = run_query(sql)
    scanned += result.bytes_scanned
    return result
lake.run_query = counting_query
status = main(["--wait", "0", "--limit", "5", *sys.argv[1:]])
peak, = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(status, peak, scanned)
"""


def generate_orders(count: int) -> Iterator[Item]:
    """Return that many orders, the same ones in each call."""
    rng = Random(1)
    return (order(number, rng) for number in range(count))


def fill(env: VerifyEnvironment, count: int) -> None:
    """Write orders into the table, and a row of each into the lake."""
    orders = generate_orders(count)
    while batch := list(islice(orders, BATCH_SIZE)):
        puts = [{"PutRequest": {"Item": item}} for item in batch]
        env.dynamodb.batch_write_item(RequestItems={names.TABLE: puts})
    orders = generate_orders(count)
    while batch := list(islice(orders, ROWS_PER_OBJECT)):
        path = f"{names.LAKE}dt=2026-11-23/{batch[0]['order_id']['S']}.json"
        env.s3.put_object(Bucket=names.bucket(), Key=path, Body=b"".join(lake_rows(batch)))


def lake_rows(items: Sequence[Item]) -> Iterator[bytes]:
    """Yield the lake's rows of items."""
    records = [
        backfill_record({"order_id": item["order_id"]}, item, ARN, READ_AT) for item in items
    ]
    entries = [
        {"recordId": str(number), "data": b64encode(record).decode()}
        for number, record in enumerate(records)
    ]
    for result in transform_batch({"records": entries}).records:
        assert result["result"] == "Ok"
        yield b64decode(result["data"])


@dataclass(frozen=True)
class Run:
    """Exit status, seconds, peak memory in MiB and MiB scanned by Athena of a run."""

    status: int
    seconds: float
    peak: float
    scanned: float


def run_verify(*options: str) -> Run:
    """Run verify in a process of its own."""
    started_at = time.monotonic()
    command = [sys.executable, "-c", RUN_CODE, *options]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - started_at
    status, peak_kib, scanned = map(int, process.stdout.splitlines()[-1].split())
    return Run(status, seconds, peak_kib / 1024, scanned / 2**20)


def measure(env: VerifyEnvironment, count: int) -> Iterator[tuple[str, Run]]:
    """Yield the runs of a size, with their names."""
    declare_columns({})
    yield "images alone", run_verify()
    declare_columns({name: "string" for name in COLUMNS if not name.startswith("cdc_")})
    yield "whole", run_verify()
    yield "part 3/24", run_verify("--part", "3/24")
    for item in islice(generate_orders(count), 0, None, 100):
        env.put_item({**item, "status": {"S": "altered"}})
    yield "1% differs", run_verify()


def main(sizes: Sequence[int]) -> None:
    """Print a row for each run, with its ratios to the whole run."""
    print("  items  run           status  seconds  peak MiB  scanned MiB  time and peak to whole")
    for count in sizes:
        with laptop(DynamoDb, Athena) as cloud:
            env = VerifyEnvironment(cloud)
            fill(env, count)
            runs = dict(measure(env, count))
        whole = runs["whole"]
        for name, run in runs.items():
            ratios = f"{run.seconds / whole.seconds:.2f} {run.peak / whole.peak:.2f}"
            print(
                f"{count:7}  {name:12}  {run.status:6}  {run.seconds:7.1f}  {run.peak:8.0f}  "
                f"{run.scanned:11.1f}  {ratios}",
                flush=True,
            )


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)
