"""Records that a pipe delivers: one JSON document per change, and its partition key."""

import json
from collections.abc import Iterator

import pytest

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.event import event_from_record, resolve_path
from local.services.pipes.service import Pipes
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import (
    MINUTE,
    REGION,
    FlakyKinesis,
    PipeEnvironment,
    new_environment,
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, FlakyKinesis) as cloud:
        yield cloud


@pytest.fixture
def env(cloud: Cloud) -> PipeEnvironment:
    return new_environment(cloud)


def test_change_is_delivered_as_plain_json(env: PipeEnvironment) -> None:
    env.put_items("a", name={"S": "Zoë"}, total={"N": "1.50"})
    env.put_items("a", name={"S": "Zoë"}, total={"N": "2"})
    env.create_pipe()
    env.cloud.run_until_idle()
    first, second = env.delivered_records()
    assert first["Data"] == first["Data"].strip()
    assert "Zoë".encode() in first["Data"]
    document = json.loads(second["Data"])
    change = document.pop("dynamodb")
    assert first["PartitionKey"] == json.loads(first["Data"])["eventID"]
    assert document.pop("eventID") == second["PartitionKey"]
    assert document == {
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": env.stream_arn,
    }
    assert change["OldImage"]["total"] == {"N": "1.5"}
    assert isinstance(change["ApproximateCreationDateTime"], int)
    assert list(change) == sorted(change)


def test_binary_values_are_base64(env: PipeEnvironment) -> None:
    env.put_items("a", one={"B": b"\0\xff"}, many={"L": [{"M": {"x": {"BS": [b"\1"]}}}]})
    env.create_pipe()
    env.cloud.run_until_idle()
    image = env.delivered_changes()[0]["dynamodb"]["NewImage"]
    assert image["one"] == {"B": "AP8="}
    assert image["many"] == {"L": [{"M": {"x": {"BS": ["AQ=="]}}}]}


def test_ttl_deletion_carries_user_identity(env: PipeEnvironment) -> None:
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    env.table.update_time_to_live(TableName="orders", TimeToLiveSpecification=ttl)
    env.put_items("a", expires_at={"N": str(int(env.cloud.clock.now()) - 1)})
    env.create_pipe()
    env.cloud.clock.advance(MINUTE)
    env.cloud.run_until_idle()
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert env.delivered_changes()[-1]["userIdentity"] == identity


def test_changes_arrive_once_and_in_order(env: PipeEnvironment) -> None:
    env.put_numbered_items(60)
    env.create_pipe(key="static", BatchSize=7)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == [str(key) for key in range(60)]
    assert env.hop_count() == HopCount("Pipe → Kinesis", 60, 60, 0)
    assert env.metric("EventCount") == 60


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a.b-c", "text"),
        ("$.list[1].x", "2"),
        ("$.list[2].x", ""),
        ("$.a", ""),
        ("$.yes", ""),
        ("$.a.b-c.d", ""),
    ],
)
def test_json_path_resolves_to_text_or_nothing(path: str, expected: str) -> None:
    document = {"a": {"b-c": "text"}, "list": [{}, {"x": 2}], "yes": True}
    assert resolve_path(path, document) == expected


def test_record_without_timestamp_is_accepted() -> None:
    change = {"Keys": {"id": {"S": "a"}}, "SequenceNumber": "1" * 21}
    event = event_from_record({"eventID": "1", "dynamodb": change}, "arn", "static")
    assert json.loads(event.data) == {"eventID": "1", "dynamodb": change, "eventSourceARN": "arn"}
    assert (event.created_at, event.partition_key) == (0, "static")
