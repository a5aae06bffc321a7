"""Replay from Kinesis: what Firehose never read, or lost, reaches the lake with its history."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from local.core.server import Cloud
from operations.cli import past_time
from operations.kinesis_writer import Sender
from operations.replay import command, kinesis_reader
from operations.verify import command as verify_command
from setup import names
from tests.support.commands import Document, run_json_command
from tests.support.laptop_cloud import aws
from tests.support.profile import sampled
from tests.support.replay_fixture import object_keys
from tests.support.whole_chain import (
    create_pipeline,
    empty_chain,
    laptop_that_runs_in_waits,
    run_setup,
)

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient

POISON = b"never a change"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """The whole chain, on which waiting lets the cloud run."""
    with (
        laptop_that_runs_in_waits(command) as cloud,
        patch.object(kinesis_reader, "PAUSE", 0),
    ):
        create_pipeline()
        yield cloud


@pytest.fixture
def since(cloud: Cloud) -> str:
    """The time from which on the stream's records are those of one order, and of the test."""
    empty_chain(cloud)
    test_began_at = datetime.now(UTC).isoformat()
    put_orders(cloud, "before", 1)
    return test_began_at


def put_orders(cloud: Cloud, status: str, *numbers: int) -> None:
    """Put orders, one after the other, and run the cloud."""
    for number in numbers:
        item = {"order_id": {"S": f"SO-{number}"}, "status": {"S": status}}
        aws("dynamodb").put_item(TableName=names.TABLE, Item=item)
        cloud.run_until_idle()


def lose_firehose(cloud: Cloud) -> None:
    """Delete Firehose, change orders meanwhile, and create it again."""
    aws("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    cloud.run_until_idle()
    put_orders(cloud, "lost", 1, 2)
    run_setup("06_firehose")


def lose_object(cloud: Cloud) -> None:
    """Delete the objects of two changes, with their versions."""
    s3 = aws("s3")
    before = set(object_keys(cloud, names.LAKE))
    put_orders(cloud, "lost", 1, 2)
    for key in set(object_keys(cloud, names.LAKE)) - before:
        response = s3.list_object_versions(Bucket=names.bucket(), Prefix=key)
        for version in response["Versions"]:
            s3.delete_object(Bucket=names.bucket(), Key=key, VersionId=version["VersionId"])


def run_replay(since: str, *options: str) -> tuple[int, Document]:
    return run_json_command(command.main, "--from-kinesis", since, *options)


@pytest.mark.slow
@pytest.mark.parametrize("lose", sampled([lose_firehose, lose_object], step=2))
def test_the_lake_is_whole_after_a_loss(
    cloud: Cloud, since: str, lose: Callable[[Cloud], None]
) -> None:
    lose(cloud)
    put_orders(cloud, "after", 1, 2)
    assert verify_command.main(["--gaps"]) == 1

    status, document = run_replay(since, "--dry-run")
    assert (status, document["replayed"]) == (0, 5)
    cloud.run_until_idle()
    assert verify_command.main(["--gaps"]) == 1

    status, document = run_replay(since)
    assert (status, document["found"], document["replayed"]) == (0, 5, 5)
    assert document["verification"]["equal"]
    assert verify_command.main([]) == 0
    assert verify_command.main(["--gaps"]) == 0


@pytest.mark.slow
def test_a_repeated_run_does_not_grow(cloud: Cloud, since: str) -> None:
    """The stream then holds each change more than once; each is sent once in a run."""
    lose_firehose(cloud)
    counts = [run_replay(since)[1]["replayed"] for _ in range(3)]
    assert counts == [3, 3, 3]


def test_only_records_since_a_time_are_sent(cloud: Cloud, since: str) -> None:
    later = datetime.now(UTC).isoformat()
    put_orders(cloud, "after", 3)
    assert run_replay(later, "--no-verify")[1]["replayed"] == 1


def test_poison_is_reported_and_not_sent(
    cloud: Cloud, since: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aws("kinesis").put_record(StreamName=names.STREAM, Data=POISON, PartitionKey="x")
    capsys.readouterr()
    assert command.main(["--from-kinesis", since, "--no-verify"]) == 1
    output = capsys.readouterr()
    assert "replayed 1 of 2 records; 1 still fails" in output.out
    assert f" of {names.STREAM}, number " in output.out
    assert "these cannot be replayed" not in output.out


def test_a_stream_made_again_is_reported(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    since = (datetime.now(UTC) - timedelta(hours=30)).isoformat()
    command.main(["--from-kinesis", since, "--dry-run", "--no-verify"])
    error = capsys.readouterr().err
    assert error.startswith(f"stream {names.STREAM} holds nothing from before ")
    assert error.endswith("run python -m operations.verify --gaps to find what is missing\n")


def test_an_empty_stream_says_so(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    senders: list[Sender] = []

    def create(kinesis: "KinesisClient", rate: float) -> Sender:
        senders.append(Sender(kinesis, rate=rate))
        return senders[-1]

    monkeypatch.setattr(command, "Sender", create)
    capsys.readouterr()
    since = datetime.now(UTC).isoformat()
    assert command.main(["--from-kinesis", since, "--rate", "7"]) == 0
    expected = f"nothing to replay: no records in stream {names.STREAM} since then\n"
    assert capsys.readouterr() == (expected, "")
    assert [sender.batch_size for sender in senders] == [7]


def test_a_missing_stream_names_its_script(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "STREAM", "missing")
    assert command.main(["--from-kinesis", "24h"]) == 1
    assert "does not exist: run python setup/02_kinesis.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04+02:00", datetime(2026, 1, 2, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc(text: str, expected: datetime) -> None:
    assert past_time(text) == expected


@pytest.mark.parametrize(("text", "minutes"), [("24h", 1440), ("90m", 90), ("1m", 1)])
def test_a_duration_is_counted_back(text: str, minutes: int) -> None:
    before = datetime.now(UTC)
    time = past_time(text)
    assert before <= time + timedelta(minutes=minutes) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from-kinesis", "0h"],
        ["--from-kinesis", "x"],
        ["--from-kinesis", "-5h"],
        ["--from-kinesis", "2999-01-01T00:00"],
        ["--from-kinesis", "99999h"],
        ["--from-kinesis", "24h", "--repaired"],
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
