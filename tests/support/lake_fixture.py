"""A lake for tests: rows from the real transform, out of order and with duplicates."""

import base64
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer

import transform
from analytics.athena import run_query
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from local.services.registry import SERVICES
from sales.order_lifecycle import Order, OrderChange
from setup import names
from tests.support.laptop_cloud import laptop
from tests.support.setup_fixture import clear_location

STREAM_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
FIRST_CHANGE_AT = datetime(2026, 3, 1, tzinfo=UTC)
CHANGE_INTERVAL = timedelta(minutes=15)  # Long enough for several days and partitions.
Rows = list[tuple[str | None, ...]]
LakeLines = list[tuple[str, str]]  # days and the lines of their rows


@contextmanager
def lake_with_views() -> Iterator[Cloud]:
    """Yield a cloud with the bucket, catalog and views of the setup scripts."""
    with laptop(*SERVICES) as cloud:
        clear_location()
        for script in ("03_s3", "04_iam", "10_glue", "11_athena"):
            import_module(f"setup.{script}").create()
        yield cloud


def replace_lake(rows: LakeLines) -> None:
    """Replace the lake's content with one object for each day's lines."""
    s3 = boto3.client("s3")
    entries = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE).get("Contents", [])
    for entry in entries:
        s3.delete_object(Bucket=names.bucket(), Key=entry["Key"])
    lines_by_day = defaultdict(list)
    for day, line in rows:
        lines_by_day[day].append(line)
    for day, lines in lines_by_day.items():
        body = gzip.compress("".join(lines).encode())
        s3.put_object(Bucket=names.bucket(), Key=f"{names.LAKE}dt={day}/rows.gz", Body=body)


def shuffle_with_duplicates(rows: LakeLines) -> LakeLines:
    """Return rows as an unordered, at-least-once delivery may leave them."""
    rng = random.Random(3)
    shuffled = rows + rng.sample(rows, len(rows) // 3)
    rng.shuffle(shuffled)
    return shuffled


def change_time(number: int) -> datetime:
    """Return the time at which the table records the change with this number."""
    return FIRST_CHANGE_AT + number * CHANGE_INTERVAL


def lake_line(change: OrderChange, number: int) -> tuple[str, str]:
    """Return the day and the line of a change, as the transform writes them."""
    images = {"OldImage": change.before, "NewImage": change.after}
    record = {
        "eventID": f"{number:032x}",
        "eventName": change.operation,
        "eventSourceARN": STREAM_ARN,
        "dynamodb": {
            "Keys": {"order_id": {"S": change.order_id}},
            **{name: dynamodb_image(image) for name, image in images.items() if image is not None},
            "SequenceNumber": f"{number:021}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "ApproximateCreationDateTime": int(change_time(number).timestamp()),
        },
    }
    data = base64.b64encode(json.dumps(record).encode()).decode()
    (result,) = transform.transform_batch({"records": [{"recordId": "r", "data": data}]}).records
    assert result["result"] == "Ok"
    keys = result["metadata"]["partitionKeys"]
    return keys["dt"], base64.b64decode(result["data"]).decode()


def dynamodb_image(image: Order) -> dict[str, Any]:
    """Return an order's image in DynamoDB's typed JSON."""
    return {name: TypeSerializer().serialize(value) for name, value in image.items()}


def query_rows(sql: str, *parameters: str) -> Rows:
    """Run a query and return its rows."""
    return list(run_query(sql, parameters).rows)


def run_named_query(name: str, **arguments: str) -> Rows:
    """Run a named query and return its rows."""
    query = load_named_queries()[name]
    return query_rows(query.sql, *query.parameter_values(arguments))


def deliver(changes: list[OrderChange]) -> LakeLines:
    """Return the lake's rows for these changes."""
    return shuffle_with_duplicates(
        [lake_line(change, number) for number, change in enumerate(changes)]
    )
