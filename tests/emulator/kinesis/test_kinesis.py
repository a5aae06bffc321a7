"""Kinesis on the laptop: AWS's limits and errors, and reads in linear time."""

import json
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.kinesis.models import Record, Shard

from local.core.server import Cloud
from local.services.kinesis.service import Kinesis
from tests.support.laptop_cloud import code_of, laptop, metric_sum
from tests.support.threads import run_in_threads

ON_DEMAND = {"StreamMode": "ON_DEMAND"}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(Kinesis) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def kinesis(cloud: Cloud) -> Any:
    return boto3.client("kinesis")


@pytest.fixture
def stream(kinesis: Any) -> str:
    """A stream of one shard."""
    name = f"stream-{time.monotonic_ns()}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    return name


def record(size: int, key: str = "k") -> dict[str, Any]:
    return {"Data": b"x" * size, "PartitionKey": key}


def iterator(kinesis: Any, stream: str, kind: str = "TRIM_HORIZON", **params: str) -> str:
    (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
    response = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType=kind, **params
    )
    return str(response["ShardIterator"])


def read_texts(kinesis: Any, start: str, **params: int) -> list[str]:
    records = kinesis.get_records(ShardIterator=start, **params)["Records"]
    return [record["Data"].decode() for record in records]


def put_texts(kinesis: Any, stream: str, *texts: str) -> list[str]:
    """Put the texts as records, and return their sequence numbers."""
    records = [{"Data": text.encode(), "PartitionKey": "k"} for text in texts]
    response = kinesis.put_records(StreamName=stream, Records=records)
    return [result["SequenceNumber"] for result in response["Records"]]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([record(MIB - 1)], ""),
        ([record(MIB)], "ValidationException"),
        ([record(MIB - 2, "ä")], ""),
        ([record(MIB - 1, "ä")], "ValidationException"),
        ([record(1)] * 500, ""),
        ([record(1)] * 501, "ValidationException"),
        ([record(MIB - 1)] * 10, ""),
        ([record(MIB - 1)] * 10 + [record(1)], "InvalidArgumentException"),
        ([record(1, "k" * 257)], "ValidationException"),
    ],
)
def test_puts_have_the_limits_of_aws(
    kinesis: Any, stream: str, records: list[dict[str, Any]], code: str
) -> None:
    if code:
        assert code_of(kinesis.put_records, StreamName=stream, Records=records) == code
        assert record_sizes(kinesis, stream) == []
        return
    response = kinesis.put_records(StreamName=stream, Records=records)
    assert all(result["SequenceNumber"] for result in response["Records"])
    assert record_sizes(kinesis, stream) == [len(record["Data"]) for record in records]


def record_sizes(kinesis: Any, stream: str) -> list[int]:
    """Return the sizes of a stream's records, read to its end."""
    sizes: list[int] = []
    start = iterator(kinesis, stream)
    while True:
        page = kinesis.get_records(ShardIterator=start)
        if not page["Records"]:
            return sizes
        sizes += [len(record["Data"]) for record in page["Records"]]
        start = page["NextShardIterator"]


def test_single_put_has_the_same_limits(kinesis: Any, stream: str) -> None:
    with pytest.raises(ClientError, match="less than or equal to 1048576"):
        kinesis.put_record(StreamName=stream, **record(MIB))
    kinesis.put_record(StreamName=stream, **record(MIB - 1))


def test_puts_to_missing_stream_or_shard_fail(kinesis: Any, stream: str) -> None:
    puts = [(f"no-{stream}", record(1)), (stream, record(1) | {"ExplicitHashKey": str(2**128)})]
    codes = [code_of(kinesis.put_records, StreamName=name, Records=[put]) for name, put in puts]
    assert codes == ["ResourceNotFoundException", "InvalidArgumentException"]


