"""The laptop's pipe delivers every change, gives up by its rules alone, and says where to."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.call import AwsError, Call, Reply, json_reply
from local.cloud import Cloud
from local.dynamodb.part import DynamoDb
from local.hops import HopCount
from local.iam.part import Iam
from local.kinesis import Kinesis
from local.pipe.event import Event, event, resolved
from local.pipe.flow import Batch, Lane
from local.pipe.part import NAMESPACE, Pipes
from local.pipe.stream_reader import Cursor
from tests import sharded_streams
from tests.laptop import code_of, empty_account, laptop, metric_sum
from tests.roles import allow, grant, make_role

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mover"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
TARGET = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"
READING = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
ACTIONS = (*(f"dynamodb:{name}" for name in READING), "kinesis:PutRecords", "sqs:SendMessage")
STREAMED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
CAREFUL = {
    "BatchSize": 10,
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": 6 * 3600,
    "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
    "DeadLetterConfig": {"Arn": QUEUE},
}
MINUTE, HOUR = 60, 3600


class Moody(Kinesis):
    """A Kinesis that fails by a script: of each put, whether a record fails, or the whole call."""

    moods: Iterator[str | list[bool]] = iter(())

    def answer(self, call: Call) -> Reply | None:
        mood = next(self.moods, []) if call.operation == "PutRecords" else []
        if isinstance(mood, str):
            raise AwsError(mood, "as the test wants it")
        if not any(mood):
            return super().answer(call)
        records = call.params["Records"]
        fails = [*mood, *[False] * len(records)][: len(records)]
        taken = [each for each, fail in zip(records, fails, strict=True) if not fail]
        if taken:
            body = json.dumps({**call.params, "Records": taken}).encode()
            assert self.cloud.moto(call, body).status == 200
        failure = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "…"}
        put = {"SequenceNumber": "1", "ShardId": "s"}
        results = [failure if fail else put for fail in fails]
        return json_reply({"FailedRecordCount": sum(fails), "Records": results})


class Plumbing:
    """A table, a stream, a queue and a role, and a pipe between them when it is made."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.pipes = cloud.client("pipes")
        self.table = cloud.client("dynamodb")
        self.streams = cloud.client("dynamodbstreams")
        self.kinesis = cloud.client("kinesis")
        self.sqs = cloud.client("sqs")
        self.table.create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification=STREAMED,
        )
        self.kinesis.create_stream(StreamName="changes", ShardCount=1)
        self.sqs.create_queue(QueueName="dead")
        self.source = self.stream_arn()
        make_role("mover", "pipes", allow(" ".join(ACTIONS), "*"))

    def permit(self, *actions: str) -> None:
        grant("mover", allow(" ".join(actions), "*"))

    def stream_arn(self) -> str:
        return self.table.describe_table(TableName="orders")["Table"]["LatestStreamArn"]

    def parameters(self, key: str = "$.eventID", **given: Any) -> dict[str, Any]:
        source = {"StartingPosition": "TRIM_HORIZON", **CAREFUL, **given}
        kept = {name: value for name, value in source.items() if value is not None}
        return {
            "Name": "mover",
            "RoleArn": ROLE,
            "Source": self.source,
            "SourceParameters": {"DynamoDBStreamParameters": kept},
            "Target": TARGET,
            "TargetParameters": {"KinesisStreamParameters": {"PartitionKey": key}},
        }

    def make_pipe(self, key: str = "$.eventID", **given: Any) -> dict[str, Any]:
        self.pipes.create_pipe(**self.parameters(key, **given))
        return self.pipe()

    def pipe(self) -> dict[str, Any]:
        return self.pipes.describe_pipe(Name="mover")

    def moods(self, *moods: str | list[bool]) -> None:
        self.cloud.part(Moody).moods = iter(moods)

    def put(self, *keys: object, **attributes: Any) -> None:
        for key in keys:
            item = {"id": {"S": str(key)}, **attributes}
            self.table.put_item(TableName="orders", Item=item)

    def put_many(self, count: int) -> None:
        for start in range(0, count, 25):
            keys = range(start, min(start + 25, count))
            puts = [{"PutRequest": {"Item": {"id": {"S": str(key)}}}} for key in keys]
            self.table.batch_write_item(RequestItems={"orders": puts})

    def arrived(self) -> list[dict[str, Any]]:
        return [json.loads(each["Data"]) for each in self.arrivals()]

    def arrivals(self) -> list[dict[str, Any]]:
        (shard,) = self.kinesis.list_shards(StreamName="changes")["Shards"]
        start = self.kinesis.get_shard_iterator(
            StreamName="changes", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        return self.kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]

    def keys(self) -> list[str]:
        return [each["dynamodb"]["Keys"]["id"]["S"] for each in self.arrived()]

    def dead_letters(self) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName="dead")["QueueUrl"]
        found: list[dict[str, Any]] = []
        while page := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(each["Body"]) for each in page]
        return found

    def dead_keys(self) -> list[str]:
        """Return the keys of the changes to which the dead letters point, read from the stream."""
        keys = []
        for letter in self.dead_letters():
            place = letter["DDBStreamBatchInfo"]
            start = self.streams.get_shard_iterator(
                StreamArn=place["streamArn"],
                ShardId=place["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=place["startSequenceNumber"],
            )
            records = self.streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
            for record in records:
                change = record["dynamodb"]
                if int(change["SequenceNumber"]) <= int(place["endSequenceNumber"]):
                    keys.append(change["Keys"]["id"]["S"])
        return keys

    def count(self) -> HopCount:
        return self.cloud.part(Pipes).counts()[0]

    def metric(self, name: str) -> float:
        return metric_sum(NAMESPACE, name, PipeName="mover")


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, Moody) as cloud:
        yield cloud


