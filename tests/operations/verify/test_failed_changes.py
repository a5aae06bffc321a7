"""Failed changes: verify --repair knows the key of each change that replay would send."""

import json
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest

from local.core.server import Cloud
from local.services.registry import SERVICES
from operations.verify.failed_changes import (
    FailedChanges,
    FailedChangesUnknown,
    FailedKeys,
)
from setup import names
from tests.support.laptop_cloud import aws, laptop
from tests.support.replay_fixture import (
    delete_failed_records,
    error_document,
    insert_record,
    put_error_object,
    queue_url,
    visible_letter_count,
)
from tests.support.sabotage import order_key, put_order
from tests.support.whole_chain import create_pipeline


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture(autouse=True)
def cleanup(chain: Cloud) -> None:
    delete_failed_records(chain)


def failed_keys() -> set[str]:
    return set(FailedChanges.of_pipeline().read_keys())


def test_keys_of_error_objects_are_read(chain: Cloud) -> None:
    documents = [error_document(insert_record(f"SO-{number}", number)) for number in (1, 2)]
    put_error_object(chain, "two", b"\n".join(documents))
    put_error_object(chain, "other", error_document(insert_record("SO-3", 3)))
    assert failed_keys() == {order_key(f"SO-{number}") for number in (1, 2, 3)}


@pytest.mark.parametrize(
    "content", [b" \n", b"\x1f\x8bno gzip", b"{", error_document(b"not a change")]
)
def test_what_is_never_replayed_blocks_no_repair(chain: Cloud, content: bytes) -> None:
    put_error_object(chain, "foreign", content)
    assert failed_keys() == set()


def test_keys_of_dead_letters_are_read_and_kept(chain: Cloud) -> None:
    put_order("SO-letter", "paid")
    put_order("SO-large", "paid", note={"S": "\x01" * 200_000})  # It never fits into Kinesis.
    send_letter(chain, read_records())
    assert failed_keys() == {order_key("SO-letter")}
    assert visible_letter_count(chain) == 1


def test_a_replayed_change_blocks_no_repair(chain: Cloud) -> None:
    """A replay has sent it: it only marks where the changes begin that the letter still names."""
    put_order("SO-sent", "paid")
    put_order("SO-unsent", "paid")
    stream, shard, numbers = read_records()
    send_letter(chain, (stream, shard, numbers[-2:]), startIsReplayed=True)
    assert failed_keys() == {order_key("SO-unsent")}


def test_letters_of_a_running_replay_stop_the_repair(chain: Cloud) -> None:
    send_letter(chain, read_records())
    url = queue_url(chain)
    [letter] = aws("sqs").receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    with pytest.raises(FailedChangesUnknown, match=r"1 dead letter locked .* try again"):
        failed_keys()
    aws("sqs").delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])


def test_failed_changes_are_read_once_if_needed(chain: Cloud) -> None:
    put_error_object(chain, "one", error_document(insert_record("SO-1", 1)))
    with closing(FailedKeys(FailedChanges.of_pipeline())) as keys:
        assert order_key("SO-1") in keys
        put_error_object(chain, "two", error_document(insert_record("SO-2", 2)))
        assert order_key("SO-2") not in keys


def read_records() -> tuple[str, str, list[str]]:
    """Return the table's stream, a shard and the sequence numbers of its records."""
    table = boto3.client("dynamodb").describe_table(TableName=names.TABLE)["Table"]
    stream = table["LatestStreamArn"]
    streams = boto3.client("dynamodbstreams")
    description = streams.describe_stream(StreamArn=stream)["StreamDescription"]
    shard = description["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    numbers: list[str] = []
    while records := (page := streams.get_records(ShardIterator=iterator))["Records"]:
        numbers += [record["dynamodb"]["SequenceNumber"] for record in records]
        iterator = page["NextShardIterator"]
    return stream, shard, numbers


def send_letter(chain: Cloud, records: tuple[str, str, list[str]], **members: object) -> None:
    """Put a dead letter about these records of a shard into the queue."""
    stream, shard, numbers = records
    batch = {
        "streamArn": stream,
        "shardId": shard,
        "startSequenceNumber": numbers[0],
        "endSequenceNumber": numbers[-1],
        "batchSize": len(numbers),
        **members,
    }
    body = json.dumps({"DDBStreamBatchInfo": batch})
    aws("sqs").send_message(QueueUrl=queue_url(chain), MessageBody=body)
