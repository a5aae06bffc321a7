"""How long verify takes and how much memory it needs, by the number of items.

    python -m benchmarks.verify [ITEMS ...]

Table and lake lie on the laptop cloud, in another process: the time is mostly that cloud's, the
memory is verify's own. In the second run of each size one item of a hundred differs.
"""

import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from itertools import islice
from random import Random
from typing import Any

from benchmarks.transform import ARN, order
from local.services.athena import Athena
from local.services.dynamodb.service import DynamoDb
from setup import names
from tests.support.laptop_cloud import laptop
from tests.support.verify_fixture import World
from transform import transform_batch
from transform.snapshot import backfill_record

SIZES = (10_000, 100_000)
PUTS, ROWS = 25, 1000  # BatchWriteItem takes no more; an object of the lake holds so many
READ_AT = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)

# What Linux calls VmHWM: the most that was in memory at once, in KiB.
RUN = """
from operations.verify.__main__ import main
status = main(["--wait", "0", "--limit", "5"])
peak, = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(status, peak)
"""


def orders(count: int) -> Iterator[dict[str, Any]]:
    """Return so many orders, the same ones each time."""
    chance = Random(1)
    return (order(number, chance) for number in range(count))


def fill(world: World, count: int) -> None:
    """Write the orders into the table, and a row of each into the lake."""
    left = orders(count)
    while batch := list(islice(left, PUTS)):
        puts = [{"PutRequest": {"Item": item}} for item in batch]
        world.dynamodb.batch_write_item(RequestItems={names.TABLE: puts})
    left = orders(count)
    while batch := list(islice(left, ROWS)):
        path = f"{names.LAKE}dt=2026-11-23/{batch[0]['order_id']['S']}.json"
        world.s3.put_object(Bucket=names.bucket(), Key=path, Body=b"".join(rows(batch)))


def rows(items: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """Return the lake's rows of items."""
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


def measured() -> tuple[int, float, int]:
    """Return status, seconds and peak memory in MiB of a run of verify."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    status, peak = done.stdout.splitlines()[-1].split()
    return int(status), time.monotonic() - began, int(peak) // 1024


def main(sizes: Sequence[int]) -> None:
    """Print the table."""
    print("  items  differing  status  seconds  peak MiB")
    for count in sizes:
        with laptop(DynamoDb, Athena) as cloud:
            world = World(cloud)
            fill(world, count)
            for differing in (0, count // 100):
                for item in islice(orders(differing * 100), 0, None, 100):
                    world.put({**item, "status": {"S": "spoiled"}})
                status, seconds, peak = measured()
                print(f"{count:7}  {differing:9}  {status:6}  {seconds:7.1f}  {peak:8}", flush=True)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)
