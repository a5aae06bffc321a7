"""The laptop's Firehose reads its source, and delivers, whatever stands in its way."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose import delivery_stream as stream
from local.services.firehose import kinesis_source as source
from local.services.firehose.kinesis_source import Source
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    PERMISSIONS,
    SOURCE,
    create,
    destination,
    documents,
    furnished,
    hops,
    logged,
    objects,
    ok,
    order,
    permit,
    plain,
    put,
    without,
)
from tests.support.laptop_cloud import aws, laptop, metric_sum


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    """A laptop cloud with nothing in it."""
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that answers as its records say."""
    with furnished(running):
        yield running


def test_rows_are_joined_verbatim_below_their_partition(cloud: Cloud) -> None:
    create(destination(CompressionFormat="GZIP"))
    put(order(ok(b"a")), order(ok(b"b\n", dt="x y")), order(ok(b"\xff\x00c")))
    cloud.run_until_idle()
    found = {key.rpartition("/")[0]: gzip.decompress(body) for key, body in objects().items()}
    assert found == {"lake/dt=2026-11-23": b"a\xff\x00c", "lake/dt=x y": b"b\n"}
    for key in objects():
        head = aws("s3").head_object(Bucket="lake", Key=key)
        assert key.endswith(".gz")
        assert head["ContentEncoding"] == "gzip"
        assert head["ContentType"] == "application/octet-stream"


def test_a_buffer_leaves_after_its_interval_and_not_before(cloud: Cloud) -> None:
    create(plain(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 300}))
    put(b"row")
    cloud.tick()
    cloud.clock.advance(200)
    cloud.tick()
    assert objects() == {}
    cloud.clock.advance(100)
    cloud.tick()
    assert list(objects().values()) == [b"row"]
    assert cloud.service(Firehose).next_due_at() is None


def test_a_buffer_leaves_at_once_when_it_is_full(cloud: Cloud) -> None:
    create(plain(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900}))
    put(b"x" * 600_000, b"y" * 600_000)
    cloud.tick()
    assert [len(body) for body in objects().values()] == [1_200_000]


def test_reading_starts_at_the_end_of_the_stream(cloud: Cloud) -> None:
    put(b"before")
    create(plain())
    put(b"after")
    cloud.run_until_idle()
    assert list(objects().values()) == [b"after"]


def test_kinesis_is_looked_into_at_intervals_and_nothing_waits_for_ever(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "POLL_SECONDS", 100.0)
    create(plain())
    put(b"one")
    cloud.tick()
    put(b"two")
    cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 1
    cloud.clock.advance(100)
    cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 2
    cloud.run_until_idle()
    assert cloud.service(Firehose).next_due_at() is None


def test_a_backlog_is_read_without_a_pause(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "READ_LIMIT", 1)
    monkeypatch.setattr(stream, "POLL_SECONDS", 100.0)
    create(plain())
    put(b"one", b"two", b"three")
    for _ in range(3):
        cloud.tick()
    assert cloud.service(Firehose).counts()[0].received == 3


def test_a_deleted_stream_takes_its_buffer_with_it(cloud: Cloud) -> None:
    create(plain())
    put(b"lost")
    cloud.tick()
    aws("firehose").delete_delivery_stream(DeliveryStreamName="delivery")
    cloud.run_until_idle()
    create(plain())
    cloud.run_until_idle()
    assert objects() == {}


def test_shards_are_read_to_their_end_before_their_children(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "READ_LIMIT", 1)
    kinesis, halves = aws("kinesis"), ("shardId-000000000000", "shardId-000000000001")
    kinesis.create_stream(StreamName="halves", ShardCount=2)
    reader = Source(kinesis, SOURCE.replace("changes", "halves"))

    def fill_and_merge() -> None:
        for number in range(8):
            record = {"Data": b"%d" % number, "PartitionKey": str(number)}
            kinesis.put_record(StreamName="halves", **record)
        adjacent = {"ShardToMerge": halves[0], "AdjacentShardToMerge": halves[1]}
        kinesis.merge_shards(StreamName="halves", **adjacent)

    once(kinesis, "ListShards", fill_and_merge)
    found = b""
    while batches := [each.data for batch in reader.batches() for each in batch]:
        found += b"".join(batches)
    # moto copies what the parents hold into the new shard, so all comes once more.
    assert sorted(found[:8]) == sorted(found[8:]) == sorted(b"01234567")


