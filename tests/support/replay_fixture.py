"""What fails on the laptop chain, and what replay tells of it."""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from local.core.server import Cloud
from local.demo import run_script
from operations.replay import __main__ as replay
from setup import names
from tests.strategies.records import stream_record

LIMIT = 1024 * 1024
Told = dict[str, Any]


def empty(chain: Cloud) -> None:
    """Leave no error, no audit and no dead letter."""
    for prefix in (names.ERRORS, names.REPLAYED):
        for key in keys(chain, prefix):
            chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    sqs, url = chain.client("sqs"), queue(chain)
    while letters := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for each in letters:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


def replayed(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Told]:
    """Return the exit status of a replay, and what it tells programs."""
    capsys.readouterr()
    status = replay.main(["--json", *options])
    return status, json.loads(capsys.readouterr().out)


def keys(cloud: Cloud, prefix: str) -> list[str]:
    """Return the keys of the objects that lie under a prefix."""
    pages = cloud.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Key"] for page in found for entry in page.get("Contents", ())]


def body(cloud: Cloud, key: str) -> bytes:
    """Return the content of an object."""
    return cloud.client("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()


def put_error(cloud: Cloud, name: str, content: bytes, **more: str) -> str:
    """Put an error object, and return its key."""
    key = f"{names.ERRORS}processing-failed/2026-11-23/{name}"
    cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=content, **more)
    return key


def error(raw: bytes, code: str = "Lambda.FunctionError") -> bytes:
    """Return an error document of a record."""
    told = {"rawData": b64encode(raw).decode(), "errorCode": code, "arrivalTimestamp": 1}
    return json.dumps(told).encode()


def insert(order: str, number: int, **attributes: Any) -> bytes:
    """Return the record of an order that came to be; it is of a stream older than the table's."""
    key = {"order_id": {"S": order}}
    record = stream_record("INSERT", key, None, {**key, **attributes}, number)
    return json.dumps(record, separators=(",", ":")).encode()


def write_orders(cloud: Cloud, name: str, count: int) -> None:
    """Write orders into the table."""
    items = [{"order_id": {"S": f"{name}-{number}"}} for number in range(count)]
    puts = [{"PutRequest": {"Item": item}} for item in items]
    for start in range(0, count, 25):
        request = {names.TABLE: puts[start : start + 25]}
        assert not cloud.client("dynamodb").batch_write_item(RequestItems=request)[
            "UnprocessedItems"
        ]


def deploy(cloud: Cloud, code: bytes) -> None:
    """Let the function run other code."""
    cloud.client("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)


def mend(cloud: Cloud) -> None:
    """Deploy the function again as it should be."""
    run_script(cloud, "setup/05_lambda.py")


def lake_rows(cloud: Cloud) -> list[dict[str, str]]:
    """Return all rows of the lake."""
    texts = (gzip.decompress(body(cloud, key)) for key in keys(cloud, names.LAKE))
    return [json.loads(line) for text in texts for line in text.splitlines()]


def rows_of(cloud: Cloud, name: str) -> list[dict[str, str]]:
    """Return the lake's rows of orders whose name begins so."""
    return [row for row in lake_rows(cloud) if row["order_id"].startswith(name)]


def queue(cloud: Cloud) -> str:
    """Return the URL of the queue of dead letters."""
    return cloud.client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]


def waiting(cloud: Cloud) -> int:
    """Return how many dead letters can be read."""
    asked = ["ApproximateNumberOfMessages"]
    answer = cloud.client("sqs").get_queue_attributes(QueueUrl=queue(cloud), AttributeNames=asked)
    return int(answer["Attributes"][asked[0]])


def answering(service: str, operation: str, answer: Any) -> Callable[..., Any]:
    """Return what makes clients that get this answer to that request."""
    make = boto3.client

    def client(wanted: str) -> Any:
        made = make(wanted)
        if wanted == service:
            ok = AWSResponse("", 200, {}, None)
            made.meta.events.register(
                f"before-call.{service}.{operation}", lambda **_: (ok, answer)
            )
        return made

    return client