def fresh(running: Cloud) -> Plumbing:
    """Return plumbing through which nothing has come yet."""
    empty_account()
    Iam.changes += 1
    pipes = running.client("pipes")
    for pipe in pipes.list_pipes()["Pipes"]:
        pipes.delete_pipe(Name=pipe["Name"])
    running.part(Moody).moods = iter(())
    return Plumbing(running)


@pytest.fixture
def plumbing(running: Cloud) -> Plumbing:
    return fresh(running)


def test_every_change_arrives_as_one_record_of_plain_json(plumbing: Plumbing) -> None:
    plumbing.put("a", name={"S": "Zoë"}, total={"N": "1.50"})
    plumbing.put("a", name={"S": "Zoë"}, total={"N": "2"})
    plumbing.make_pipe()
    plumbing.cloud.settle()
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
    plumbing.cloud.settle()
    image = plumbing.arrived()[0]["dynamodb"]["NewImage"]
    assert image["one"] == {"B": "AP8="}
    assert image["many"] == {"L": [{"M": {"x": {"BS": ["AQ=="]}}}]}


def test_a_removal_by_dynamodb_says_who_did_it(plumbing: Plumbing) -> None:
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    plumbing.table.update_time_to_live(TableName="orders", TimeToLiveSpecification=ttl)
    plumbing.put("a", expires_at={"N": str(int(plumbing.cloud.clock.now()) - 1)})
    plumbing.make_pipe()
    plumbing.cloud.clock.advance(MINUTE)
    plumbing.cloud.settle()
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert plumbing.arrived()[-1]["userIdentity"] == identity


def test_changes_arrive_in_order_and_once_when_nothing_fails(plumbing: Plumbing) -> None:
    plumbing.put_many(60)
    plumbing.make_pipe(key="static", BatchSize=7)
    plumbing.cloud.settle()
    assert plumbing.keys() == [str(key) for key in range(60)]
    assert plumbing.count() == HopCount("Pipe → Kinesis", 60, 60, 0)
    assert plumbing.metric("EventCount") == 60


moods = st.lists(
    st.sampled_from(["ProvisionedThroughputExceededException", "ValidationException"])
    | st.lists(st.booleans(), max_size=6),
    max_size=6,
)


