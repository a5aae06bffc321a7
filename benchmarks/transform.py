"""How fast the transform is, beside what a user would write and beside the least that can be done.

    python -m benchmarks.transform

(a) reads with boto3's TypeDeserializer, flattens recursively and writes json.dumps(default=str);
(b) does the work of a row: (a) and the key, the time, what changed, and both images as sorted JSON;
(c) only decodes base64, parses JSON and encodes base64. All take turns; the medians are compared.
The limit of 6 MB is lifted: 4 000 records are more than Firehose sends at once.
"""

import base64
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from random import Random
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from transform import firehose, transform_batch

Event = dict[str, list[dict[str, Any]]]
ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/sales-cdc-orders/stream/2026-01-01T00:00:00"
LIFE = ("INSERT", "MODIFY", "MODIFY", "MODIFY", "REMOVE")
read = TypeDeserializer().deserialize


def order(number: int, chance: Random) -> dict[str, Any]:
    """Return an order, typed."""
    price, quantity = chance.randrange(101, 9999, 2), chance.randrange(1, 4)
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


def wide(number: int, width: int) -> dict[str, Any]:
    """Return an item of so many attributes."""
    return {f"attribute_{at}": {"S": f"value {number} {at}"} for at in range(width)}


def deep(number: int, depth: int) -> dict[str, Any]:
    """Return an item of ten attributes, at the end of so many maps."""
    value = wide(number, 10)
    for _ in range(depth):
        value = {"level": {"M": value}}
    return value


def event_of(count: int, item: Callable[[int], dict[str, Any]]) -> Event:
    """Return Firehose's event with the lives of items."""
    records = []
    for number in range(count):
        new = item(number // len(LIFE))
        old = {**new, "status": {"S": "new"}, "updated_at": {"S": "2026-11-22T10:15:30Z"}}
        payload = json.dumps(
            record(number, LIFE[number % len(LIFE)], old, new), separators=(",", ":")
        )
        data = base64.b64encode(payload.encode()).decode()
        records.append({"recordId": f"{number:056}", "data": data})
    return {"records": records}


def record(number: int, operation: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a stream record as a pipe delivers it."""
    images = {"NewImage": new, "OldImage": old}
    images.pop({"INSERT": "OldImage", "REMOVE": "NewImage"}.get(operation, ""), None)
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


def flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the columns of a plain item."""
    for name, member in value.items():
        if isinstance(member, dict) and member:
            yield from flat(member, f"{path}{name.lower()}__")
        else:
            text = json.dumps(member, default=str) if isinstance(member, list | dict) else member
            yield path + name.lower(), text


def plain(image: dict[str, Any]) -> dict[str, Any]:
    """Return an image as Python has it."""
    return {name: read(value) for name, value in image.items()}


def written(asked: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as Firehose wants it."""
    text = json.dumps(row, default=str) + "\n"
    day = {"partitionKeys": {"dt": row.get("changed_at", "")[:10]}}
    data = base64.b64encode(text.encode()).decode()
    return {"recordId": asked["recordId"], "result": "Ok", "data": data, "metadata": day}


def a_user_would_write(event: Event) -> list[dict[str, Any]]:
    """Return rows of the operation, the sequence and the columns."""
    results = []
    for asked in event["records"]:
        change = json.loads(base64.b64decode(asked["data"]))
        inner = change["dynamodb"]
        columns = flat(plain(inner.get("NewImage") or inner["OldImage"]))
        row = {
            "operation": change["eventName"],
            "sequence": inner["SequenceNumber"],
            **dict(columns),
        }
        results.append(written(asked, row))
    return results


def b_keeping_both_images(event: Event) -> list[dict[str, Any]]:
    """Return rows with all that ours have."""
    results = []
    for asked in event["records"]:
        change = json.loads(base64.b64decode(asked["data"]))
        inner = change["dynamodb"]
        old, new = inner.get("OldImage", {}), inner.get("NewImage", {})
        at = datetime.fromtimestamp(inner["ApproximateCreationDateTime"], timezone.utc)
        row = {
            "operation": change["eventName"],
            "key": json.dumps(inner["Keys"], sort_keys=True),
            "source": change["eventSourceARN"],
            "sequence": inner["SequenceNumber"].zfill(40),
            "event_id": change["eventID"],
            "changed_at": at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "changed": json.dumps(sorted(n for n in {*old, *new} if old.get(n) != new.get(n))),
            "old_image": json.dumps(old, sort_keys=True) if old else None,
            "new_image": json.dumps(new, sort_keys=True) if new else None,
            **dict(flat(plain(new or old))),
        }
        results.append(written(asked, row))
    return results


def c_the_floor(event: Event) -> list[dict[str, Any]]:
    """Return the payloads, decoded, parsed and encoded again."""
    results = []
    for asked in event["records"]:
        payload = base64.b64decode(asked["data"])
        json.loads(payload)
        results.append({"recordId": asked["recordId"], "data": base64.b64encode(payload).decode()})
    return results


def medians(event: Event, rounds: int, *runs: Callable[[Event], Any]) -> list[float]:
    """Return each run's CPU time per record in microseconds; they take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for taken, run in zip(times, runs, strict=True):
            gc.collect()
            start = time.process_time()
            run(event)
            taken.append((time.process_time() - start) / len(event["records"]) * 1e6)
    return [statistics.median(taken) for taken in times]


def peak(event: Event) -> float:
    """Return the memory that an answer needs beyond itself, in sizes of the event's payloads."""
    tracemalloc.start()
    found = transform_batch(event)
    kept, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.reason is None, found.reason
    return (highest - kept) / sum(len(asked["data"]) for asked in event["records"])


def main() -> None:
    """Print the tables."""
    chance = Random(1)
    firehose.MAX_RESPONSE_BYTES = sys.maxsize
    runs = (transform_batch, a_user_would_write, b_keeping_both_images, c_the_floor)
    print(f"Python {sys.version.split()[0]}; medians of CPU time per record, in microseconds")
    print("records  bytes  ours  per s     (a)    (b)    (c)   to (a)  to (b)  to (c)  peak")
    for count, rounds in ((500, 41), (4000, 9)):
        event = event_of(count, lambda number: order(number, chance))
        size = sum(len(asked["data"]) for asked in event["records"]) * 3 // 4 // count
        ours, a, b, c = medians(event, rounds, *runs)
        print(
            f"{count:7}  {size:5}  {ours:4.0f}  {1e6 / ours:6,.0f}  {a:5.0f}  {b:5.0f}  {c:5.0f}"
            f"   {a / ours:6.2f}  {b / ours:6.2f}  {c / ours:6.2f}  {peak(event):4.2f}"
        )
    print("item                ours   per attribute or level   to (b)   to (c)")
    shapes = [(f"width {width:3}", width, wide) for width in (10, 50, 200)]
    shapes += [(f"depth {depth:3}", depth, deep) for depth in (2, 8, 30)]
    for title, extent, shape in shapes:
        event = event_of(200, lambda number, shape=shape, extent=extent: shape(number, extent))
        ours, b, c = medians(event, 15, transform_batch, b_keeping_both_images, c_the_floor)
        print(f"{title:16} {ours:7.0f} {ours / extent:24.2f} {b / ours:8.2f} {c / ours:8.2f}")


if __name__ == "__main__":
    main()
