"""What the chain kept of records that it could not deliver, read as an operator would."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from local.core.raw_records import return_raw_records
from local.core.server import Cloud
from local.diagnostics import error_documents, error_stores
from local.nemesis.poison import key_text

HIDDEN = 60  # seconds for which a message that was read is not shown again


def kept_records(cloud: Cloud) -> Iterator[bytes]:
    """Yield the original of every record in the error stores."""
    for bucket, prefix in error_stores(cloud):
        for document in error_documents(cloud, bucket, prefix):
            yield b64decode(document["rawData"])


def buried_keys(cloud: Cloud) -> Iterator[str]:
    """Yield the keys of the items whose changes the pipes' dead letters point at."""
    pipes = cloud.client("pipes")
    for summary in pipes.list_pipes()["Pipes"]:
        pipe = pipes.describe_pipe(Name=summary["Name"])
        source = pipe["SourceParameters"]["DynamoDBStreamParameters"]
        if queue := source.get("DeadLetterConfig", {}).get("Arn", "").rpartition(":")[2]:
            for letter in _letters(cloud.client("sqs"), queue):
                yield from _keys(cloud, letter["DDBStreamBatchInfo"])


def _letters(sqs: Any, queue: str) -> list[dict[str, Any]]:
    """Return what lies in a queue, and leave it there."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    wanted = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN}
    messages: list[dict[str, Any]] = []
    while page := sqs.receive_message(**wanted).get("Messages"):
        messages += page
    for message in messages:
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in messages]


def _keys(cloud: Cloud, batch: dict[str, Any]) -> Iterator[str]:
    """Yield the keys in one run of stream records."""
    streams = cloud.client("dynamodbstreams")
    return_raw_records(streams)
    iterator = streams.get_shard_iterator(
        StreamArn=batch["streamArn"],
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    last, left = int(batch["endSequenceNumber"]), batch["batchSize"]
    while left > 0:
        page = streams.get_records(ShardIterator=iterator, Limit=min(left, 1000))
        changes = [record["dynamodb"] for record in page["Records"]]
        yield from (
            key_text(each["Keys"]) for each in changes if int(each["SequenceNumber"]) <= last
        )
        left -= len(changes) or left
        iterator = page.get("NextShardIterator", "")