@given(moods)
@example([[True] * 30, [False, True], [True]])
@example(["ValidationException"] * 6)
@settings(max_examples=6)
def test_every_change_is_delivered_or_dead(running: Cloud, moods: list[str | list[bool]]) -> None:
    plumbing = fresh(running)
    plumbing.put_many(8)
    plumbing.moods(*moods)
    plumbing.make_pipe(key="static")
    plumbing.cloud.settle()
    count, keys = plumbing.count(), plumbing.keys()
    assert count.came_in == 8 == count.went_out + count.failed
    assert len(keys) == count.went_out
    dead = set(plumbing.dead_keys())
    assert set(keys) | dead == set(map(str, range(8)))
    if not count.failed:
        assert sorted(keys, key=int) == list(map(str, range(8)))


def test_only_what_failed_is_put_again_and_so_order_inverts(plumbing: Plumbing) -> None:
    plumbing.put_many(4)
    plumbing.moods([False, True, False, True])
    plumbing.make_pipe(key="static")
    plumbing.cloud.settle()
    assert plumbing.keys() == ["0", "2", "1", "3"]
    assert plumbing.metric("ExecutionPartiallyFailed") == 1


def test_a_failed_batch_is_tried_again_only_after_a_pause(plumbing: Plumbing) -> None:
    plumbing.put_many(1)
    plumbing.moods([True], [True])
    plumbing.make_pipe()
    for _ in range(5):
        plumbing.cloud.step()
    assert plumbing.keys() == []
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.step()
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.step()
    assert plumbing.keys() == []
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.step()
    assert plumbing.keys() == ["0"]


def test_retries_end_in_a_dead_letter_that_says_where_the_batch_lies(plumbing: Plumbing) -> None:
    plumbing.put_many(3)
    plumbing.moods(*["InternalFailure"] * 40)
    plumbing.make_pipe(BatchSize=2, MaximumRetryAttempts=1)
    plumbing.cloud.settle()
    letters = plumbing.dead_letters()
    assert [each["DDBStreamBatchInfo"]["batchSize"] for each in letters] == [2, 1]
    letter = letters[0]
    arn = f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/mover"
    assert letter["context"] == {
        "partnerResourceArn": arn,
        "condition": "RetryAttemptsExhausted",
    }
    place = letter["DDBStreamBatchInfo"]
    assert place["streamArn"] == plumbing.source
    assert place["shardId"].startswith("shardId-")
    assert int(place["startSequenceNumber"]) < int(place["endSequenceNumber"])
    assert place["approximateArrivalOfFirstRecord"].endswith("Z")
    assert plumbing.count() == HopCount("Pipe → Kinesis", 3, 0, 3)


@pytest.mark.parametrize(("failures", "arrives"), [(3, True), (4, False)])
def test_a_batch_is_retried_as_often_as_the_pipe_says(
    plumbing: Plumbing, failures: int, arrives: bool
) -> None:
    plumbing.put_many(1)
    plumbing.moods(*["InternalFailure"] * failures)
    plumbing.make_pipe(MaximumRetryAttempts=3)
    plumbing.cloud.settle()
    assert bool(plumbing.keys()) == arrives
    assert bool(plumbing.dead_letters()) != arrives


def test_a_record_that_is_too_large_dies_alone(plumbing: Plumbing) -> None:
    plumbing.put(1, 2)
    for letter in "xy":
        plumbing.put("large", b={"B": letter.encode() * 400_000})
    plumbing.put(3, 4)
    plumbing.make_pipe(key="static")
    plumbing.cloud.settle()
    assert plumbing.keys() == ["1", "2", "large", "3", "4"]
    assert plumbing.dead_keys() == ["large"]
    assert plumbing.metric("TargetStageFailed") > 0


def test_the_halves_of_a_batch_keep_their_order(plumbing: Plumbing) -> None:
    plumbing.put_many(5)
    plumbing.moods("ValidationException", "ValidationException")
    plumbing.make_pipe(key="static")
    plumbing.cloud.settle()
    assert plumbing.keys() == list("01234")


