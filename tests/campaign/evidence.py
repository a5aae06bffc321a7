"""What lies in the cloud: the lake's rows, the error store, the dead letters, what was written."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operations.replay.dead_letters import parse_letter
from operations.replay.error_documents import parse_documents
from operations.replay.pipe_format import to_pipe_record
from operations.table import Table
from setup import names
from tests.support.laptop_cloud import aws
from transform import Change, parse_change

Columns = dict[str, str | None]
HIDDEN = 60  # seconds for which a letter that was read is not shown again


@dataclass(frozen=True)
class Evidence:
    """Everything that tells where a change is, and what the table holds.

    `rows` are the lake's, `failed` the records in the error store, `buried` the ids of the changes
    that the dead letters point at, `written` the changes of all streams of the table in order, and
    `items` the table's canonical texts by key.
    """

    rows: tuple[Columns, ...]
    failed: tuple[bytes, ...]
    buried: frozenset[str]
    written: tuple[Change, ...]
    items: dict[str, str]


def evidence(since: str = "") -> Evidence:
    """Return what lies in the cloud that was entered last, of streams from that ARN on."""
    written = tuple(sorted(_written(since), key=lambda told: (told.source, told.sequence)))
    return Evidence(
        rows=tuple(row for _, rows in lake_objects() for row in rows),
        failed=tuple(_failed()),
        buried=frozenset(_buried(written)),
        written=written,
        items=dict(Table.describe(aws("dynamodb"), names.TABLE).scan_items()),
    )


def in_kinesis(since: float) -> set[str]:
    """Return the ids of the changes that Kinesis took from that second on."""
    kinesis, stream = aws("kinesis"), {"StreamName": names.STREAM}
    found: list[bytes] = []
    for shard in kinesis.list_shards(**stream)["Shards"]:
        place = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
        start = kinesis.get_shard_iterator(**stream, ShardId=shard["ShardId"], **place)
        iterator = start["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=iterator))["Records"]:
            found += (record["Data"] for record in records)
            iterator = page["NextShardIterator"]
    return {identity for raw in found if (identity := id_of(raw))}


def id_of(raw: bytes) -> str | None:
    """Return the id of the change that a record, or the row in its place, tells."""
    try:
        told = json.loads(raw)
    except ValueError:
        return None
    return told.get("eventID", told.get("cdc_event_id")) if isinstance(told, dict) else None


def lake_objects() -> Iterator[tuple[str, list[Columns]]]:
    """Yield the key and the rows of every object of the lake."""
    for key, body in objects(names.LAKE):
        yield key, [json.loads(line) for line in gzip.decompress(body).splitlines()]


def objects(prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the content of every object under a prefix."""
    for key in object_keys(prefix):
        yield key, aws("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()


def object_keys(prefix: str) -> list[str]:
    """Return the keys of the objects under a prefix."""
    pages = aws("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Key"] for page in found for entry in page.get("Contents", ())]


def _failed() -> Iterator[bytes]:
    for _, body in objects(names.ERRORS):
        yield from (each.record for each in parse_documents([body]) if each.record is not None)


def _buried(written: tuple[Change, ...]) -> Iterator[str]:
    """Yield the ids of the changes in the runs that the dead letters tell of."""
    for message in letters():
        run = parse_letter(message).range
        if run is not None:
            first, last = run.first.zfill(40), run.last.zfill(40)
            for told in written:
                if told.source == run.stream and first <= told.sequence <= last:
                    yield told.event_id


def letters() -> list[dict[str, Any]]:
    """Return the messages of the queue of dead letters, and leave them there."""
    sqs, url = aws("sqs"), queue_url()
    wanted = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": HIDDEN}
    found: list[dict[str, Any]] = []
    while page := sqs.receive_message(**wanted).get("Messages"):
        found += page
    for message in found:
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return found


def queue_url() -> str:
    """Return the URL of the queue of dead letters."""
    return aws("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]


def _written(since: str) -> Iterator[Change]:
    """Yield every change that a stream of the table tells."""
    streams = aws("dynamodbstreams")
    listed = streams.list_streams(TableName=names.TABLE)["Streams"]
    for arn in (found["StreamArn"] for found in listed if found["StreamArn"] >= since):
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            yield from (
                parse_change(to_pipe_record(record, arn))
                for record in _records(arn, shard["ShardId"])
            )


def _records(arn: str, shard: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a shard up to where there are no more."""
    streams, which = aws("dynamodbstreams"), {"StreamArn": arn, "ShardId": shard}
    place = streams.get_shard_iterator(**which, ShardIteratorType="TRIM_HORIZON")
    iterator = place["ShardIterator"]
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        yield from page["Records"]
        iterator = page.get("NextShardIterator") if page["Records"] else None
