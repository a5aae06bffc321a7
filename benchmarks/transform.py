"""Benchmark of the transform: CPU time and memory, compared with three simpler functions.

    python -m benchmarks.transform

(a) is the usual code: boto3's TypeDeserializer, recursive flattening, json.dumps(default=str).
(b) does all the work of a row: (a) and the key, the time, the changed attributes and both images.
(c) is the minimum: it decodes base64, parses JSON and encodes base64.

The functions run in turns, and their medians are compared. The 6 MB limit of a response is lifted,
because 4,000 records are more than Firehose sends at once.
"""

import base64
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from transform import firehose, transform_batch

Event = dict[str, list[dict[str, Any]]]
Item = dict[str, Any]
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/sales-cdc-orders/stream/2026-01-01T00:00:00"
LIFECYCLE = ("INSERT", "MODIFY", "MODIFY", "MODIFY", "REMOVE")
deserialize = TypeDeserializer().deserialize


def order(number: int, rng: Random) -> Item:
    """Return a typed order."""
    price = rng.randrange(101, 9999, 2)
    quantity = rng.randrange(1, 4)
    product = {
        "sku": {"S": f"SKU-{number % 83}"},
        "name": {"S": "Desk lamp"},
        "quantity": {"N": str(quantity)},
        "unit_price": {"N": f"{price / 100}"},
    }
    return {
        "order_id": {"S": f"SO-{number:010}"},
        "status": {"S": "placed"},
        "placed_at": {"S": f"2026-11-23T10:{number % 60:02}:30Z"},
        "updated_at": {"S": f"2026-11-23T10:{number % 60:02}:30Z"},
        "customer": {
            "M": {
                "id": {"S": f"C-{number % 997}"},
                "name": {"S": "Ana Sample"},
                "address": {"M": {"city": {"S": "Lyon"}, "country": {"S": "FR"}}},
            }
        },
        "items": {"L": [{"M": product}]},
        "currency": {"S": "EUR"},
        "channel": {"S": "web"},
        "total": {"N": f"{price * quantity / 100}".removesuffix(".0")},
        "test_order": {"BOOL": False},
    }


def wide_item(number: int, width: int) -> Item:
    """Return an item with `width` attributes."""
    return {f"attribute_{index}": {"S": f"value {number} {index}"} for index in range(width)}


def deep_item(number: int, depth: int) -> Item:
    """Return an item with ten attributes inside `depth` nested maps."""
    value = wide_item(number, 10)
    for _ in range(depth):
        value = {"level": {"M": value}}
    return value


