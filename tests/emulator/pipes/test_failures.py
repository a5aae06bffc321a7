"""The laptop's pipe gives up by its rules alone, and says where to."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.event import Event
from local.services.pipes.poller import Batch, Lane
from local.services.pipes.service import Pipes
from local.services.pipes.stream_reader import Cursor
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import ACCOUNT, ACTIONS, HOUR, REGION, Moody, Plumbing, fresh

moods = st.lists(
    st.sampled_from(["ProvisionedThroughputExceededException", "ValidationException"])
    | st.lists(st.booleans(), max_size=6),
    max_size=6,
)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, Moody) as cloud:
        yield cloud


@pytest.fixture
def plumbing(running: Cloud) -> Plumbing:
    return fresh(running)


@given(moods)
@example([[True] * 30, [False, True], [True]])
@example(["ValidationException"] * 6)
@settings(max_examples=6)
def test_every_change_is_delivered_or_dead(running: Cloud, moods: list[str | list[bool]]) -> None:
    plumbing = fresh(running)
    plumbing.put_many(8)
    plumbing.moods(*moods)
    plumbing.make_pipe(key="static")
    plumbing.cloud.run_until_idle()
    count, keys = plumbing.count(), plumbing.keys()
    assert count.received == 8 == count.delivered + count.failed
    assert len(keys) == count.delivered
    dead = set(plumbing.dead_keys())
    assert set(keys) | dead == set(map(str, range(8)))
    if not count.failed:
        assert sorted(keys, key=int) == list(map(str, range(8)))


def test_only_what_failed_is_put_again_and_so_order_inverts(plumbing: Plumbing) -> None:
    plumbing.put_many(4)
    plumbing.moods([False, True, False, True])
    plumbing.make_pipe(key="static")
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["0", "2", "1", "3"]
    assert plumbing.metric("ExecutionPartiallyFailed") == 1


def test_a_failed_batch_is_tried_again_only_after_a_pause(plumbing: Plumbing) -> None:
    plumbing.put_many(1)
    plumbing.moods([True], [True])
    plumbing.make_pipe()
    for _ in range(5):
        plumbing.cloud.tick()
    assert plumbing.keys() == []
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.tick()
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.tick()
    assert plumbing.keys() == []
    plumbing.cloud.clock.advance(1.01)
    plumbing.cloud.tick()
    assert plumbing.keys() == ["0"]


def test_retries_end_in_a_dead_letter_that_says_where_the_batch_lies(plumbing: Plumbing) -> None:
    plumbing.put_many(3)
    plumbing.moods(*["InternalFailure"] * 40)
    plumbing.make_pipe(BatchSize=2, MaximumRetryAttempts=1)
    plumbing.cloud.run_until_idle()
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
    plumbing.cloud.run_until_idle()
    assert bool(plumbing.keys()) == arrives
    assert bool(plumbing.dead_letters()) != arrives


def test_a_record_that_is_too_large_dies_alone(plumbing: Plumbing) -> None:
    plumbing.put(1, 2)
    for letter in "xy":
        plumbing.put("large", b={"B": letter.encode() * 400_000})
    plumbing.put(3, 4)
    plumbing.make_pipe(key="static")
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["1", "2", "large", "3", "4"]
    assert plumbing.dead_keys() == ["large"]
    assert plumbing.metric("TargetStageFailed") > 0


def test_the_halves_of_a_batch_keep_their_order(plumbing: Plumbing) -> None:
    plumbing.put_many(5)
    plumbing.moods("ValidationException", "ValidationException")
    plumbing.make_pipe(key="static")
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == list("01234")


def test_without_bisecting_a_poison_record_takes_its_batch_along(plumbing: Plumbing) -> None:
    plumbing.put_many(3)
    plumbing.moods("ValidationException")
    plumbing.make_pipe(OnPartialBatchItemFailure=None, BatchSize=2)
    plumbing.cloud.run_until_idle()
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
    plumbing.cloud.run_until_idle()
    assert plumbing.cloud.clock.now() - start > 24 * HOUR
    assert plumbing.keys() == ["large"]
    conditions = Counter(each["context"]["condition"] for each in plumbing.dead_letters())
    assert conditions == {"RecordAgeExceeded": 1}


def test_records_that_are_too_old_are_not_delivered(plumbing: Plumbing) -> None:
    plumbing.put("old")
    plumbing.cloud.clock.advance(2 * HOUR)
    plumbing.put("young")
    plumbing.make_pipe(MaximumRecordAgeInSeconds=HOUR)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["young"]
    assert plumbing.dead_letters()[0]["context"]["condition"] == "RecordAgeExceeded"


def test_a_record_whose_key_path_leads_nowhere_is_dead(plumbing: Plumbing) -> None:
    plumbing.put("a", region={"S": "EU"})
    plumbing.put("b")
    plumbing.make_pipe(key="$.dynamodb.NewImage.region.S")
    plumbing.cloud.run_until_idle()
    assert [each["PartitionKey"] for each in plumbing.arrivals()] == ["EU"]
    assert plumbing.dead_keys() == ["b"]


def test_without_a_queue_what_is_given_up_is_gone(plumbing: Plumbing) -> None:
    plumbing.put_many(2)
    plumbing.moods("ValidationException")
    plumbing.make_pipe(DeadLetterConfig=None, OnPartialBatchItemFailure=None)
    plumbing.cloud.run_until_idle()
    assert plumbing.count() == HopCount("Pipe → Kinesis", 2, 0, 2)


def test_a_dead_letter_is_sent_again_until_the_queue_takes_it(plumbing: Plumbing) -> None:
    plumbing.put_many(1)
    plumbing.moods("ValidationException")
    plumbing.make_pipe()
    plumbing.permit(*ACTIONS[:-1])
    for _ in range(5):
        plumbing.cloud.tick()
    assert (plumbing.count().failed, plumbing.dead_letters()) == (0, [])
    plumbing.permit(*ACTIONS)
    plumbing.cloud.run_until_idle()
    assert plumbing.dead_keys() == ["0"]


def test_what_waits_behind_a_batch_is_not_due_before_it() -> None:
    change = Event("1", 0, b"{}", "k")
    lane = Lane(Cursor("shard", "", "TRIM_HORIZON"), waiting=[change], since=1.0)
    assert lane.next_due_at(window=1.0) == 2.0
    lane.batches.append(Batch((change,), due=9.0))
    assert lane.next_due_at(window=1.0) == 9.0
