"""Backfill: killed at any time and run again, with live writes, the lake equals the table."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from analytics.athena import run_query
from local.core.server import Cloud
from operations import firehose
from operations.backfill import command
from operations.backfill.checkpoint import END, START, Checkpoint, InvalidCheckpoint
from operations.backfill.completion import is_completed
from operations.backfill.scope import Scope, describe_scope
from operations.kinesis_writer import DryRunSender, OutgoingRecord, PutRejected
from operations.table import Item, Page, Table
from operations.verify import command as verify
from setup import names
from tests.support.laptop_cloud import aws, create_table
from tests.support.paths import PROJECT
from tests.support.whole_chain import create_pipeline, laptop_that_runs_in_waits
from transform import canonical

ITEM_COUNT = 300
RATE = 60
KILL_COUNT = 3
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
STREAM = f"{ARN}/stream/2026-11-24T10:00:00.000"
NO_CLIENT: Any = None
TABLE = Table(NO_CLIENT, "t", {"id": "B"}, ARN, STREAM, 0)
SCOPE = Scope(ARN, STREAM, names.PIPELINE, "s3://lake with id 1", "Kinesis", "Firehose")


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud with a chain, whose table was filled before it had a stream."""
    with laptop_that_runs_in_waits() as cloud:
        create_filled_table()
        create_pipeline()
        yield cloud


def create_filled_table() -> None:
    """Create the table without a stream, and fill it."""
    create_table(aws("dynamodb"), names.TABLE, {"order_id": "S"})
    for number in range(ITEM_COUNT):
        put_order(number, "placed")


def put_order(number: int, status: str, **attributes: Any) -> None:
    """Put an order into the table."""
    item = {"order_id": {"S": f"SO-{number:03}"}, "status": {"S": status}, "raw": {"B": b"\x00"}}
    aws("dynamodb").put_item(TableName=names.TABLE, Item=item | attributes)


def delete_order(number: int) -> None:
    """Delete an order from the table."""
    key = {"order_id": {"S": f"SO-{number:03}"}}
    aws("dynamodb").delete_item(TableName=names.TABLE, Key=key)


@contextmanager
def live_writes(cloud: Cloud, rng: random.Random) -> Iterator[None]:
    """Change orders and run the cloud within the block."""
    is_ended = threading.Event()

    def write() -> None:
        while not is_ended.wait(0.05):
            number = rng.randrange(2 * ITEM_COUNT)
            if rng.random() < 0.2:
                delete_order(number)
            else:
                put_order(number, f"status-{rng.random()}")
            cloud.tick()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_ended.set()
        thread.join()


def command_line(checkpoint: Path, *options: str) -> list[str]:
    """Return the command line of a backfill."""
    return [sys.executable, "-m", "operations.backfill", "--checkpoint", str(checkpoint), *options]


def run_and_kill(checkpoint: Path, item_count: int) -> None:
    """Start a backfill, and kill it once it has sent more than the given number of items."""
    process = subprocess.Popen(command_line(checkpoint, "--rate", str(RATE)), cwd=PROJECT)
    while sent_count(checkpoint) <= item_count:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def sent_count(checkpoint: Path) -> int:
    """Return how many items were sent according to a checkpoint."""
    if not checkpoint.exists():
        return 0
    sent: int = json.loads(checkpoint.read_text())["sent"]
    return sent


def count_snapshots() -> int:
    """Return the number of snapshots in the lake."""
    query = f"SELECT count(*) FROM {names.CHANGES} WHERE cdc_operation = 'SNAPSHOT'"
    [(count,)] = run_query(query).rows
    return int(count or 0)