def test_reading_resumes_where_it_was_when_an_iterator_has_expired(cloud: Cloud) -> None:
    put(b"before.")
    kinesis = aws("kinesis")
    reader = Source(kinesis, SOURCE)

    def expire() -> None:
        error = {"Error": {"Code": "ExpiredIteratorException", "Message": "Iterator expired."}}
        raise kinesis.exceptions.ExpiredIteratorException(error, "GetRecords")

    for expected in (b"one.", b"two."):
        put(expected)
        once(kinesis, "GetRecords", expire)
        assert [each.data for batch in reader.batches() for each in batch] == [expected]


def once(client: Any, operation: str, happen: Callable[[], None]) -> None:
    """Let something happen just before the next call of an operation."""
    moment = f"before-parameter-build.kinesis.{operation}"

    def happen_now(**_: Any) -> None:
        client.meta.events.unregister(moment, happen_now)
        happen()

    client.meta.events.register(moment, happen_now)


def test_what_s3_does_not_take_is_kept_until_it_does(cloud: Cloud) -> None:
    create(plain())
    permit(without("s3:PutObject"))
    put(b"row")
    cloud.run_until_idle()
    assert objects() == {}
    assert {line["errorCode"] for line in logged()} == {"S3.AccessDenied"}
    assert hops(cloud)[1] == (1, 0, 0)
    permit(PERMISSIONS)
    cloud.run_until_idle()
    assert list(objects().values()) == [b"row"]


def test_a_short_failure_of_s3_is_waited_for(cloud: Cloud) -> None:
    create(plain())
    put(b"row")
    cloud.tick()
    cloud.clock.advance(300)
    permit(without("s3:PutObject"))
    cloud.tick()
    permit(PERMISSIONS)
    assert not cloud.tick()
    cloud.run_until_idle()
    assert list(objects().values()) == [b"row"]


def test_reading_waits_while_memory_is_full_and_s3_takes_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MEMORY", 1000)
    create(plain())
    permit(without("s3:PutObject"))
    put(b"x" * 2000)
    cloud.run_until_idle()
    put(b"y")
    cloud.run_until_idle()
    assert cloud.service(Firehose).counts()[0].received == 1
    permit(PERMISSIONS)
    cloud.run_until_idle()
    assert Counter(b"".join(objects().values())) == {ord("x"): 2000, ord("y"): 1}


def test_a_source_that_may_not_be_read_is_read_on_when_it_may(cloud: Cloud) -> None:
    create(plain())
    put(b"one.")
    cloud.run_until_idle()
    permit(without("kinesis:*"))
    put(b"two.")
    cloud.run_until_idle()
    assert [line["errorCode"] for line in logged()] == ["Kinesis.AccessDenied"]
    permit(PERMISSIONS)
    cloud.run_until_idle()
    assert sorted(objects().values()) == [b"one.", b"two."]


def test_a_role_without_permission_to_log_delivers_all_the_same(cloud: Cloud) -> None:
    create()
    permit(without("logs:PutLogEvents"))
    put(order(ok(b"row\n")), order())
    cloud.run_until_idle()
    assert list(objects("lake/").values()) == [b"row\n"]
    assert [each["errorCode"] for each in documents()] == ["Lambda.MissingRecordId"]
    assert logged() == []


def test_metrics_tell_what_was_read_and_delivered(cloud: Cloud) -> None:
    create()
    put(order(ok()), order(ok()), order())
    cloud.run_until_idle()
    sums = {
        name: metric_sum("AWS/Firehose", name, DeliveryStreamName="delivery")
        for name in (
            *("IncomingRecords", "DataReadFromKinesisStream.Records"),
            *("SucceedProcessing.Records", "DeliveryToS3.Records"),
        )
    }
    assert sums == {
        "IncomingRecords": 3,
        "DataReadFromKinesisStream.Records": 3,
        "SucceedProcessing.Records": 2,
        "DeliveryToS3.Records": 3,
    }
