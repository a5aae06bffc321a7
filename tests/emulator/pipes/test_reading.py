"""The laptop's pipe reads every shard to its end, wherever it stands and however it is served."""

from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from local.services.iam.service import Iam
from local.services.pipes.service import Pipes
from tests.support import sharded_streams
from tests.support.laptop_cloud import laptop
from tests.support.pipe_fixture import HOUR, MINUTE, ROLE, STREAMED, Moody, Plumbing, fresh


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam, DynamoDb, Pipes, Moody) as cloud:
        yield cloud


@pytest.fixture
def plumbing(running: Cloud) -> Plumbing:
    return fresh(running)


def test_latest_leaves_out_what_was_before(plumbing: Plumbing) -> None:
    plumbing.put(1)
    plumbing.make_pipe(StartingPosition="LATEST")
    plumbing.cloud.run_until_idle()
    plumbing.put(2)
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["2"]


def test_a_batch_waits_until_it_is_full_or_its_window_is_over(plumbing: Plumbing) -> None:
    plumbing.make_pipe(MaximumBatchingWindowInSeconds=60, BatchSize=3)
    plumbing.put(1, 2)
    for _ in range(4):
        plumbing.cloud.tick()
    assert plumbing.keys() == []
    plumbing.put(3)
    plumbing.cloud.tick()
    assert len(plumbing.keys()) == 3
    plumbing.put(4)
    plumbing.cloud.tick()
    plumbing.cloud.clock.advance(61)
    plumbing.cloud.tick()
    assert len(plumbing.keys()) == 4
    plumbing.put(5)
    plumbing.cloud.run_until_idle()
    assert len(plumbing.keys()) == 5


def test_a_batch_of_6_mb_is_full(plumbing: Plumbing) -> None:
    plumbing.make_pipe(MaximumBatchingWindowInSeconds=300, BatchSize=100)
    plumbing.put(*range(17), text={"S": "x" * 390_000})
    while plumbing.cloud.tick():
        pass
    assert len(plumbing.keys()) == 16
    plumbing.cloud.run_until_idle()
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
    plumbing.cloud.run_until_idle()
    assert plumbing.keys() == [str(key) for key in range(6)]


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
@pytest.mark.parametrize("sleep", [20 * MINUTE, 5 * HOUR])
def test_an_iterator_that_expired_loses_nothing(plumbing: Plumbing, start: str, sleep: int) -> None:
    plumbing.make_pipe(StartingPosition=start)
    plumbing.cloud.run_until_idle()
    for key in range(3):
        plumbing.put(key)
        plumbing.cloud.clock.advance(sleep)
        plumbing.cloud.run_until_idle()
    assert plumbing.keys() == ["0", "1", "2"]


def test_a_pipe_that_stood_still_too_long_goes_on_with_what_is_left(plumbing: Plumbing) -> None:
    plumbing.make_pipe()
    plumbing.put(1)
    plumbing.cloud.run_until_idle()
    plumbing.pipes.stop_pipe(Name="mover")
    plumbing.put(2)
    plumbing.cloud.clock.advance(25 * HOUR)
    plumbing.put(3)
    plumbing.pipes.start_pipe(Name="mover")
    plumbing.cloud.run_until_idle()
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
    plumbing.cloud.run_until_idle()
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
    elsewhere.cloud.run_until_idle()
    put_rounds(elsewhere, range(5, 9))
    elsewhere.cloud.run_until_idle()
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
    elsewhere.cloud.run_until_idle()
    elsewhere.pipes.stop_pipe(Name="mover")
    put_rounds(elsewhere, range(3, 8))
    sharded_streams.trim(elsewhere.streams.meta.endpoint_url, elsewhere.source)
    elsewhere.pipes.start_pipe(Name="mover")
    elsewhere.cloud.run_until_idle()
    arrived = [int(each["dynamodb"]["NewImage"]["n"]["N"]) for each in elsewhere.arrived()]
    assert arrived.count(2) == 9
    assert 0 < arrived.count(7) <= 9
    assert len(arrived) < 9 * 7
    assert "StateReason" not in elsewhere.pipe()
    assert elsewhere.arrived()[0]["eventSourceARN"] == elsewhere.source