def test_without_bisecting_a_poison_record_takes_its_batch_along(plumbing: Plumbing) -> None:
    plumbing.put_many(3)
    plumbing.moods("ValidationException")
    plumbing.make_pipe(OnPartialBatchItemFailure=None, BatchSize=2)
    plumbing.cloud.settle()
    assert plumbing.dead_keys() == ["0", "1"]
    assert plumbing.keys() == ["2"]


def test_with_endless_retries_a_poison_record_blocks_its_shard_until_it_expires(
    plumbing: Plumbing,
) -> None:
    for letter in "xy":
        plumbing.put("large", body={"B": letter.encode() * 400_000})
    plumbing.put("behind")
    start = plumbing.cloud.clock.now()
    plumbing.make_pipe(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1, BatchSize=1)
    plumbing.cloud.settle()
    assert plumbing.cloud.clock.now() - start > 24 * HOUR
    assert plumbing.keys() == ["large"]
    conditions = Counter(each["context"]["condition"] for each in plumbing.dead_letters())
    assert conditions == {"RecordAgeExceeded": 1}


def test_records_that_are_too_old_are_not_delivered(plumbing: Plumbing) -> None:
    plumbing.put("old")
    plumbing.cloud.clock.advance(2 * HOUR)
    plumbing.put("young")
    plumbing.make_pipe(MaximumRecordAgeInSeconds=HOUR)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["young"]
    assert plumbing.dead_letters()[0]["context"]["condition"] == "RecordAgeExceeded"


def test_a_record_whose_key_path_leads_nowhere_is_dead(plumbing: Plumbing) -> None:
    plumbing.put("a", region={"S": "EU"})
    plumbing.put("b")
    plumbing.make_pipe(key="$.dynamodb.NewImage.region.S")
    plumbing.cloud.settle()
    assert [each["PartitionKey"] for each in plumbing.arrivals()] == ["EU"]
    assert plumbing.dead_keys() == ["b"]


def test_without_a_queue_what_is_given_up_is_gone(plumbing: Plumbing) -> None:
    plumbing.put_many(2)
    plumbing.moods("ValidationException")
    plumbing.make_pipe(DeadLetterConfig=None, OnPartialBatchItemFailure=None)
    plumbing.cloud.settle()
    assert plumbing.count() == HopCount("Pipe → Kinesis", 2, 0, 2)


def test_a_dead_letter_is_sent_again_until_the_queue_takes_it(plumbing: Plumbing) -> None:
    plumbing.put_many(1)
    plumbing.moods("ValidationException")
    plumbing.make_pipe()
    plumbing.permit(*ACTIONS[:-1])
    for _ in range(5):
        plumbing.cloud.step()
    assert (plumbing.count().failed, plumbing.dead_letters()) == (0, [])
    plumbing.permit(*ACTIONS)
    plumbing.cloud.settle()
    assert plumbing.dead_keys() == ["0"]


@pytest.mark.parametrize("missing", [each for each in ACTIONS if not each.startswith("kinesis")])
def test_a_pipe_whose_role_cannot_read_or_bury_is_not_created(
    plumbing: Plumbing, missing: str
) -> None:
    plumbing.permit(*(action for action in ACTIONS if action != missing))
    pipe = plumbing.make_pipe()
    assert pipe["CurrentState"] == "CREATE_FAILED"
    expected = "message to SQS queue" if missing.startswith("sqs") else "Cannot access stream"
    assert expected in pipe["StateReason"]
    plumbing.permit(*ACTIONS)
    create = plumbing.pipes.create_pipe
    assert code_of(create, **plumbing.parameters()) == "ConflictException"
    assert code_of(plumbing.pipes.start_pipe, Name="mover") == "ConflictException"
    plumbing.pipes.delete_pipe(Name="mover")
    assert plumbing.make_pipe()["CurrentState"] == "RUNNING"


def test_a_pipe_whose_role_cannot_write_runs_and_delivers_nothing(plumbing: Plumbing) -> None:
    plumbing.permit(*(action for action in ACTIONS if not action.startswith("kinesis")))
    plumbing.put_many(1)
    assert plumbing.make_pipe()["CurrentState"] == "RUNNING"
    for _ in range(3):
        plumbing.cloud.step()
        plumbing.cloud.clock.advance(3)
    assert plumbing.pipe()["CurrentState"] == "RUNNING"
    assert plumbing.keys() == []
    assert plumbing.metric("TargetStageFailed") > 1
    plumbing.permit(*ACTIONS)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["0"]


