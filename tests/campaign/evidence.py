"""Evidence of a campaign, read from the cloud: lake, errors, dead letters, stream and table."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from operations.replay.dead_letters import parse_letter
from operations.replay.error_documents import parse_documents
from operations.replay.pipe_format import to_pipe_record
from operations.table import Table
from setup import names
from tests.support.laptop_cloud import aws
from transform import Change, parse_change
from transform.state import stream_rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

Columns = dict[str, str | None]
VISIBILITY_TIMEOUT = 60  # seconds
SEQUENCE_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that shows where each change is, and what the table holds.

    `dead_letter_ids` are the ids of the changes that the dead letters point at, `changes` those of
    all streams of the table in order, and `items` the canonical images by canonical key.
    """

    lake_rows: tuple[Columns, ...]
    failed_records: tuple[bytes, ...]
    dead_letter_ids: frozenset[str]
    changes: tuple[Change, ...]
    items: dict[str, str]

    def without_rows(self, change_ids: Collection[str]) -> Evidence:
        """Return the evidence without the rows of some changes."""
        rows = [row for row in self.lake_rows if str(row["cdc_event_id"]) not in change_ids]
        return replace(self, lake_rows=tuple(rows))


def collect_evidence(first_stream_arn: str = "") -> Evidence:
    """Return the evidence of the current cloud, without streams that are older than the first."""
    changes = sorted(_stream_changes(first_stream_arn), key=_stream_position)
    return Evidence(
        lake_rows=tuple(row for _, rows in lake_objects() for row in rows),
        failed_records=tuple(_failed_records()),
        dead_letter_ids=frozenset(_dead_letter_ids(changes)),
        changes=tuple(changes),
        items=dict(Table.describe(aws("dynamodb"), names.TABLE).scan_items()),
    )


def change_ids_in_kinesis(since: datetime) -> set[str]:
    """Return the ids of the changes that Kinesis has stored since a time."""
    kinesis: KinesisClient = aws("kinesis")
    change_ids: set[str] = set()
    for shard in kinesis.list_shards(StreamName=names.STREAM)["Shards"]:
        response = kinesis.get_shard_iterator(
            StreamName=names.STREAM,
            ShardId=shard["ShardId"],
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=since,
        )
        iterator = response["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=iterator))["Records"]:
            change_ids.update(filter(None, (change_id(record["Data"]) for record in records)))
            iterator = page["NextShardIterator"]
    return change_ids


def change_id(content: bytes) -> str | None:
    """Return the id of a change from its record or its row; None if the content is neither."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    event_id: str | None = document.get("eventID", document.get("cdc_event_id"))
    return event_id


def lake_objects() -> Iterator[tuple[str, list[Columns]]]:
    """Yield the key and the rows of every object of the lake."""
    for key, body in read_objects(names.LAKE):
        yield key, [json.loads(line) for line in gzip.decompress(body).splitlines()]


def lake_versions() -> Iterator[Columns]:
    """Yield the rows of every version of every object of the lake, also of deleted ones."""
    s3 = aws("s3")
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=names.bucket(), Prefix=names.LAKE
    ):
        for version in page.get("Versions", ()):
            response = s3.get_object(
                Bucket=names.bucket(), Key=version["Key"], VersionId=version["VersionId"]
            )
            lines = gzip.decompress(response["Body"].read()).splitlines()
            yield from map(json.loads, lines)


def has_image(row: Columns) -> bool:
    """Return whether a row has an image."""
    return row["cdc_old_image"] is not None or row["cdc_new_image"] is not None


def read_objects(prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the content of every object under a prefix."""
    for key in object_keys(prefix):
        yield key, aws("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()


def object_keys(prefix: str) -> list[str]:
    """Return the keys of the objects under a prefix."""
    paginator = aws("s3").get_paginator("list_objects_v2")
    pages = paginator.paginate(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def _failed_records() -> Iterator[bytes]:
    for _, body in read_objects(names.ERRORS):
        for document in parse_documents([body]):
            if document.record is not None:
                yield document.record


def _dead_letter_ids(changes: list[Change]) -> Iterator[str]:
    """Yield the ids of the changes in the sequence ranges of the dead letters."""
    for message in dead_letter_messages():
        sequences = parse_letter(message).range
        if sequences is None:
            continue
        first = sequences.first.zfill(SEQUENCE_DIGITS)
        last = sequences.last.zfill(SEQUENCE_DIGITS)
        for change in changes:
            if change.source == sequences.stream and first <= change.sequence <= last:
                yield change.event_id


def dead_letter_messages() -> list[MessageTypeDef]:
    """Return the messages of the dead-letter queue, which keeps them."""
    sqs: SQSClient = aws("sqs")
    url = queue_url()
    messages: list[MessageTypeDef] = []
    while page := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=VISIBILITY_TIMEOUT
    ).get("Messages"):
        messages += page
    for message in messages:
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return messages


def queue_url() -> str:
    """Return the URL of the dead-letter queue."""
    url: str = aws("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    return url


def _stream_position(change: Change) -> tuple[tuple[str, str], str]:
    return stream_rank(change.source), change.sequence


def _stream_changes(first_arn: str) -> Iterator[Change]:
    """Yield every change in the streams of all tables from the first one on."""
    streams = aws("dynamodbstreams")
    for stream in streams.list_streams()["Streams"]:
        arn = stream["StreamArn"]
        if stream_rank(arn) < stream_rank(first_arn):
            continue
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            for record in _shard_records(arn, shard["ShardId"]):
                yield parse_change(to_pipe_record(record, arn))


# Stream records as boto3 returns them.
def _shard_records(stream_arn: str, shard_id: str) -> Iterator[dict[str, Any]]:
    """Yield the records of a shard up to the first empty page."""
    streams = aws("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=stream_arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        yield from page["Records"]
        iterator = page.get("NextShardIterator") if page["Records"] else None
