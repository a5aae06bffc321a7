"""Failures of a pipe: retries, bisecting, record age and dead letters."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.event import Event
from local.services.pipes.poller import Batch, ShardState, backoff_seconds
from local.services.pipes.service import Pipes
from local.services.pipes.stream_reader import ShardCursor
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import (
    ACCOUNT,
    HOUR,
    PERMISSIONS,
    REGION,
    FlakyKinesis,
    PipeEnvironment,
    PutFailure,
    new_environment,
)

put_failures = st.lists(
    st.sampled_from(["ProvisionedThroughputExceededException", "ValidationException"])
    | st.lists(st.booleans(), max_size=6),
    max_size=6,
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, FlakyKinesis) as cloud:
        yield cloud


@pytest.fixture
def env(cloud: Cloud) -> PipeEnvironment:
    return new_environment(cloud)


@given(put_failures)
@example([[True] * 30, [False, True], [True]])
@example(["ValidationException"] * 6)
@settings(max_examples=6)
def test_changes_are_delivered_or_dead_lettered(cloud: Cloud, failures: list[PutFailure]) -> None:
    env = new_environment(cloud)
    env.put_numbered_items(8)
    env.fail_puts(*failures)
    env.create_pipe(key="static")
    env.cloud.run_until_idle()
    count = env.hop_count()
    keys = env.delivered_keys()
    assert count.received == 8 == count.delivered + count.failed
    assert len(keys) == count.delivered
    assert set(keys) | set(env.dead_letter_keys()) == set(map(str, range(8)))
    if not count.failed:
        assert sorted(keys, key=int) == list(map(str, range(8)))


def test_partial_failure_inverts_order(env: PipeEnvironment) -> None:
    env.put_numbered_items(4)
    env.fail_puts([False, True, False, True])
    env.create_pipe(key="static")
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["0", "2", "1", "3"]
    assert env.metric("ExecutionPartiallyFailed") == 1


def test_failed_batch_is_retried_after_backoff(env: PipeEnvironment) -> None:
    env.put_numbered_items(1)
    env.fail_puts([True], [True])
    env.create_pipe()
    for _ in range(5):
        env.cloud.tick()
    assert env.delivered_keys() == []
    env.cloud.clock.advance(1.01)
    env.cloud.tick()
    env.cloud.clock.advance(1.01)
    env.cloud.tick()
    assert env.delivered_keys() == []
    env.cloud.clock.advance(1.01)
    env.cloud.tick()
    assert env.delivered_keys() == ["0"]


def test_exhausted_retries_dead_letter_the_batch(env: PipeEnvironment) -> None:
    env.put_numbered_items(3)
    env.fail_puts(*["InternalFailure"] * 40)
    env.create_pipe(BatchSize=2, MaximumRetryAttempts=1)
    env.cloud.run_until_idle()
    letters = env.dead_letters()
    assert [letter["DDBStreamBatchInfo"]["batchSize"] for letter in letters] == [2, 1]
    assert letters[0]["context"] == {
        "partnerResourceArn": f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/mover",
        "condition": "RetryAttemptsExhausted",
    }
    batch = letters[0]["DDBStreamBatchInfo"]
    assert batch["streamArn"] == env.stream_arn
    assert batch["shardId"].startswith("shardId-")
    assert int(batch["startSequenceNumber"]) < int(batch["endSequenceNumber"])
    assert batch["approximateArrivalOfFirstRecord"].endswith("Z")
    assert env.hop_count() == HopCount("Pipe → Kinesis", 3, 0, 3)


@pytest.mark.parametrize(("failures", "is_delivered"), [(3, True), (4, False)])
def test_retries_respect_maximum_attempts(
    env: PipeEnvironment, failures: int, is_delivered: bool
) -> None:
    env.put_numbered_items(1)
    env.fail_puts(*["InternalFailure"] * failures)
    env.create_pipe(MaximumRetryAttempts=3)
    env.cloud.run_until_idle()
    assert bool(env.delivered_keys()) == is_delivered
    assert bool(env.dead_letters()) != is_delivered


def test_a_missing_permission_dead_letters(env: PipeEnvironment) -> None:
    """AWS counts it as a failed try: the changes do not wait for the permission."""
    env.create_pipe(MaximumRetryAttempts=3)
    env.allow_only(*(name for name in PERMISSIONS if name != "kinesis:PutRecords"))
    env.put_numbered_items(1)
    env.cloud.run_until_idle()
    assert env.dead_letter_keys() == ["0"]
    env.allow_only(*PERMISSIONS)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == []


def test_the_tries_of_setup_last_for_a_working_day() -> None:
    reading = import_module("setup.07_pipe").READING
    tries = range(1, reading["MaximumRetryAttempts"] + 1)
    hours = sum(map(backoff_seconds, tries)) / HOUR
    max_age = reading["MaximumRecordAgeInSeconds"] / HOUR
    assert 7.5 < hours < 8.5
    assert hours + 2 < max_age <= 12  # A dead letter can be replayed for as long again.


def test_oversized_record_is_dead_lettered_alone(env: PipeEnvironment) -> None:
    env.put_items(1, 2)
    for content in (b"x", b"y"):
        env.put_items("large", b={"B": content * 400_000})
    env.put_items(3, 4)
    env.create_pipe(key="static")
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["1", "2", "large", "3", "4"]
    assert env.dead_letter_keys() == ["large"]
    assert env.metric("TargetStageFailed") > 0


def test_bisected_batch_keeps_its_order(env: PipeEnvironment) -> None:
    env.put_numbered_items(5)
    env.fail_puts("ValidationException", "ValidationException")
    env.create_pipe(key="static")
    env.cloud.run_until_idle()
    assert env.delivered_keys() == list("01234")


def test_without_bisect_the_whole_batch_fails(env: PipeEnvironment) -> None:
    env.put_numbered_items(3)
    env.fail_puts("ValidationException")
    env.create_pipe(OnPartialBatchItemFailure=None, BatchSize=2)
    env.cloud.run_until_idle()
    assert env.dead_letter_keys() == ["0", "1"]
    assert env.delivered_keys() == ["2"]


def test_infinite_retries_block_until_expiry(env: PipeEnvironment) -> None:
    for content in (b"x", b"y"):
        env.put_items("large", body={"B": content * 400_000})
    env.put_items("behind")
    started_at = env.cloud.clock.now()
    env.create_pipe(MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1, BatchSize=1)
    env.cloud.run_until_idle()
    assert env.cloud.clock.now() - started_at > 24 * HOUR
    assert env.delivered_keys() == ["large"]
    conditions = Counter(letter["context"]["condition"] for letter in env.dead_letters())
    assert conditions == {"RecordAgeExceeded": 1}


def test_expired_records_are_dead_lettered(env: PipeEnvironment) -> None:
    env.put_items("old")
    env.cloud.clock.advance(2 * HOUR)
    env.put_items("young")
    env.create_pipe(MaximumRecordAgeInSeconds=HOUR)
    env.cloud.run_until_idle()
    assert env.delivered_keys() == ["young"]
    assert env.dead_letters()[0]["context"]["condition"] == "RecordAgeExceeded"


def test_missing_partition_key_is_dead_lettered(env: PipeEnvironment) -> None:
    env.put_items("a", region={"S": "EU"})
    env.put_items("b")
    env.create_pipe(key="$.dynamodb.NewImage.region.S")
    env.cloud.run_until_idle()
    assert [record["PartitionKey"] for record in env.delivered_records()] == ["EU"]
    assert env.dead_letter_keys() == ["b"]


def test_failures_are_dropped_without_a_queue(env: PipeEnvironment) -> None:
    env.put_numbered_items(2)
    env.fail_puts("ValidationException")
    env.create_pipe(DeadLetterConfig=None, OnPartialBatchItemFailure=None)
    env.cloud.run_until_idle()
    assert env.hop_count() == HopCount("Pipe → Kinesis", 2, 0, 2)


def test_dead_letter_is_retried_until_accepted(env: PipeEnvironment) -> None:
    env.put_numbered_items(1)
    env.fail_puts("ValidationException")
    env.create_pipe()
    env.allow_only(*PERMISSIONS[:-1])
    for _ in range(5):
        env.cloud.tick()
    assert (env.hop_count().failed, env.dead_letters()) == (0, [])
    env.allow_only(*PERMISSIONS)
    env.cloud.run_until_idle()
    assert env.dead_letter_keys() == ["0"]


def test_pending_events_wait_for_open_batch() -> None:
    change = Event("1", 0, b"{}", "k")
    cursor = ShardCursor("shard", "", "TRIM_HORIZON")
    shard = ShardState(cursor, pending=[change], pending_since=1.0)
    assert shard.next_due_at(batching_window=1.0) == 2.0
    shard.batches.append(Batch((change,), due_at=9.0))
    assert shard.next_due_at(batching_window=1.0) == 9.0
