"""Replay fixture: failed records on the laptop chain, and the result of replay on them."""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from local.core.server import Cloud
from operations.replay import command
from setup import names
from tests.strategies.records import stream_record
from tests.support.whole_chain import run_setup

MAX_RECORD_BYTES = 1024 * 1024
BATCH_SIZE = 25  # BatchWriteItem's limit
MESSAGE_COUNT = "ApproximateNumberOfMessages"
Document = dict[str, Any]
ClientFactory = Callable[..., Any]  # boto3.client has one overload for each service.


def delete_failed_records(cloud: Cloud) -> None:
    """Delete all error objects, their audits and the dead letters."""
    for prefix in (names.ERRORS, names.REPLAYED):
        for key in object_keys(cloud, prefix):
            cloud.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    sqs = cloud.client("sqs")
    url = queue_url(cloud)
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def run_replay(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Document]:
    """Run replay without its verification, and return its exit status and its JSON document."""
    capsys.readouterr()
    status = command.main(["--no-verify", "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def reasons(document: Document) -> list[str]:
    """Return why records remain."""
    return [reason["reason"] for reason in document["reasons"]]


def object_keys(cloud: Cloud, prefix: str) -> list[str]:
    """Return the keys of the objects under a prefix."""
    pages = cloud.client("s3").get_paginator("list_objects_v2")
    return [
        entry["Key"]
        for page in pages.paginate(Bucket=names.bucket(), Prefix=prefix)
        for entry in page.get("Contents", ())
    ]


def read_object(cloud: Cloud, key: str) -> bytes:
    """Return the content of an object."""
    body: bytes = cloud.client("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()
    return body


def put_error_object(cloud: Cloud, name: str, content: bytes, **params: str) -> str:
    """Put an error object, and return its key."""
    key = f"{names.ERRORS}processing-failed/2026-11-23/{name}"
    cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=content, **params)
    return key


def error_document(record: bytes, code: str = "Lambda.FunctionError") -> bytes:
    """Return the error document of a record."""
    raw = b64encode(record).decode()
    return json.dumps({"rawData": raw, "errorCode": code, "arrivalTimestamp": 1}).encode()


def insert_record(order_id: str, number: int, **attributes: Any) -> bytes:
    """Return the record of a new order, from a stream older than the table's."""
    key = {"order_id": {"S": order_id}}
    record = stream_record("INSERT", key, None, {**key, **attributes}, number)
    return json.dumps(record, separators=(",", ":")).encode()


def write_orders(cloud: Cloud, prefix: str, order_count: int) -> None:
    """Write orders whose ids begin with a prefix into the table."""
    items = [{"order_id": {"S": f"{prefix}-{number}"}} for number in range(order_count)]
    puts = [{"PutRequest": {"Item": item}} for item in items]
    for start in range(0, order_count, BATCH_SIZE):
        request = {names.TABLE: puts[start : start + BATCH_SIZE]}
        response = cloud.client("dynamodb").batch_write_item(RequestItems=request)
        assert not response["UnprocessedItems"]


def deploy(cloud: Cloud, code: bytes) -> None:
    """Deploy other code than this checkout's."""
    cloud.client("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)


def redeploy(cloud: Cloud) -> None:
    """Deploy this checkout's code again."""
    run_setup("05_lambda")


def lake_rows(cloud: Cloud, prefix: str) -> list[dict[str, str]]:
    """Return the lake's rows of the orders whose ids begin with a prefix."""
    objects = (gzip.decompress(read_object(cloud, key)) for key in object_keys(cloud, names.LAKE))
    rows = [json.loads(line) for content in objects for line in content.splitlines()]
    return [row for row in rows if row["order_id"].startswith(prefix)]


def queue_url(cloud: Cloud) -> str:
    """Return the URL of the dead-letter queue."""
    url: str = cloud.client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    return url


def visible_letter_count(cloud: Cloud) -> int:
    """Return how many dead letters can be received."""
    response = cloud.client("sqs").get_queue_attributes(
        QueueUrl=queue_url(cloud), AttributeNames=[MESSAGE_COUNT]
    )
    return int(response["Attributes"][MESSAGE_COUNT])


def clients_with_response(service: str, operation: str, response: Document) -> ClientFactory:
    """Return a client factory whose clients get this response to one operation."""
    create_client: ClientFactory = boto3.client

    def client(name: str) -> Any:
        if name != service:
            return create_client(name)
        created = create_client(name, config=Config())  # Other tests do not share it.
        http_response = AWSResponse("", 200, HTTPHeaders(), None)
        created.meta.events.register(
            f"before-call.{service}.{operation}", lambda **_: (http_response, response)
        )
        return created

    return client


def delete_bucket(cloud: Cloud) -> None:
    """Delete the lake's bucket with all versions of its objects."""
    s3 = cloud.client("s3")
    bucket = names.bucket()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
    s3.delete_bucket(Bucket=bucket)