def firehose_event(count: int, make_item: Callable[[int], Item]) -> Event:
    """Return Firehose's event with the lifecycles of items."""
    records = []
    for number in range(count):
        new = make_item(number // len(LIFECYCLE))
        old = {**new, "status": {"S": "new"}, "updated_at": {"S": "2026-11-22T10:15:30Z"}}
        change = stream_record(number, LIFECYCLE[number % len(LIFECYCLE)], old, new)
        payload = json.dumps(change, separators=(",", ":"))
        data = base64.b64encode(payload.encode()).decode()
        records.append({"recordId": f"{number:056}", "data": data})
    return {"records": records}


def stream_record(number: int, operation: str, old: Item, new: Item) -> dict[str, Any]:
    """Return a stream record as the pipe delivers it."""
    images = {"NewImage": new, "OldImage": old}
    if operation == "INSERT":
        del images["OldImage"]
    elif operation == "REMOVE":
        del images["NewImage"]
    return {
        "eventID": f"{number:032x}",
        "eventName": operation,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795428000 + number // 50,
            "Keys": {"order_id": {"S": f"SO-{number:010}"}},
            **images,
            "SequenceNumber": str(10**20 + number),
            "SizeBytes": 700,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": ARN,
    }


def flatten(item: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the columns of a plain item."""
    for name, value in item.items():
        if isinstance(value, dict) and value:
            yield from flatten(value, f"{prefix}{name.lower()}__")
        elif isinstance(value, list | dict):
            yield prefix + name.lower(), json.dumps(value, default=str)
        else:
            yield prefix + name.lower(), value


def plain(image: Item) -> dict[str, Any]:
    """Return an image as plain Python values."""
    return {name: deserialize(value) for name, value in image.items()}


def ok_result(record: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a result for Firehose."""
    line = json.dumps(row, default=str) + "\n"
    metadata = {"partitionKeys": {"dt": row.get("changed_at", "")[:10]}}
    data = base64.b64encode(line.encode()).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data, "metadata": metadata}


def transform_usually(event: Event) -> list[dict[str, Any]]:
    """Return rows with the operation, the sequence number and the attributes: (a)."""
    results = []
    for record in event["records"]:
        change = json.loads(base64.b64decode(record["data"]))
        dynamodb = change["dynamodb"]
        columns = flatten(plain(dynamodb.get("NewImage") or dynamodb["OldImage"]))
        row = {
            "operation": change["eventName"],
            "sequence": dynamodb["SequenceNumber"],
            **dict(columns),
        }
        results.append(ok_result(record, row))
    return results


def transform_fully(event: Event) -> list[dict[str, Any]]:
    """Return rows with everything that the pipeline's rows contain: (b)."""
    results = []
    for record in event["records"]:
        change = json.loads(base64.b64decode(record["data"]))
        dynamodb = change["dynamodb"]
        old = dynamodb.get("OldImage", {})
        new = dynamodb.get("NewImage", {})
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        created_at = datetime.fromtimestamp(dynamodb["ApproximateCreationDateTime"], UTC)
        row = {
            "operation": change["eventName"],
            "key": json.dumps(dynamodb["Keys"], sort_keys=True),
            "source": change["eventSourceARN"],
            "sequence": dynamodb["SequenceNumber"].zfill(40),
            "event_id": change["eventID"],
            "changed_at": created_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "changed": json.dumps(changed),
            "old_image": json.dumps(old, sort_keys=True) if old else None,
            "new_image": json.dumps(new, sort_keys=True) if new else None,
            **dict(flatten(plain(new or old))),
        }
        results.append(ok_result(record, row))
    return results


def transcode(event: Event) -> list[dict[str, Any]]:
    """Return the payloads, decoded, parsed and encoded again: (c)."""
    results = []
    for record in event["records"]:
        payload = base64.b64decode(record["data"])
        json.loads(payload)
        results.append({"recordId": record["recordId"], "data": base64.b64encode(payload).decode()})
    return results


def median_times(event: Event, rounds: int, *functions: Callable[[Event], Any]) -> list[float]:
    """Return each function's median CPU time per record, in microseconds."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function_times, function in zip(times, functions, strict=True):
            gc.collect()
            started_at = time.process_time()
            function(event)
            seconds = time.process_time() - started_at
            function_times.append(seconds / len(event["records"]) * 1e6)
    return [statistics.median(function_times) for function_times in times]


def payload_bytes(event: Event) -> int:
    """Return the size of the event's payloads in base64."""
    return sum(len(record["data"]) for record in event["records"])


def peak_memory(event: Event) -> float:
    """Return the peak memory beyond the result itself, as a multiple of the event's payloads."""
    tracemalloc.start()
    result = transform_batch(event)
    retained, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.reason is None, result.reason
    return (peak - retained) / payload_bytes(event)


def print_order_times() -> None:
    """Print the times for orders, in a batch of the usual size and in a large one."""
    rng = Random(1)
    print("records  bytes  ours  per s     (a)    (b)    (c)   to (a)  to (b)  to (c)  peak")
    for count, rounds in ((500, 41), (4000, 9)):
        event = firehose_event(count, lambda number: order(number, rng))
        size = payload_bytes(event) * 3 // 4 // count
        functions = (transform_batch, transform_usually, transform_fully, transcode)
        ours, a, b, c = median_times(event, rounds, *functions)
        print(
            f"{count:7}  {size:5}  {ours:4.0f}  {1e6 / ours:6,.0f}  {a:5.0f}  {b:5.0f}  {c:5.0f}"
            f"   {a / ours:6.2f}  {b / ours:6.2f}  {c / ours:6.2f}  {peak_memory(event):4.2f}"
        )


def print_shape_times() -> None:
    """Print the times for wide and for deep items."""
    print("item                ours   per attribute or level   to (b)   to (c)")
    for width in (10, 50, 200):
        print_shape_time(f"width {width:3}", width, wide_item)
    for depth in (2, 8, 30):
        print_shape_time(f"depth {depth:3}", depth, deep_item)


def print_shape_time(title: str, extent: int, make_item: Callable[[int, int], Item]) -> None:
    event = firehose_event(200, lambda number: make_item(number, extent))
    ours, b, c = median_times(event, 15, transform_batch, transform_fully, transcode)
    print(f"{title:16} {ours:7.0f} {ours / extent:24.2f} {b / ours:8.2f} {c / ours:8.2f}")


def main() -> None:
    """Print the tables."""
    firehose.MAX_RESPONSE_BYTES = sys.maxsize
    print(f"Python {sys.version.split()[0]}; medians of CPU time per record, in microseconds")
    print_order_times()
    print_shape_times()


if __name__ == "__main__":
    main()
