"""The laptop's Kinesis takes what AWS takes, refuses what AWS refuses, and stays quick."""

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
from tests.support.threads import at_once

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


def iterator(kinesis: Any, stream: str, kind: str = "TRIM_HORIZON", **given: str) -> str:
    (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
    answer = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType=kind, **given
    )
    return answer["ShardIterator"]


def texts(kinesis: Any, start: str, **given: int) -> list[str]:
    records = kinesis.get_records(ShardIterator=start, **given)["Records"]
    return [each["Data"].decode() for each in records]


def put_texts(kinesis: Any, stream: str, *found: str) -> list[str]:
    records = [{"Data": text.encode(), "PartitionKey": "k"} for text in found]
    answer = kinesis.put_records(StreamName=stream, Records=records)
    return [each["SequenceNumber"] for each in answer["Records"]]


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
def test_puts_keep_to_the_limits_of_aws(
    kinesis: Any, stream: str, records: list[dict[str, Any]], code: str
) -> None:
    found = ""
    try:
        answer = kinesis.put_records(StreamName=stream, Records=records)
        assert [bool(each["SequenceNumber"]) for each in answer["Records"]] == [True] * len(records)
    except ClientError as error:
        found = error.response["Error"]["Code"]
    assert found == code
    kept = [] if code else [len(each["Data"]) for each in records]
    assert sizes(kinesis, stream) == kept


def sizes(kinesis: Any, stream: str) -> list[int]:
    """Return the sizes of a stream's records, read to its end."""
    found: list[int] = []
    start = iterator(kinesis, stream)
    while page := kinesis.get_records(ShardIterator=start):
        found += [len(each["Data"]) for each in page["Records"]]
        start = page["NextShardIterator"]
        if not page["Records"]:
            return found
    return found


def test_a_single_put_keeps_to_the_limits_too(kinesis: Any, stream: str) -> None:
    with pytest.raises(ClientError, match="less than or equal to 1048576"):
        kinesis.put_record(StreamName=stream, **record(MIB))
    kinesis.put_record(StreamName=stream, **record(MIB - 1))


def test_puts_without_a_stream_or_a_shard_are_refused(kinesis: Any, stream: str) -> None:
    puts = [(f"no-{stream}", record(1)), (stream, record(1) | {"ExplicitHashKey": str(2**128)})]
    codes = [code_of(kinesis.put_records, StreamName=name, Records=[put]) for name, put in puts]
    assert codes == ["ResourceNotFoundException", "InvalidArgumentException"]


def test_every_iterator_type_starts_where_it_says(kinesis: Any, stream: str) -> None:
    numbers = put_texts(kinesis, stream, "0", "1", "2")
    latest = iterator(kinesis, stream, "LATEST")
    put_texts(kinesis, stream, "3")
    at, after = (
        iterator(kinesis, stream, f"{kind}_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])
        for kind in ("AT", "AFTER")
    )
    assert texts(kinesis, iterator(kinesis, stream)) == ["0", "1", "2", "3"]
    assert texts(kinesis, at) == ["1", "2", "3"]
    assert texts(kinesis, after) == ["2", "3"]
    assert texts(kinesis, latest) == ["3"]


def test_pages_join_to_the_whole_shard(kinesis: Any, stream: str) -> None:
    put_texts(kinesis, stream, *map(str, range(7)))
    start, found = iterator(kinesis, stream), []
    for _ in range(4):
        page = kinesis.get_records(ShardIterator=start, Limit=3)
        found += [each["Data"].decode() for each in page["Records"]]
        start = page["NextShardIterator"]
    assert found == list(map(str, range(7)))
    assert page["Records"] == []


def test_a_page_holds_at_most_10_mib(kinesis: Any, stream: str) -> None:
    for _ in range(2):
        kinesis.put_records(StreamName=stream, Records=[record(MIB - 1)] * 8)
    page = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert len(page["Records"]) == 10


def test_an_invented_iterator_is_refused(kinesis: Any) -> None:
    with pytest.raises(ClientError):
        kinesis.get_records(ShardIterator="bm9uZTpub25lOjE=")


def test_a_stream_keeps_the_tags_it_was_made_with(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="tagged", ShardCount=1, Tags={"project": "cdc"})
    tags = kinesis.list_tags_for_stream(StreamName="tagged")["Tags"]
    assert tags == [{"Key": "project", "Value": "cdc"}]


def test_an_on_demand_stream_has_four_shards_and_can_be_encrypted(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="four", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.start_stream_encryption(
        StreamName="four", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    summary = kinesis.describe_stream_summary(StreamName="four")["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["EncryptionType"]) == (4, "KMS")


def test_larger_records_are_refused_loudly(kinesis: Any) -> None:
    with pytest.raises(ClientError, match="not modelled"):
        kinesis.create_stream(StreamName="large", ShardCount=1, MaxRecordSizeInKiB=2048)


def test_putting_at_once_loses_nothing(kinesis: Any, stream: str) -> None:
    def put(number: int) -> None:
        for part in range(5):
            put_texts(kinesis, stream, *(json.dumps([number, part, each]) for each in range(400)))

    at_once(put)
    assert len(set(texts(kinesis, iterator(kinesis, stream)))) == 8000


class Unwalked(OrderedDict[int, Record]):
    """Records that may be looked up, and not walked through from the start."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("the shard was read from its start")


def test_neither_a_put_nor_a_page_walks_through_the_shard(kinesis: Any, stream: str) -> None:
    shard = Shard(0, 0, 2**128)
    shard.records = Unwalked()
    for number in range(1, 100):
        assert shard.put_record("k", "eA==", "") == str(number)
    page, last, _ = shard.get_records("97", None)
    assert ([each.sequence_number for each in page], last) == ([98, 99], 99)


def test_the_age_of_what_is_read_is_measured(cloud: Cloud, kinesis: Any, stream: str) -> None:
    put_texts(kinesis, stream, "a")
    time.sleep(0.02)
    put_texts(kinesis, stream, "b")
    texts(kinesis, iterator(kinesis, stream), Limit=1)
    assert not cloud.tick()
    found = metric_sum("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", StreamName=stream)
    assert found >= 20


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"StreamName": "two words", "ShardCount": 1}, "satisfy regular expression"),
        ({"StreamName": "x", "ShardCount": 2, "StreamModeDetails": ON_DEMAND}, "PROVISIONED"),
        ({"StreamName": "x"}, "PROVISIONED"),
    ],
)
def test_a_stream_that_kinesis_does_not_make_is_refused(
    kinesis: Any, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        kinesis.create_stream(**given)


def test_resharding_is_refused_loudly(kinesis: Any, stream: str) -> None:
    with pytest.raises(ClientError, match="SplitShard is not modelled"):
        kinesis.split_shard(
            StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="9"
        )