def test_a_pipe_that_may_not_read_any_more_says_so(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.permit("kinesis:PutRecords")
    plumbing.put_many(1)
    plumbing.cloud.settle()
    assert "not authorized" in plumbing.pipe()["StateReason"]
    plumbing.permit(*ACTIONS)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["0"]
    assert "StateReason" not in plumbing.pipe()


def test_a_stopped_pipe_goes_on_where_it_was(plumbing: Plumbing) -> None:
    plumbing.put(1)
    plumbing.pipes.create_pipe(**plumbing.parameters(), DesiredState="STOPPED")
    plumbing.cloud.settle()
    assert (plumbing.pipe()["CurrentState"], plumbing.keys()) == ("STOPPED", [])
    assert plumbing.pipes.start_pipe(Name="mover")["CurrentState"] == "STARTING"
    plumbing.cloud.settle()
    assert plumbing.pipes.stop_pipe(Name="mover")["CurrentState"] == "STOPPING"
    plumbing.put(2)
    plumbing.cloud.settle()
    assert (plumbing.pipe()["CurrentState"], plumbing.keys()) == ("STOPPED", ["1"])
    plumbing.pipes.start_pipe(Name="mover")
    plumbing.cloud.settle()
    assert plumbing.keys() == ["1", "2"]


def test_an_update_replaces_the_source_parameters_but_for_the_start(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.put(1)
    plumbing.cloud.settle()
    plumbing.pipes.update_pipe(
        Name="mover",
        RoleArn=ROLE,
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 5}},
        TargetParameters={"KinesisStreamParameters": {"PartitionKey": "fixed"}},
    )
    stream = plumbing.pipe()["SourceParameters"]["DynamoDBStreamParameters"]
    assert stream["StartingPosition"] == "TRIM_HORIZON"
    assert (stream["BatchSize"], stream["MaximumRetryAttempts"]) == (5, -1)
    plumbing.put(2)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["1", "2"]
    assert plumbing.arrivals()[1]["PartitionKey"] == "fixed"


def test_latest_leaves_out_what_was_before(plumbing: Plumbing) -> None:
    plumbing.put(1)
    plumbing.make_pipe(StartingPosition="LATEST")
    plumbing.cloud.settle()
    plumbing.put(2)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["2"]


def test_a_batch_waits_until_it_is_full_or_its_window_is_over(plumbing: Plumbing) -> None:
    plumbing.make_pipe(MaximumBatchingWindowInSeconds=60, BatchSize=3)
    plumbing.put(1, 2)
    for _ in range(4):
        plumbing.cloud.step()
    assert plumbing.keys() == []
    plumbing.put(3)
    plumbing.cloud.step()
    assert len(plumbing.keys()) == 3
    plumbing.put(4)
    plumbing.cloud.step()
    plumbing.cloud.clock.advance(61)
    plumbing.cloud.step()
    assert len(plumbing.keys()) == 4
    plumbing.put(5)
    plumbing.cloud.settle()
    assert len(plumbing.keys()) == 5


def test_a_batch_of_6_mb_is_full(plumbing: Plumbing) -> None:
    plumbing.make_pipe(MaximumBatchingWindowInSeconds=300, BatchSize=100)
    plumbing.put(*range(17), text={"S": "x" * 390_000})
    while plumbing.cloud.step():
        pass
    assert len(plumbing.keys()) == 16
    plumbing.cloud.settle()
    assert len(plumbing.keys()) == 17