def test_iterator_types_start_at_their_position(kinesis: Any, stream: str) -> None:
    numbers = put_texts(kinesis, stream, "0", "1", "2")
    latest = iterator(kinesis, stream, "LATEST")
    put_texts(kinesis, stream, "3")
    at_number, after_number = (
        iterator(kinesis, stream, f"{kind}_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])
        for kind in ("AT", "AFTER")
    )
    assert read_texts(kinesis, iterator(kinesis, stream)) == ["0", "1", "2", "3"]
    assert read_texts(kinesis, at_number) == ["1", "2", "3"]
    assert read_texts(kinesis, after_number) == ["2", "3"]
    assert read_texts(kinesis, latest) == ["3"]


def test_a_stream_can_be_read_by_its_arn(kinesis: Any, stream: str) -> None:
    put_texts(kinesis, stream, "0")
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    arn = summary["StreamARN"]
    (shard,) = kinesis.list_shards(StreamARN=arn)["Shards"]
    start = kinesis.get_shard_iterator(
        StreamARN=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert read_texts(kinesis, start["ShardIterator"]) == ["0"]


def test_pages_cover_the_whole_shard(kinesis: Any, stream: str) -> None:
    put_texts(kinesis, stream, *map(str, range(7)))
    start = iterator(kinesis, stream)
    texts: list[str] = []
    for _ in range(4):
        page = kinesis.get_records(ShardIterator=start, Limit=3)
        texts += [record["Data"].decode() for record in page["Records"]]
        start = page["NextShardIterator"]
    assert texts == list(map(str, range(7)))
    assert page["Records"] == []


def test_page_has_at_most_10_mib(kinesis: Any, stream: str) -> None:
    for _ in range(2):
        kinesis.put_records(StreamName=stream, Records=[record(MIB - 1)] * 8)
    page = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert len(page["Records"]) == 10


def test_invalid_iterator_is_rejected(kinesis: Any) -> None:
    with pytest.raises(ClientError):
        kinesis.get_records(ShardIterator="bm9uZTpub25lOjE=")


def test_stream_is_created_with_its_tags(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="tagged", ShardCount=1, Tags={"project": "cdc"})
    tags = kinesis.list_tags_for_stream(StreamName="tagged")["Tags"]
    assert tags == [{"Key": "project", "Value": "cdc"}]


def test_on_demand_stream_has_four_shards(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="four", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.start_stream_encryption(
        StreamName="four", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    summary = kinesis.describe_stream_summary(StreamName="four")["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["EncryptionType"]) == (4, "KMS")


def test_larger_record_size_is_rejected(kinesis: Any) -> None:
    with pytest.raises(ClientError, match="not modelled"):
        kinesis.create_stream(StreamName="large", ShardCount=1, MaxRecordSizeInKiB=2048)


def test_concurrent_puts_lose_no_record(kinesis: Any, stream: str) -> None:
    def put(number: int) -> None:
        for batch in range(5):
            texts = [json.dumps([number, batch, index]) for index in range(400)]
            put_texts(kinesis, stream, *texts)

    run_in_threads(put)
    assert len(set(read_texts(kinesis, iterator(kinesis, stream)))) == 8000


class LookupOnlyRecords(OrderedDict[int, Record]):
    """Records that may be looked up but not iterated from the start."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("the shard was read from its start")


def test_puts_and_pages_do_not_scan_the_shard(kinesis: Any, stream: str) -> None:
    shard = Shard(0, 0, 2**128)
    shard.records = LookupOnlyRecords()
    for number in range(1, 100):
        assert shard.put_record("k", "eA==", "") == str(number)
    page, last, _ = shard.get_records("97", None)
    assert ([record.sequence_number for record in page], last) == ([98, 99], 99)


def test_iterator_age_is_published(cloud: Cloud, kinesis: Any, stream: str) -> None:
    put_texts(kinesis, stream, "a")
    time.sleep(0.02)
    put_texts(kinesis, stream, "b")
    read_texts(kinesis, iterator(kinesis, stream), Limit=1)
    assert not cloud.tick()
    age = metric_sum("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", StreamName=stream)
    assert age >= 20


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"StreamName": "two words", "ShardCount": 1}, "satisfy regular expression"),
        ({"StreamName": "x", "ShardCount": 2, "StreamModeDetails": ON_DEMAND}, "PROVISIONED"),
        ({"StreamName": "x"}, "PROVISIONED"),
    ],
)
def test_invalid_stream_is_rejected(kinesis: Any, params: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=reason):
        kinesis.create_stream(**params)


def test_resharding_is_rejected(kinesis: Any, stream: str) -> None:
    with pytest.raises(ClientError, match="SplitShard is not modelled"):
        kinesis.split_shard(
            StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="9"
        )


def test_a_token_of_shards_excludes_the_stream(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="three-shards", ShardCount=3)
    all_shards = kinesis.list_shards(StreamName="three-shards")["Shards"]
    page = kinesis.list_shards(StreamName="three-shards", MaxResults=2)
    token = page["NextToken"]
    last_page = kinesis.list_shards(NextToken=token)
    assert page["Shards"] + last_page["Shards"] == all_shards
    assert "NextToken" not in last_page
    list_shards = kinesis.list_shards
    for params in ({"NextToken": token, "StreamName": "three-shards"}, {"NextToken": "x"}):
        assert code_of(list_shards, **params) == "InvalidArgumentException"
    assert code_of(list_shards, StreamName="no", MaxResults=1) == "ResourceNotFoundException"
    kinesis.delete_stream(StreamName="three-shards")
