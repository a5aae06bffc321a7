"""Retained records: what the error stores and dead letters hold, read as an operator would."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from local.core.raw_records import return_raw_records
from local.core.server import Cloud
from local.diagnostics import error_documents, error_stores
from local.nemesis.poison import format_key

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

VISIBILITY_SECONDS = 60  # A message that was received stays hidden for this time.
PAGE_RECORDS = 1000


def error_store_records(cloud: Cloud) -> Iterator[bytes]:
    """Yield the original bytes of every record in the error stores."""
    for bucket, prefix in error_stores(cloud):
        for document in error_documents(cloud, bucket, prefix):
            yield b64decode(document["rawData"])


def dead_letter_keys(cloud: Cloud) -> Iterator[str]:
    """Yield the keys of the items whose changes the pipes' dead letters refer to."""
    pipes = cloud.client("pipes")
    for summary in pipes.list_pipes()["Pipes"]:
        pipe = pipes.describe_pipe(Name=summary["Name"])
        source = pipe["SourceParameters"]["DynamoDBStreamParameters"]
        queue = source.get("DeadLetterConfig", {}).get("Arn", "").rpartition(":")[2]
        if queue:
            for dead_letter in _read_messages(cloud.client("sqs"), queue):
                yield from _batch_keys(cloud, dead_letter["DDBStreamBatchInfo"])


def _read_messages(sqs: SQSClient, queue: str) -> list[dict[str, Any]]:
    """Return the messages of a queue, and leave them in it."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    messages = []
    while page := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=VISIBILITY_SECONDS
    ).get("Messages"):
        messages += page
    for message in messages:
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in messages]


def _batch_keys(cloud: Cloud, batch: dict[str, Any]) -> Iterator[str]:
    """Yield the keys in a batch of stream records, which a dead letter gives as a range."""
    streams = cloud.client("dynamodbstreams")
    return_raw_records(streams)
    iterator = streams.get_shard_iterator(
        StreamArn=batch["streamArn"],
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    last_sequence_number = int(batch["endSequenceNumber"])
    remaining = batch["batchSize"]
    while remaining > 0:
        limit = min(remaining, PAGE_RECORDS)
        page = streams.get_records(ShardIterator=iterator, Limit=limit)
        changes = [record["dynamodb"] for record in page["Records"]]
        for change in changes:
            if int(change["SequenceNumber"]) <= last_sequence_number:
                yield format_key(change["Keys"])
        if not changes:
            return
        remaining -= len(changes)
        iterator = page.get("NextShardIterator", "")