def test_parents_are_read_before_their_children(plumbing: Plumbing) -> None:
    plumbing.make_pipe(key="static", BatchSize=2)
    for key in range(6):
        plumbing.put(key)
        plumbing.cloud.clock.advance(1.5 * HOUR if key < 3 else 4.5 * HOUR)
    plumbing.pipes.update_pipe(
        Name="mover",
        RoleArn=ROLE,
        SourceParameters={"DynamoDBStreamParameters": {"MaximumRecordAgeInSeconds": -1}},
    )
    stream = plumbing.streams.describe_stream(StreamArn=plumbing.source)["StreamDescription"]
    assert len(stream["Shards"]) > 2
    plumbing.cloud.settle()
    assert plumbing.keys() == [str(key) for key in range(6)]


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
@pytest.mark.parametrize("sleep", [20 * MINUTE, 5 * HOUR])
def test_an_iterator_that_expired_loses_nothing(plumbing: Plumbing, start: str, sleep: int) -> None:
    plumbing.make_pipe(StartingPosition=start)
    plumbing.cloud.settle()
    for key in range(3):
        plumbing.put(key)
        plumbing.cloud.clock.advance(sleep)
        plumbing.cloud.settle()
    assert plumbing.keys() == ["0", "1", "2"]


def test_a_pipe_that_stood_still_too_long_goes_on_with_what_is_left(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.put(1)
    plumbing.cloud.settle()
    plumbing.pipes.stop_pipe(Name="mover")
    plumbing.put(2)
    plumbing.cloud.clock.advance(25 * HOUR)
    plumbing.put(3)
    plumbing.pipes.start_pipe(Name="mover")
    plumbing.cloud.settle()
    assert plumbing.keys() == ["1", "3"]


def test_a_pipe_reads_a_disabled_stream_to_its_end_and_never_its_successor(
    plumbing: Plumbing,
) -> None:
    plumbing.make_pipe()
    plumbing.put(1)
    for on in (False, True):
        wanted = STREAMED if on else {"StreamEnabled": False}
        plumbing.table.update_table(TableName="orders", StreamSpecification=wanted)
    plumbing.put(2)
    plumbing.cloud.settle()
    assert plumbing.keys() == ["1"]
    assert plumbing.pipe()["CurrentState"] == "RUNNING"
    plumbing.pipes.stop_pipe(Name="mover")
    plumbing.pipes.start_pipe(Name="mover")
    assert plumbing.pipe()["CurrentState"] == "START_FAILED"
    plumbing.pipes.delete_pipe(Name="mover")
    assert plumbing.make_pipe()["CurrentState"] == "CREATE_FAILED"


@pytest.fixture
def elsewhere(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plumbing]:
    """Plumbing whose table lives on another server, by configuration alone."""
    with sharded_streams.serving() as endpoint:
        for name in ("DYNAMODB", "DYNAMODB_STREAMS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", endpoint)
        with laptop(Iam, Pipes, Moody) as cloud:
            yield Plumbing(cloud)


def put_rounds(plumbing: Plumbing, rounds: range) -> None:
    """Change nine items in each round; `n` counts the rounds."""
    for each in rounds:
        plumbing.put(*range(9), n={"N": str(each)})


def test_another_servers_shards_are_read_parents_first_and_to_their_end(
    elsewhere: Plumbing,
) -> None:
    put_rounds(elsewhere, range(1, 5))
    elsewhere.make_pipe(key="static", BatchSize=5, MaximumBatchingWindowInSeconds=10)
    elsewhere.cloud.settle()
    put_rounds(elsewhere, range(5, 9))
    elsewhere.cloud.settle()
    shards = sharded_streams.shards(elsewhere.streams.meta.endpoint_url, "orders")
    closed = [each for each in shards if "EndingSequenceNumber" in each["SequenceNumberRange"]]
    assert len(closed) >= 5 < len(shards)
    rounds: dict[str, list[int]] = {}
    for change in elsewhere.arrived():
        image = change["dynamodb"]["NewImage"]
        rounds.setdefault(image["id"]["S"], []).append(int(image["n"]["N"]))
    assert rounds == {str(key): list(range(1, 9)) for key in range(9)}


def test_what_another_server_has_trimmed_is_passed_over(elsewhere: Plumbing) -> None:
    elsewhere.make_pipe(key="static")
    put_rounds(elsewhere, range(1, 3))
    elsewhere.cloud.settle()
    elsewhere.pipes.stop_pipe(Name="mover")
    put_rounds(elsewhere, range(3, 8))
    sharded_streams.trim(elsewhere.streams.meta.endpoint_url, elsewhere.source)
    elsewhere.pipes.start_pipe(Name="mover")
    elsewhere.cloud.settle()
    arrived = [int(each["dynamodb"]["NewImage"]["n"]["N"]) for each in elsewhere.arrived()]
    assert arrived.count(2) == 9
    assert 0 < arrived.count(7) <= 9
    assert len(arrived) < 9 * 7
    assert "StateReason" not in elsewhere.pipe()
    assert elsewhere.arrived()[0]["eventSourceARN"] == elsewhere.source


@pytest.mark.parametrize(
    "given",
    [
        {"StartingPosition": "AT_TIMESTAMP"},
        {"StartingPosition": None},
        {"BatchSize": 501},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 604_801},
        {"MaximumBatchingWindowInSeconds": 301},
        {"DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:123456789012:dead"}},
        {"OnPartialBatchItemFailure": "NEVER"},
        {"key": "k" * 257},
        {"key": "$.dynamodb.Keys[*]"},
    ],
)
def test_what_aws_refuses_is_refused(plumbing: Plumbing, given: dict[str, Any]) -> None:
    parameters = plumbing.parameters(**given)
    if given.get("StartingPosition", "") is None:
        parameters["SourceParameters"] = {}
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"
    assert plumbing.pipes.list_pipes()["Pipes"] == []


