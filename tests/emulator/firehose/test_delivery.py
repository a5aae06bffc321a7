"""Delivery by the laptop's Firehose: reading Kinesis, buffering, and writing to S3."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose import delivery_stream, kinesis_source
from local.services.firehose.kinesis_source import KinesisSource
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    PERMISSIONS,
    SOURCE,
    allow_only,
    create_stream,
    destination_config,
    error_documents,
    firehose_environment,
    hop_counts,
    lake_objects,
    logged_errors,
    ok_entry,
    permissions_without,
    plain_destination_config,
    put_records,
    record_for,
)
from tests.support.laptop_cloud import aws, laptop, metric_sum


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that does what its records say."""
    with firehose_environment(shared_cloud):
        yield shared_cloud


def test_rows_are_concatenated_by_partition(cloud: Cloud) -> None:
    create_stream(destination_config(CompressionFormat="GZIP"))
    put_records(
        record_for(ok_entry(b"a")),
        record_for(ok_entry(b"b\n", dt="x y")),
        record_for(ok_entry(b"\xff\x00c")),
    )
    cloud.run_until_idle()
    contents = {
        key.rpartition("/")[0]: gzip.decompress(body) for key, body in lake_objects().items()
    }
    assert contents == {"lake/dt=2026-11-23": b"a\xff\x00c", "lake/dt=x y": b"b\n"}
    for key in lake_objects():
        head = aws("s3").head_object(Bucket="lake", Key=key)
        assert key.endswith(".gz")
        assert head["ContentEncoding"] == "gzip"
        assert head["ContentType"] == "application/octet-stream"


def test_buffer_is_written_after_its_interval(cloud: Cloud) -> None:
    create_stream(
        plain_destination_config(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 300})
    )
    put_records(b"row")
    cloud.tick()
    cloud.clock.advance(200)
    cloud.tick()
    assert lake_objects() == {}
    cloud.clock.advance(100)
    cloud.tick()
    assert list(lake_objects().values()) == [b"row"]
    assert cloud.service(Firehose).next_due_at() is None


def test_full_buffer_is_written_at_once(cloud: Cloud) -> None:
    create_stream(
        plain_destination_config(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900})
    )
    put_records(b"x" * 600_000, b"y" * 600_000)
    cloud.tick()
    assert [len(body) for body in lake_objects().values()] == [1_200_000]


def test_reading_starts_at_latest(cloud: Cloud) -> None:
    put_records(b"before")
    create_stream(plain_destination_config())
    put_records(b"after")
    cloud.run_until_idle()
    assert list(lake_objects().values()) == [b"after"]


def test_kinesis_is_polled_at_intervals(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_stream, "POLL_SECONDS", 100.0)
    create_stream(plain_destination_config())
    put_records(b"one")
    cloud.tick()
    put_records(b"two")
    cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 1
    cloud.clock.advance(100)
    cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 2
    cloud.run_until_idle()
    assert cloud.service(Firehose).next_due_at() is None


def test_backlog_is_read_without_pause(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_source, "PAGE_RECORDS", 1)
    monkeypatch.setattr(delivery_stream, "POLL_SECONDS", 100.0)
    create_stream(plain_destination_config())
    put_records(b"one", b"two", b"three")
    for _ in range(3):
        cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 3


def test_deleted_stream_loses_its_buffers(cloud: Cloud) -> None:
    create_stream(plain_destination_config())
    put_records(b"lost")
    cloud.tick()
    aws("firehose").delete_delivery_stream(DeliveryStreamName="delivery")
    cloud.run_until_idle()
    create_stream(plain_destination_config())
    cloud.run_until_idle()
    assert lake_objects() == {}


def test_parent_shards_are_read_before_children(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinesis_source, "PAGE_RECORDS", 1)
    kinesis = aws("kinesis")
    kinesis.create_stream(StreamName="halves", ShardCount=2)
    reader = KinesisSource(kinesis, SOURCE.replace("changes", "halves"))

    def fill_and_merge() -> None:
        for number in range(8):
            kinesis.put_record(StreamName="halves", Data=b"%d" % number, PartitionKey=str(number))
        kinesis.merge_shards(
            StreamName="halves",
            ShardToMerge="shardId-000000000000",
            AdjacentShardToMerge="shardId-000000000001",
        )

    run_before_next(kinesis, "ListShards", fill_and_merge)
    digits = b""
    while records := [record.data for batch in reader.read_batches() for record in batch]:
        digits += b"".join(records)
    # moto copies the parents' records into the new shard, so each is read twice.
    assert sorted(digits[:8]) == sorted(digits[8:]) == sorted(b"01234567")


