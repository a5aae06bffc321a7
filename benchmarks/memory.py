"""Benchmark of the function's memory: hostile batches in one process, as in a warm function.

    python -m benchmarks.memory [BATCHES]

Each batch is as large as Firehose's buffer, or holds one change of almost 1 MiB, Kinesis's limit.
The maps of every item have other names, the numbers and times never recur, and lists are long, so
whatever the function keeps of a batch grows with each. Printed is the peak of the process, and of
its start: Python, the function's code and this benchmark.
"""

import base64
import contextlib
import io
import json
import resource
import sys
import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from lambda_function import lambda_handler

Item = dict[str, Any]
BUFFER_BYTES = 209_715  # setup/06_firehose.py: 0.2 MiB
RECORD_BYTES = 1_000_000
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/sales-cdc-orders/stream/2026-01-01T00:00:00"


def keyed_map(count: int, rng: Random) -> Item:
    """Return a map of numbers that is keyed by data."""
    pairs = ((str(uuid.UUID(int=rng.getrandbits(128))), rng.random()) for _ in range(count))
    return {"M": {name: {"N": f"{number:.17f}"} for name, number in pairs}}


def item_of_large_maps(rng: Random) -> Item:
    """Return an item whose maps have too many members to become columns."""
    return {f"map_{index}": keyed_map(500, rng) for index in range(4)}


def item_of_small_maps(rng: Random) -> Item:
    """Return an item whose maps become columns, with other names in each item."""
    return {f"map_{index}": keyed_map(100, rng) for index in range(20)}


def item_of_many_attributes(rng: Random) -> Item:
    """Return an item whose own attributes are keyed by data."""
    attributes: Item = keyed_map(1500, rng)["M"]
    return attributes


def item_of_long_lists(rng: Random) -> Item:
    """Return an item of short values, each of which takes many times its bytes in memory."""
    return {"list": {"L": [{"N": str(rng.randrange(10**6))} for _ in range(8000)]}}


ITEMS: tuple[Callable[[Random], Item], ...] = (
    item_of_large_maps,
    item_of_small_maps,
    item_of_many_attributes,
    item_of_long_lists,
)


def hostile_batches(count: int) -> Iterator[dict[str, Any]]:
    """Yield Firehose's events."""
    rng = Random(1)
    for number in range(count):
        make_item = ITEMS[number % len(ITEMS)]
        if number % 10 == 9:  # One change, with both images, as large as Kinesis accepts.
            items = [merged_items(make_item, rng, RECORD_BYTES // 2)]
        else:
            item_bytes = len(payload(number, make_item(rng)))
            items = [make_item(rng) for _ in range(max(1, BUFFER_BYTES // item_bytes))]
        yield firehose_event([payload(number, item) for item in items])


def merged_items(make_item: Callable[[Random], Item], rng: Random, max_bytes: int) -> Item:
    """Return one item with the attributes of several, of almost this size as JSON."""
    merged: Item = {}
    size = 0
    while True:
        item = {f"{name}_{len(merged)}": value for name, value in make_item(rng).items()}
        size += len(json.dumps(item, separators=(",", ":")))
        if size > max_bytes:
            return merged
        merged |= item


def payload(number: int, item: Item) -> bytes:
    """Return a change of an item, in which every value is new."""
    key = {"id": {"S": str(number)}}
    change = {
        "eventID": f"{number:032x}",
        "eventName": "MODIFY",
        "eventSourceARN": ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": 1795428000 + number,
            "Keys": key,
            "OldImage": {**item, **key, "version": {"N": "1"}},
            "NewImage": {**item, **key, "version": {"N": "2"}},
            "SequenceNumber": str(10**20 + number),
        },
    }
    return json.dumps(change, separators=(",", ":")).encode()


def firehose_event(payloads: list[bytes]) -> dict[str, Any]:
    """Return payloads as Firehose passes them to the function."""
    return {
        "records": [
            {"recordId": f"{index:056}", "data": base64.b64encode(data).decode()}
            for index, data in enumerate(payloads)
        ]
    }


def peak_mib() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the batches and print the peak."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    start = peak_mib()
    results: list[str] = []
    for event in hostile_batches(count):
        with contextlib.redirect_stdout(io.StringIO()):
            response = lambda_handler(event, None)
        results += {result["result"] for result in response["records"]}
        del event, response
    print(f"{count} batches, {set(results)}: peak {peak_mib():.0f} MiB, {start:.0f} MiB at start")


if __name__ == "__main__":
    main()
