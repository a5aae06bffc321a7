"""Time and memory of verify by number of items.

    python -m benchmarks.verify [ITEMS ...]

Table and lake are on the laptop cloud, in another process: the time is mostly that cloud's, the
memory is verify's own. In the second run of each size one item of a hundred differs.
"""

import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from random import Random

from benchmarks.transform import ARN, order
from local.services.athena import Athena
from local.services.dynamodb.service import DynamoDb
from setup import names
from tests.support.laptop_cloud import laptop
from tests.support.verify_fixture import BATCH_SIZE, Item, VerifyEnvironment
from transform import transform_batch
from transform.snapshot import backfill_record

SIZES = (10_000, 100_000)
ROWS_PER_OBJECT = 1000
READ_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

# Linux's VmHWM is the process's peak memory in KiB.
RUN_CODE = """
from operations.verify.command import main
status = main(["--wait", "0", "--limit", "5"])
peak, = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(status, peak)
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


def run_verify() -> tuple[int, float, int]:
    """Run verify in a process, and return its status, seconds and peak memory in MiB."""
    started_at = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-c", RUN_CODE], capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started_at
    status, peak_kib = process.stdout.splitlines()[-1].split()
    return int(status), seconds, int(peak_kib) // 1024


def main(sizes: Sequence[int]) -> None:
    """Print a row for each run."""
    print("  items  differing  status  seconds  peak MiB")
    for count in sizes:
        with laptop(DynamoDb, Athena) as cloud:
            env = VerifyEnvironment(cloud)
            fill(env, count)
            for differing in (0, count // 100):
                for item in islice(generate_orders(differing * 100), 0, None, 100):
                    env.put_item({**item, "status": {"S": "altered"}})
                status, seconds, peak = run_verify()
                print(f"{count:7}  {differing:9}  {status:6}  {seconds:7.1f}  {peak:8}", flush=True)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)
