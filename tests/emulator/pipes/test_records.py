"""What the laptop's pipe makes of a change: one record of plain JSON, under the key it is told."""

import json
from collections.abc import Iterator

import pytest

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.event import event, resolved
from local.services.pipes.service import Pipes
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import MINUTE, REGION, Moody, Plumbing, fresh


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, Moody) as cloud:
        yield cloud


@pytest.fixture
def plumbing(running: Cloud) -> Plumbing:
    return fresh(running)


def test_every_change_arrives_as_one_record_of_plain_json(plumbing: Plumbing) -> None:
    plumbing.put("a", name={"S": "Zoë"}, total={"N": "1.50"})
    plumbing.put("a", name={"S": "Zoë"}, total={"N": "2"})
    plumbing.make_pipe()
    plumbing.cloud.run_until_idle()
    first, second = plumbing.arrivals()
    assert first["Data"] == first["Data"].strip()
    assert "Zoë".encode() in first["Data"]
    shown = json.loads(second["Data"])
    change = shown.pop("dynamodb")
    assert first["PartitionKey"] == json.loads(first["Data"])["eventID"]
    assert shown.pop("eventID") == second["PartitionKey"]
    assert shown == {
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": plumbing.source,
    }
    assert change["OldImage"]["total"] == {"N": "1.5"}
    assert isinstance(change["ApproximateCreationDateTime"], int)
    assert list(change) == sorted(change)


def test_binary_values_travel_as_base64(plumbing: Plumbing) -> None:
    plumbing.put("a", one={"B": b"\0\xff"}, many={"L": [{"M": {"x": {"BS": [b"\1"]}}}]})
    plumbing.make_pipe()
    plumbing.cloud.run_until_idle()
    image = plumbing.arrived()[0]["dynamodb"]["NewImage"]
    assert image["one"] == {"B": "AP8="}
    assert image["many"] == {"L": [{"M": {"x": {"BS": ["AQ=="]}}}]}


def test_a_removal_by_dynamodb_says_who_did_it(plumbing: Plumbing) -> None:
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    plumbing.table.update_time_to_live(TableName="orders", TimeToLiveSpecification=ttl)
    plumbing.put("a", expires_at={"N": str(int(plumbing.cloud.clock.now()) - 1)})
    plumbing.make_pipe()
    plumbing.cloud.clock.advance(MINUTE)
    plumbing.cloud.run_until_idle()
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert plumbing.arrived()[-1]["userIdentity"] == identity


def test_changes_arrive_in_order_and_once_when_nothing_fails(plumbing: Plumbing) -> None:
    plumbing.put_many(60)
    plumbing.make_pipe(key="static", BatchSize=7)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == [str(key) for key in range(60)]
    assert plumbing.count() == HopCount("Pipe → Kinesis", 60, 60, 0)
    assert plumbing.metric("EventCount") == 60


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
def test_a_path_leads_to_text_or_nowhere(path: str, expected: str) -> None:
    shown = {"a": {"b-c": "text"}, "list": [{}, {"x": 2}], "yes": True}
    assert resolved(path, shown) == expected


def test_a_record_of_another_server_need_not_have_a_time() -> None:
    change = {"Keys": {"id": {"S": "a"}}, "SequenceNumber": "1" * 21}
    found = event({"eventID": "1", "dynamodb": change}, "arn", "static")
    assert json.loads(found.data) == {"eventID": "1", "dynamodb": change, "eventSourceARN": "arn"}
    assert (found.second, found.partition_key) == (0, "static")