@pytest.mark.parametrize(
    "given",
    [{"DesiredState": "PAUSED"}, {"LogConfiguration": {"Level": "ERROR"}}],
)
def test_states_that_no_pipe_has_and_logs_that_nobody_writes_are_refused(
    plumbing: Plumbing, given: dict[str, Any]
) -> None:
    parameters = plumbing.parameters() | given
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"


@pytest.mark.parametrize(
    "given",
    [
        {"Name": "a b"},
        {"Source": TARGET},
        {"Target": QUEUE},
        {"RoleArn": "arn:aws:iam::1:user/x"},
        {"Enrichment": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        {"TargetParameters": {}},
    ],
)
def test_what_is_not_modelled_is_refused(plumbing: Plumbing, given: dict[str, Any]) -> None:
    parameters = {**plumbing.parameters(), **given}
    assert code_of(plumbing.pipes.create_pipe, **parameters) == "ValidationException"


def test_pipes_are_found_by_name_state_and_tag(plumbing: Plumbing) -> None:
    first = plumbing.pipes.create_pipe(**plumbing.parameters(), Tags={"project": "cdc", "a": "b"})
    plumbing.pipes.create_pipe(**{**plumbing.parameters(), "Name": "other"}, DesiredState="STOPPED")
    listed = plumbing.pipes.list_pipes
    assert [each["Name"] for each in listed(Limit=1)["Pipes"]] == ["mover"]
    rest = listed(Limit=1, NextToken=listed(Limit=1)["NextToken"])
    assert [each["Name"] for each in rest["Pipes"]] == ["other"]
    assert [each["Name"] for each in listed(CurrentState="STOPPED")["Pipes"]] == ["other"]
    assert [each["Name"] for each in listed(NamePrefix="mo")["Pipes"]] == ["mover"]
    plumbing.pipes.tag_resource(resourceArn=first["Arn"], tags={"c": "d"})
    plumbing.pipes.untag_resource(resourceArn=first["Arn"], tagKeys=["a", "project"])
    assert plumbing.pipes.list_tags_for_resource(resourceArn=first["Arn"])["tags"] == {"c": "d"}
    plumbing.pipes.delete_pipe(Name="mover")
    assert code_of(plumbing.pipes.describe_pipe, Name="mover") == "NotFoundException"


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


def test_what_waits_behind_a_batch_is_not_due_before_it() -> None:
    change = Event("1", 0, b"{}", "k")
    lane = Lane(Cursor("shard", "", "TRIM_HORIZON"), waiting=[change], since=1.0)
    assert lane.wakes_at(window=1.0) == 2.0
    lane.batches.append(Batch((change,), due=9.0))
    assert lane.wakes_at(window=1.0) == 9.0
