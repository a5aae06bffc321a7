"""Kinesis reader: every shard is read to its end, whatever Kinesis answers meanwhile."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto.kinesis.models import kinesis_backends

from local.core.server import ACCOUNT
from local.environment import REGION
from local.services.kinesis.service import Kinesis
from operations.replay import kinesis_reader
from operations.replay.kinesis_reader import RETRY_ATTEMPTS, KinesisReader
from tests.support.laptop_cloud import laptop

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient

STREAM = "changes"
SHARD_COUNT = 3
HASH_COUNT = 2**128
RECORDS = [f"record {number}".encode() for number in range(7)]
THROTTLED = {"__type": "ProvisionedThroughputExceededException", "message": "Rate exceeded"}


@pytest.fixture(scope="module")
def stream() -> Iterator[str]:
    """A stream of three shards, each of which has records."""
    with laptop(Kinesis) as cloud:
        kinesis = cloud.client("kinesis")
        kinesis.create_stream(StreamName=STREAM, ShardCount=SHARD_COUNT)
        for number, data in enumerate(RECORDS):
            shard_start = number % SHARD_COUNT * (HASH_COUNT // SHARD_COUNT) + SHARD_COUNT
            kinesis.put_record(
                StreamName=STREAM, Data=data, PartitionKey="x", ExplicitHashKey=str(shard_start)
            )
        yield STREAM


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The requested pauses; none takes any time."""
    pauses: list[float] = []
    monkeypatch.setattr("operations.replay.kinesis_reader.time.sleep", pauses.append)
    return pauses


@pytest.fixture
def client(stream: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> "KinesisClient":
    """A client of the stream, whose pages have at most two records."""
    monkeypatch.setattr(kinesis_reader, "PAGE_RECORDS", 2)
    return boto3.client("kinesis", config=Config())  # Other tests do not share it.


def respond(client: "KinesisClient", status: int, documents: list[dict[str, Any]]) -> None:
    """Let the first reads of a client have these responses instead of those of Kinesis."""

    def take(params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]] | None:
        if not documents:
            return None
        iterator = json.loads(params["body"])["ShardIterator"]
        document = {"NextShardIterator": iterator} | documents.pop()
        code = document.get("__type")
        parsed = document | ({"Error": {"Code": code, "Message": "x"}} if code else {})
        return AWSResponse("", status, HTTPHeaders(), None), parsed

    events_of(client).register("before-call.kinesis.GetRecords", take)


# The stubs do not know that a handler may return something.
def events_of(client: "KinesisClient") -> Any:
    return client.meta.events


def read(client: "KinesisClient", since: timedelta = timedelta(hours=1)) -> list[bytes]:
    """Return the records since a time ago, in any order."""
    pages = KinesisReader(client, STREAM).read_pages(datetime.now(UTC) - since)
    return sorted(record.data for page in pages for record in page)


def test_a_shard_is_read_page_by_page(client: "KinesisClient", pauses: list[float]) -> None:
    pages = list(KinesisReader(client, STREAM).read_pages(datetime.now(UTC) - timedelta(hours=1)))
    assert sorted(record.data for page in pages for record in page) == RECORDS
    assert max(map(len, pages)) == 2
    assert set(pauses) == {kinesis_reader.PAUSE}


def test_a_shard_without_records_has_an_end(client: "KinesisClient") -> None:
    reads: list[object] = []

    def count_read(**_: object) -> None:
        reads.append(1)
        assert len(reads) <= SHARD_COUNT

    events_of(client).register("before-call.kinesis.GetRecords", count_read)
    assert read(client, timedelta(0)) == []
    assert len(reads) == SHARD_COUNT


def test_shards_on_later_pages_are_read(client: "KinesisClient") -> None:
    """ListShards accepts the token of the next page only without the stream's name."""
    pages: list[set[str]] = []

    def limit(params: dict[str, Any], **_: object) -> dict[str, Any]:
        pages.append(set(params))
        return {**params, "MaxResults": 1}

    events_of(client).register("provide-client-params.kinesis.ListShards", limit)
    assert read(client) == RECORDS
    assert pages == [{"StreamName"}, {"NextToken"}, {"NextToken"}]


def test_a_page_may_outlive_its_iterator(client: "KinesisClient") -> None:
    """An iterator is valid for five minutes, and sending a page may take longer."""

    def expire(parsed: dict[str, Any], **_: object) -> None:
        if parsed["Records"]:
            parsed["NextShardIterator"] = "expired"

    events_of(client).register("after-call.kinesis.GetRecords", expire)
    assert read(client) == RECORDS


def test_a_throttled_read_is_repeated(client: "KinesisClient", pauses: list[float]) -> None:
    respond(client, 400, [THROTTLED] * RETRY_ATTEMPTS)
    assert read(client) == RECORDS
    assert sum(pauses) > 60


def test_constant_throttling_is_an_error(client: "KinesisClient", pauses: list[float]) -> None:
    respond(client, 400, [THROTTLED] * (RETRY_ATTEMPTS + 1))
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
        read(client)
    assert len(pauses) == RETRY_ATTEMPTS


def test_an_empty_page_is_not_the_end(client: "KinesisClient") -> None:
    respond(client, 200, [{"Records": [], "MillisBehindLatest": 1000}] * 2)
    assert read(client) == RECORDS


def test_records_after_the_first_call_are_left_out(
    client: "KinesisClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that a replay sends are among them: it would never end."""
    monkeypatch.setattr(kinesis_reader, "CLOCK_MARGIN", timedelta(hours=-1))
    reads: list[object] = []
    events_of(client).register("before-call.kinesis.GetRecords", lambda **_: reads.append(1))
    assert read(client, timedelta(hours=2)) == []
    assert len(reads) == SHARD_COUNT


def test_a_record_names_its_place(client: "KinesisClient") -> None:
    pages = KinesisReader(client, STREAM).read_pages(datetime.now(UTC) - timedelta(hours=1))
    first = next(iter(pages))[0]
    assert first.location.startswith("shardId-000000000000 of changes, number ")
    assert abs(datetime.now(UTC) - first.arrived_at) < timedelta(hours=1)


@pytest.mark.parametrize(("age", "expected"), [(1, 1), (23, 23), (25, 24)])
def test_the_oldest_time_is_within_the_retention(
    client: "KinesisClient", age: int, expected: int
) -> None:
    backend_stream = kinesis_backends[ACCOUNT][REGION].streams[STREAM]
    now = datetime.now(UTC)
    backend_stream.creation_datetime = now - timedelta(hours=age)
    oldest = KinesisReader(client, STREAM).oldest_time()
    assert abs(oldest - (now - timedelta(hours=expected))) < timedelta(minutes=1)