def test_reading_resumes_after_expired_iterator(cloud: Cloud) -> None:
    put_records(b"before.")
    kinesis = aws("kinesis")
    reader = KinesisSource(kinesis, SOURCE)

    def expire() -> None:
        error = {"Error": {"Code": "ExpiredIteratorException", "Message": "Iterator expired."}}
        raise kinesis.exceptions.ExpiredIteratorException(error, "GetRecords")

    for expected in (b"one.", b"two."):
        put_records(expected)
        run_before_next(kinesis, "GetRecords", expire)
        assert [record.data for batch in reader.read_batches() for record in batch] == [expected]


def run_before_next(client: Any, operation: str, action: Callable[[], None]) -> None:
    """Run an action just before the next call of an operation of Kinesis."""
    event = f"before-parameter-build.kinesis.{operation}"

    def run_once(**_: Any) -> None:
        client.meta.events.unregister(event, run_once)
        action()

    client.meta.events.register(event, run_once)


def test_rejected_objects_are_kept_until_written(cloud: Cloud) -> None:
    create_stream(plain_destination_config())
    allow_only(permissions_without("s3:PutObject"))
    put_records(b"row")
    cloud.run_until_idle()
    assert lake_objects() == {}
    assert {line["errorCode"] for line in logged_errors()} == {"S3.AccessDenied"}
    assert hop_counts(cloud)[1] == (1, 0, 0)
    allow_only(PERMISSIONS)
    cloud.run_until_idle()
    assert list(lake_objects().values()) == [b"row"]


def test_short_s3_failure_is_retried(cloud: Cloud) -> None:
    create_stream(plain_destination_config())
    put_records(b"row")
    cloud.tick()
    cloud.clock.advance(300)
    allow_only(permissions_without("s3:PutObject"))
    cloud.tick()
    allow_only(PERMISSIONS)
    assert not cloud.tick()
    cloud.run_until_idle()
    assert list(lake_objects().values()) == [b"row"]


def test_reading_pauses_while_memory_is_full(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_stream, "MAX_MEMORY_BYTES", 1000)
    create_stream(plain_destination_config())
    allow_only(permissions_without("s3:PutObject"))
    put_records(b"x" * 2000)
    cloud.run_until_idle()
    put_records(b"y")
    cloud.run_until_idle()
    assert cloud.service(Firehose).counts()[0].received == 1
    allow_only(PERMISSIONS)
    cloud.run_until_idle()
    assert Counter(b"".join(lake_objects().values())) == {ord("x"): 2000, ord("y"): 1}


def test_reading_resumes_when_access_is_restored(cloud: Cloud) -> None:
    create_stream(plain_destination_config())
    put_records(b"one.")
    cloud.run_until_idle()
    allow_only(permissions_without("kinesis:*"))
    put_records(b"two.")
    cloud.run_until_idle()
    assert [line["errorCode"] for line in logged_errors()] == ["Kinesis.AccessDenied"]
    allow_only(PERMISSIONS)
    cloud.run_until_idle()
    assert sorted(lake_objects().values()) == [b"one.", b"two."]


def test_missing_log_permission_stops_nothing(cloud: Cloud) -> None:
    create_stream()
    allow_only(permissions_without("logs:PutLogEvents"))
    put_records(record_for(ok_entry(b"row\n")), record_for())
    cloud.run_until_idle()
    assert list(lake_objects("lake/").values()) == [b"row\n"]
    assert [document["errorCode"] for document in error_documents()] == ["Lambda.MissingRecordId"]
    assert logged_errors() == []


def test_metrics_count_read_and_delivered_records(cloud: Cloud) -> None:
    create_stream()
    put_records(record_for(ok_entry()), record_for(ok_entry()), record_for())
    cloud.run_until_idle()
    expected_sums = {
        "IncomingRecords": 3,
        "DataReadFromKinesisStream.Records": 3,
        "SucceedProcessing.Records": 2,
        "DeliveryToS3.Records": 3,
    }
    for name, expected in expected_sums.items():
        assert metric_sum("AWS/Firehose", name, DeliveryStreamName="delivery") == expected, name


def test_lag_is_published_without_anything_to_read(cloud: Cloud) -> None:
    create_stream()
    for _ in range(2):
        cloud.clock.advance(60)
        cloud.tick()
    metrics = aws("cloudwatch").list_metrics(Namespace="AWS/Firehose")["Metrics"]
    assert [metric["MetricName"] for metric in metrics] == ["KinesisMillisBehindLatest"]
