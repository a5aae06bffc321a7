"""Reading of a stream by a pipe: starting positions, batches, shards and iterators."""

from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.service import Pipes
from tests.support import sharded_streams
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import (
    HOUR,
    MINUTE,
    ROLE,
    STREAM_ENABLED,
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


def test_latest_skips_older_changes(env: PipeEnvironment) -> None:
    env.put_items(1)
    env.create_pipe(StartingPosition="LATEST")
    env.cloud.run_until_idle()
    env.put_items(2)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["2"]


def test_batch_closes_when_full_or_window_ends(env: PipeEnvironment) -> None:
    env.create_pipe(MaximumBatchingWindowInSeconds=60, BatchSize=3)
    env.put_items(1, 2)
    for _ in range(4):
        env.cloud.tick()
    assert env.delivered_keys() == []
    env.put_items(3)
    env.cloud.tick()
    assert len(env.delivered_keys()) == 3
    env.put_items(4)
    env.cloud.tick()
    env.cloud.clock.advance(61)
    env.cloud.tick()
    assert len(env.delivered_keys()) == 4
    env.put_items(5)
    env.cloud.run_until_idle()
    assert len(env.delivered_keys()) == 5


def test_batch_closes_at_6_mb(env: PipeEnvironment) -> None:
    env.create_pipe(MaximumBatchingWindowInSeconds=300, BatchSize=100)
    env.put_items(*range(17), text={"S": "x" * 390_000})
    while env.cloud.tick():
        pass
    assert len(env.delivered_keys()) == 16
    env.cloud.run_until_idle()
    assert len(env.delivered_keys()) == 17


def test_parent_shards_are_read_first(env: PipeEnvironment) -> None:
    env.create_pipe(key="static", BatchSize=2)
    for key in range(6):
        env.put_items(key)
        env.cloud.clock.advance(1.5 * HOUR if key < 3 else 4.5 * HOUR)
    env.pipes.update_pipe(
        Name="mover",
        RoleArn=ROLE,
        SourceParameters={"DynamoDBStreamParameters": {"MaximumRecordAgeInSeconds": -1}},
    )
    stream = env.streams.describe_stream(StreamArn=env.stream_arn)["StreamDescription"]
    assert len(stream["Shards"]) > 2
    env.cloud.run_until_idle()
    assert env.delivered_keys() == [str(key) for key in range(6)]


@pytest.mark.parametrize("position", ["TRIM_HORIZON", "LATEST"])
@pytest.mark.parametrize("pause", [20 * MINUTE, 5 * HOUR])
def test_expired_iterator_loses_no_records(env: PipeEnvironment, position: str, pause: int) -> None:
    env.create_pipe(StartingPosition=position)
    env.cloud.run_until_idle()
    for key in range(3):
        env.put_items(key)
        env.cloud.clock.advance(pause)
        env.cloud.run_until_idle()
    assert env.delivered_keys() == ["0", "1", "2"]


def test_restarted_pipe_skips_trimmed_records(env: PipeEnvironment) -> None:
    env.create_pipe()
    env.put_items(1)
    env.cloud.run_until_idle()
    env.pipes.stop_pipe(Name="mover")
    env.put_items(2)
    env.cloud.clock.advance(25 * HOUR)
    env.put_items(3)
    env.pipes.start_pipe(Name="mover")
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["1", "3"]


def test_disabled_stream_is_read_to_its_end(env: PipeEnvironment) -> None:
    env.create_pipe()
    env.put_items(1)
    for specification in ({"StreamEnabled": False}, STREAM_ENABLED):
        env.table.update_table(TableName="orders", StreamSpecification=specification)
    env.put_items(2)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["1"]
    assert env.describe_pipe()["CurrentState"] == "RUNNING"
    env.pipes.stop_pipe(Name="mover")
    env.pipes.start_pipe(Name="mover")
    assert env.describe_pipe()["CurrentState"] == "START_FAILED"
    env.pipes.delete_pipe(Name="mover")
    assert env.create_pipe()["CurrentState"] == "CREATE_FAILED"


@pytest.fixture
def sharded_env(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeEnvironment]:
    """An environment whose table is on another server, configured by endpoint only."""
    with sharded_streams.serving() as endpoint:
        for name in ("DYNAMODB", "DYNAMODB_STREAMS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", endpoint)
        with laptop(Iam, Pipes, FlakyKinesis) as sharded_cloud:
            yield PipeEnvironment(sharded_cloud)


def put_rounds(env: PipeEnvironment, rounds: range) -> None:
    """Write nine items in each round; `n` is the number of the round."""
    for number in rounds:
        env.put_items(*range(9), n={"N": str(number)})


@pytest.mark.slow
def test_split_shards_are_read_in_order(sharded_env: PipeEnvironment) -> None:
    put_rounds(sharded_env, range(1, 5))
    sharded_env.create_pipe(key="static", BatchSize=5, MaximumBatchingWindowInSeconds=10)
    sharded_env.cloud.run_until_idle()
    put_rounds(sharded_env, range(5, 9))
    sharded_env.cloud.run_until_idle()
    shards = sharded_streams.shards(sharded_env.streams.meta.endpoint_url, "orders")
    closed_shards = [
        shard for shard in shards if "EndingSequenceNumber" in shard["SequenceNumberRange"]
    ]
    assert len(closed_shards) >= 5 < len(shards)
    rounds: dict[str, list[int]] = {}
    for change in sharded_env.delivered_changes():
        image = change["dynamodb"]["NewImage"]
        rounds.setdefault(image["id"]["S"], []).append(int(image["n"]["N"]))
    assert rounds == {str(key): list(range(1, 9)) for key in range(9)}


@pytest.mark.slow
def test_trimmed_shard_starts_at_oldest_record(sharded_env: PipeEnvironment) -> None:
    sharded_env.create_pipe(key="static")
    put_rounds(sharded_env, range(1, 3))
    sharded_env.cloud.run_until_idle()
    sharded_env.pipes.stop_pipe(Name="mover")
    put_rounds(sharded_env, range(3, 8))
    sharded_streams.trim(sharded_env.streams.meta.endpoint_url, sharded_env.stream_arn)
    sharded_env.pipes.start_pipe(Name="mover")
    sharded_env.cloud.run_until_idle()
    changes = sharded_env.delivered_changes()
    rounds = [int(change["dynamodb"]["NewImage"]["n"]["N"]) for change in changes]
    assert rounds.count(2) == 9
    assert 0 < rounds.count(7) <= 9
    assert len(rounds) < 9 * 7
    assert "StateReason" not in sharded_env.describe_pipe()
    assert changes[0]["eventSourceARN"] == sharded_env.stream_arn
