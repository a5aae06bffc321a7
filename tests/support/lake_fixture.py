"""A lake for tests: rows as the transform makes them, out of order and full of copies."""

import base64
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any
from unittest.mock import patch

import boto3
from boto3.dynamodb.types import TypeSerializer

import transform
from analytics.athena import run_query
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from local.services.registry import SERVICES
from sales.order_lifecycle import Order, OrderChange
from setup import names
from tests.campaign.chain import remembered
from tests.support.laptop_cloud import laptop
from tests.support.setup_fixture import clear_location

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc)
STEP = timedelta(minutes=15)  # from one change to the next: several days, several partitions
Rows = list[tuple[str | None, ...]]


@contextmanager
def lake_of_views() -> Iterator[Cloud]:
    """Yield a cloud in which the setup scripts have made the bucket, the catalog and the views."""
    with laptop(*SERVICES) as cloud, patch.object(boto3, "client", remembered(boto3.client)):
        clear_location()
        for script in ("03_s3", "04_iam", "10_glue", "11_athena"):
            import_module(f"setup.{script}").create()
        yield cloud


def stored(rows: list[tuple[str, str]]) -> None:
    """Make an object of each day's lines the whole content of the lake."""
    s3 = boto3.client("s3")
    listed = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE).get("Contents", [])
    for found in listed:
        s3.delete_object(Bucket=names.bucket(), Key=found["Key"])
    days = defaultdict(list)
    for day, line in rows:
        days[day].append(line)
    for day, lines in days.items():
        body = gzip.compress("".join(lines).encode())
        s3.put_object(Bucket=names.bucket(), Key=f"{names.LAKE}dt={day}/rows.gz", Body=body)


def in_disorder(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return rows as a delivery that is at least once and unordered may leave them."""
    chance = random.Random(3)
    mixed = rows + chance.sample(rows, len(rows) // 3)
    chance.shuffle(mixed)
    return mixed


def line_of(change: OrderChange, number: int) -> tuple[str, str]:
    """Return the day and the line that the transform makes of a change."""
    images = {"OldImage": change.before, "NewImage": change.after}
    record = {
        "eventID": f"{number:032x}",
        "eventName": change.operation,
        "eventSourceARN": STREAM,
        "dynamodb": {
            "Keys": {"order_id": {"S": change.order_id}},
            **{name: typed(image) for name, image in images.items() if image is not None},
            "SequenceNumber": f"{number:021}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "ApproximateCreationDateTime": int((BEGIN + number * STEP).timestamp()),
        },
    }
    data = base64.b64encode(json.dumps(record).encode()).decode()
    (result,) = transform.transform_batch({"records": [{"recordId": "r", "data": data}]}).records
    assert result["result"] == "Ok"
    keys = result["metadata"]["partitionKeys"]
    return keys["dt"], base64.b64decode(result["data"]).decode()


def typed(image: Order) -> dict[str, Any]:
    """Return an order as DynamoDB types it."""
    return {name: TypeSerializer().serialize(value) for name, value in image.items()}


def rows(sql: str, *parameters: str) -> Rows:
    """Return Athena's rows for a query."""
    return list(run_query(sql, parameters).rows)


def asked(name: str, **given: str) -> Rows:
    """Return Athena's rows for a named query."""
    query = load_named_queries()[name]
    return rows(query.sql, *query.parameter_values(given))


def delivered(made: list[OrderChange]) -> list[tuple[str, str]]:
    """Return the rows of the changes."""
    return in_disorder([line_of(change, number) for number, change in enumerate(made)])