@pytest.mark.slow
def test_a_killed_backfill_resumes_under_live_writes(chain: Cloud, tmp_path: Path) -> None:
    checkpoint = tmp_path / "backfill.json"
    rng = random.Random(20261126)
    with live_writes(chain, rng):
        for kill in range(KILL_COUNT):
            run_and_kill(checkpoint, rng.randrange(kill * RATE, (kill + 1) * RATE))
        sent_before = sent_count(checkpoint)
        assert not is_completed(describe_table().require_stream())
        process = subprocess.run(
            command_line(checkpoint),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert process.returncode == 0, process
    resumed = f"resuming from {checkpoint}: {sent_before} items already sent\nsent "
    assert process.stdout.startswith(resumed)
    assert not checkpoint.exists()
    assert is_completed(describe_table().require_stream())
    chain.run_until_idle()
    assert verify.main(["--json", str(tmp_path / "result.json")]) == 0
    assert json.loads((tmp_path / "result.json").read_text())["table"] > ITEM_COUNT / 2
    # Of the acknowledged items, each kill repeats at most one page.
    sent = int(process.stdout.split("\nsent ")[1].split()[0])
    assert count_snapshots() <= sent + KILL_COUNT * RATE


def run_backfill(*options: str) -> int:
    """Run a backfill in this process, and return its exit status."""
    return command.main(["--rate", "9999", *options])


def table_keys() -> set[str]:
    """Return the keys of the table."""
    return {key for key, _ in describe_table().scan_items()}


def describe_table() -> Table:
    """Return the chain's table."""
    return Table.describe(aws("dynamodb"), names.TABLE)


def forget_completion() -> None:
    """Remove the records of earlier backfills."""
    response = aws("s3").list_objects_v2(Bucket=names.bucket(), Prefix=names.BACKFILLS)
    for entry in response.get("Contents", []):
        aws("s3").delete_object(Bucket=names.bucket(), Key=entry["Key"])


def test_a_dry_run_counts_and_sends_nothing(
    chain: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_completion()
    before = count_snapshots()
    path = tmp_path / "checkpoint.json"
    assert run_backfill("--dry-run", "--checkpoint", str(path)) == 0
    assert capsys.readouterr() == (f"would send {len(table_keys())} items\n", "")
    chain.run_until_idle()
    assert count_snapshots() == before
    assert not path.exists()
    assert not is_completed(describe_table().require_stream())


@pytest.mark.slow
def test_newer_changes_and_oversized_items_are_kept(
    chain: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chain.run_until_idle()
    forget_completion()
    put_order(1, "large", note={"S": "\x01" * 200_000})
    scan_pages = Table.scan_pages

    def scan_pages_amid_writes(*args: Any, **options: Any) -> Iterator[Page[Item]]:
        for page in scan_pages(*args, **options):
            put_order(2, "newer")
            delete_order(3)
            yield page

    put_order(2, "older")
    put_order(3, "older")
    monkeypatch.setattr(Table, "scan_pages", scan_pages_amid_writes)
    assert run_backfill("--checkpoint", str(tmp_path / "checkpoint.json")) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('left       {"order_id":{"S":"SO-001"}}  its record exceeds')
    assert not is_completed(describe_table().require_stream())
    summary = r"sent \d+ items; 1 left, too large for Kinesis; they reach the lake within about "
    expected_end = f"{firehose.max_delay_seconds():g} s: then run python -m operations.verify"
    assert re.sub(summary, "", lines[1]) == expected_end
    chain.run_until_idle()
    for number in (2, 3):
        assert verify.main(["--key", f'{{"order_id": {{"S": "SO-{number:03}"}}}}']) == 0
    put_order(1, "small")
    chain.run_until_idle()
    assert verify.main(["--repair"]) == 0


class FailingSender(DryRunSender):
    """A sender that accepts a number of calls, and rejects all later ones."""

    def __init__(self, accepted_calls: int) -> None:
        super().__init__(NO_CLIENT, rate=50)
        self.accepted_calls = accepted_calls
        self.names: list[str] = []

    def send(self, records: Iterable[OutgoingRecord]) -> list[str]:
        if not self.accepted_calls:
            raise PutRejected("throttling")
        self.accepted_calls -= 1
        page = [record.name for record in records]
        assert len(page) <= self.batch_size  # A kill repeats no more.
        self.names += page
        return []


def test_the_checkpoint_has_what_was_acknowledged(
    chain: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[tqdm[Any]] = []

    def show(**options: Any) -> "tqdm[Any]":
        bars.append(tqdm(**options | {"disable": False, "file": StringIO()}))
        return bars[-1]

    monkeypatch.setattr(command, "tqdm", show)
    table = describe_table()
    scope = describe_scope(table, is_dry_run=False)
    path = tmp_path / "new-folder" / "checkpoint.json"
    acknowledged: list[str] = []
    for accepted_calls in (0, 1, 3):
        start = Checkpoint.read(path, scope)
        assert start.sent == len(acknowledged)
        sender = FailingSender(accepted_calls)
        with pytest.raises(PutRejected):
            command.send_items(table, start, sender, path)
        acknowledged += sender.names
    sender = FailingSender(99)
    end = command.send_items(table, Checkpoint.read(path, scope), sender, path)
    acknowledged += sender.names
    assert set(end.segments) == {END}
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) == table_keys()
    [*_, bar] = bars
    assert (bar.initial, bar.n) == (len(acknowledged) - len(sender.names), len(acknowledged))
    assert (bar.desc, bar.unit, bar.total) == ("backfill", " items", table.item_count)


@pytest.mark.parametrize(
    ("module", "constant", "message"),
    [
        (command, "TABLE", "table sales-cdc-orders does not exist: run python setup/01_dynamodb"),
        (command, "PIPE", "pipe sales-cdc-pipe does not exist: run python setup/07_pipe.py"),
        (firehose, "DELIVERY", "does not exist: run python setup/06_firehose.py"),
    ],
)
def test_a_missing_resource_names_its_script(
    chain: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    constant: str,
    message: str,
) -> None:
    monkeypatch.setattr(module, constant, "absent")
    assert run_backfill() == 1
    assert message in capsys.readouterr().err


def test_a_stopped_pipe_is_rejected(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    aws("pipes").stop_pipe(Name=names.PIPE)
    chain.run_until_idle()
    assert run_backfill() == 1
    message = "pipe sales-cdc-pipe is STOPPED: run python setup/08_start_pipe.py"
    assert message in capsys.readouterr().err
    aws("pipes").start_pipe(Name=names.PIPE)
    chain.run_until_idle()


def test_a_pipe_on_another_stream_is_rejected(chain: Cloud) -> None:
    message = f"reads .*, but the table's stream is {STREAM}"
    with pytest.raises(firehose.PipelineNotReady, match=message):
        command.require_pipeline(replace(describe_table(), stream=STREAM))


def test_ctrl_c_says_how_to_resume(
    chain: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page_sizes: list[int] = []

    def interrupt(*_: object, page_size: int) -> None:
        page_sizes.append(page_size)
        raise KeyboardInterrupt

    monkeypatch.setattr(Table, "scan_pages", interrupt)
    options = ["--checkpoint", str(tmp_path / "checkpoint.json"), "--rate", "7"]
    assert run_backfill(*options) == 130
    assert capsys.readouterr().err == "interrupted; run again to resume\n"
    assert run_backfill("--dry-run", *options) == 130
    assert capsys.readouterr().err == ""
    assert page_sizes == [7, 7]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0"],
        ["--rate", "x"],
        ["--rate", "9" * 400],
        ["--rate", f"0.{'0' * 320}1"],
        ["--checkpoint", "/"],
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)


def page_of(segment: int, last_key: bytes | None) -> Page[Item]:
    """Return a page of one item."""
    key = None if last_key is None else {"id": {"B": last_key}}
    return Page(segment, [{"id": {"B": b"-"}}], key, NOW)


PAGES = st.lists(
    st.builds(page_of, st.integers(0, 3), st.none() | st.binary(min_size=1, max_size=9))
)


@given(PAGES, st.lists(st.text(max_size=3), max_size=1))
def test_a_checkpoint_survives_a_round_trip(pages: list[Page[Item]], oversized: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.json")
        start = Checkpoint.read(path, SCOPE)
        checkpoint = start
        for page in pages:
            checkpoint = checkpoint.advance(page, oversized)
            checkpoint.write(path)
        assert Checkpoint.read(path, SCOPE) == checkpoint
    assert start.start_keys(TABLE) == dict.fromkeys(range(4))
    last_keys = {page.segment: page.last_key for page in pages}
    finished = {segment for segment, last_key in last_keys.items() if last_key is None}
    assert checkpoint.start_keys(TABLE) == {
        segment: last_keys.get(segment) for segment in range(4) if segment not in finished
    }
    assert checkpoint.sent + len(checkpoint.oversized) == len(pages)


def checkpoint_text(**members: Any) -> str:
    """Return the checkpoint file of a backfill that has begun, with other values of members."""
    return json.dumps(asdict(Checkpoint(SCOPE)) | members)


def foreign_text(**members: str) -> str:
    """Return the checkpoint file of a backfill whose scope has other values of members."""
    return checkpoint_text(scope=asdict(replace(SCOPE, **members)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a backfill checkpoint"),
        ("[1]", "is not a backfill checkpoint"),
        ('{"table": "t"}', "is not a backfill checkpoint"),
        (checkpoint_text(segments=[]), "is not a backfill checkpoint"),
        (checkpoint_text(segments=[5]), "is not a backfill checkpoint"),
        (checkpoint_text(oversized=[None]), "is not a backfill checkpoint"),
        ("[" * 100_000, "is not a backfill checkpoint"),
        (checkpoint_text(scope="a text"), "is not a backfill checkpoint"),
        (checkpoint_text(scope={"table": ARN}), "is not a backfill checkpoint"),
        (foreign_text(table="other"), "its table is other, but this one's is arn:aws:dynamodb"),
        (foreign_text(table_stream="older"), "its table stream is older, but"),
        (foreign_text(pipeline="another"), "its pipeline is another, but"),
        (foreign_text(lake="s3://lake with id 0"), "its lake is s3://lake with id 0, but"),
        (foreign_text(kinesis_stream="older"), "its kinesis stream is older, but"),
        (foreign_text(firehose_stream="older"), "its firehose stream is older, but"),
    ],
)
def test_a_foreign_checkpoint_is_rejected(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_text(text)
    with pytest.raises(InvalidCheckpoint, match=message) as raised:
        Checkpoint.read(path, SCOPE)
    assert "--checkpoint" in str(raised.value)
    assert path.read_text() == text


def test_a_new_checkpoint_starts_every_segment() -> None:
    assert set(Checkpoint(SCOPE).segments) == {START}
    assert canonical({"id": {"B": b"x"}}) not in (START, END)
