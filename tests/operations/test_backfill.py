"""Backfill: killed anywhere and run again, under live writes, it ends with the lake equal."""

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
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.athena import run_query
from local.core.server import Cloud
from local.demo import run_script
from local.services.registry import SERVICES
from operations import firehose as delivery
from operations.backfill import __main__ as backfill
from operations.backfill.checkpoint import END, START, BadCheckpoint, Checkpoint
from operations.kinesis_writer import NotTaken, Outgoing, Rehearsal
from operations.table import Page, Table
from operations.verify import __main__ as verify
from setup import names
from tests.support.laptop_cloud import aws, laptop
from tests.support.paths import PROJECT
from transform import canonical

ITEMS, RATE = 300, 60
KILLS = 3
NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
STREAM = f"{ARN}/stream/2026-11-24T10:00:00.000"
TABLE = Table(None, "t", {"id": "B"}, ARN, STREAM, 0)


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud with a chain behind a table that was filled before it had a stream."""
    with (
        laptop(*SERVICES) as cloud,
        patch.object(verify, "sleep", lambda _: cloud.run_until_idle()),
    ):
        fill_the_table()
        run_script(cloud, "setup")
        yield cloud


def fill_the_table() -> None:
    """Create the table without a stream, and fill it."""
    aws("dynamodb").create_table(
        TableName=names.TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
    )
    for number in range(ITEMS):
        put(number, "placed")


def put(number: int, status: str, **more: Any) -> None:
    """Put an order into the table."""
    item = {"order_id": {"S": f"SO-{number:03}"}, "status": {"S": status}, "raw": {"B": b"\x00"}}
    aws("dynamodb").put_item(TableName=names.TABLE, Item=item | more)


def remove(number: int) -> None:
    """Delete an order from the table."""
    order = {"order_id": {"S": f"SO-{number:03}"}}
    aws("dynamodb").delete_item(TableName=names.TABLE, Key=order)


@contextmanager
def living(cloud: Cloud, chance: random.Random) -> Iterator[None]:
    """Let the cloud move and orders change, until the block ends."""
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(0.05):
            number = chance.randrange(2 * ITEMS)
            if chance.random() < 0.2:
                remove(number)
            else:
                put(number, f"status-{chance.random()}")
            cloud.tick()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def command(checkpoint: Path, *options: str) -> list[str]:
    """Return the command that backfills."""
    return [sys.executable, "-m", "operations.backfill", "--checkpoint", str(checkpoint), *options]


def run_and_kill(checkpoint: Path, beyond: int) -> None:
    """Start a backfill, and kill it once it is beyond so many items."""
    started = subprocess.Popen(command(checkpoint, "--rate", str(RATE)), cwd=PROJECT)
    while sent(checkpoint) <= beyond:
        assert started.poll() is None
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL


def sent(checkpoint: Path) -> int:
    """Return how many items a checkpoint says were sent."""
    return json.loads(checkpoint.read_text())["sent"] if checkpoint.exists() else 0


def snapshots() -> int:
    """Return how many snapshots the lake holds."""
    query = f"SELECT count(*) FROM {names.CHANGES} WHERE cdc_operation = 'SNAPSHOT'"
    ((count,),) = run_query(query).rows
    return int(count or 0)


def test_a_backfill_killed_three_times_under_live_writes_ends_equal(
    chain: Cloud, tmp_path: Path
) -> None:
    checkpoint, chance = tmp_path / "backfill.json", random.Random(20261126)
    with living(chain, chance):
        for kill in range(KILLS):
            run_and_kill(checkpoint, chance.randrange(kill * RATE, (kill + 1) * RATE))
        before = sent(checkpoint)
        done = subprocess.run(
            command(checkpoint), cwd=PROJECT, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"going on after {before} items, as {checkpoint} says\nsent ")
    assert not checkpoint.exists()
    chain.run_until_idle()
    assert verify.main(["--json", str(tmp_path / "verdict.json")]) == 0
    assert json.loads((tmp_path / "verdict.json").read_text())["table"] > ITEMS / 2
    # Of what was acknowledged before a kill, nothing is sent again but the page in hand.
    assert snapshots() <= int(done.stdout.split("\nsent ")[1].split()[0]) + KILLS * RATE


def backfilled(*options: str) -> int:
    """Return the exit status of a backfill in this process."""
    return backfill.main(["--rate", "9999", *options])


def items() -> set[str]:
    """Return the keys of the table."""
    return {key for key, _ in described().items()}


def described() -> Table:
    """Return the chain's table."""
    return Table.described(aws("dynamodb"), names.TABLE)


def test_a_rehearsal_counts_and_sends_nothing(
    chain: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshots()
    file = tmp_path / "checkpoint.json"
    assert backfilled("--dry-run", "--checkpoint", str(file)) == 0
    assert capsys.readouterr().out == f"would send {len(items())} items\n"
    chain.run_until_idle()
    assert (snapshots(), file.exists()) == (before, False)


def test_a_backfill_overwrites_nothing_newer_and_names_what_is_too_large(
    chain: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chain.run_until_idle()
    put(1, "large", note={"S": "\x01" * 200_000})
    read = Table.pages

    def read_amid_writes(*given: Any, **named: Any) -> Iterator[Page]:
        for page in read(*given, **named):
            put(2, "newer")
            remove(3)
            yield page

    put(2, "older")
    put(3, "older")
    monkeypatch.setattr(Table, "pages", read_amid_writes)
    assert backfilled("--checkpoint", str(tmp_path / "checkpoint.json")) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith('left       {"order_id":{"S":"SO-001"}}  its record is larger')
    assert re.match(r"sent \d+ items; 1 left, too large for Kinesis; all are in the lake", said[1])
    chain.run_until_idle()
    for number in (2, 3):
        assert verify.main(["--key", f'{{"order_id": {{"S": "SO-{number:03}"}}}}']) == 0
    put(1, "small")
    chain.run_until_idle()
    assert verify.main(["--repair"]) == 0


class Failing(Rehearsal):
    """A sender whose calls succeed so many times."""

    def __init__(self, calls: int) -> None:
        super().__init__(None, rate=50)
        self.calls, self.names = calls, []

    def send(self, records: Iterable[Outgoing]) -> list[str]:
        if not self.calls:
            raise NotTaken("no more")
        self.calls -= 1
        self.names += [record.name for record in records]
        return []


def test_the_checkpoint_tells_exactly_what_was_acknowledged(chain: Cloud, tmp_path: Path) -> None:
    table, file = described(), tmp_path / "new-folder" / "checkpoint.json"
    acknowledged: list[str] = []
    for calls in (0, 1, 3, 99):
        begun = Checkpoint.read(file, table)
        assert begun.sent == len(acknowledged)
        sender = Failing(calls)
        if calls == 99:
            ended = backfill.backfilled(table, begun, sender, file)
            assert set(ended.segments) == {END}
        else:
            with pytest.raises(NotTaken):
                backfill.backfilled(table, begun, sender, file)
        acknowledged += sender.names
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) == items()


@pytest.mark.parametrize(
    ("module", "name", "told"),
    [
        (backfill, "TABLE", "table sales-cdc-orders is missing: run python setup/01_dynamodb.py"),
        (backfill, "PIPE", "pipe sales-cdc-pipe is missing: run python setup/07_pipe.py"),
        (delivery, "DELIVERY", "is missing: run python setup/06_firehose.py"),
    ],
)
def test_a_road_that_is_not_there_is_told_what_to_run(
    chain: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    name: str,
    told: str,
) -> None:
    monkeypatch.setattr(module, name, "absent")
    assert backfilled() == 1
    assert told in capsys.readouterr().err


def test_a_pipe_that_stands_still_is_refused(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    aws("pipes").stop_pipe(Name=names.PIPE)
    chain.run_until_idle()
    assert backfilled() == 1
    assert "pipe sales-cdc-pipe is STOPPED: run python setup/08_start_pipe.py" in (
        capsys.readouterr().err
    )
    aws("pipes").start_pipe(Name=names.PIPE)
    chain.run_until_idle()


def test_a_pipe_that_reads_another_stream_is_refused(chain: Cloud) -> None:
    with pytest.raises(delivery.NotReady, match=f"reads .*, but the table's stream is {STREAM}"):
        backfill.check_road(replace(described(), stream=STREAM))


def test_ctrl_c_says_how_to_go_on(
    chain: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Table, "pages", interrupted)
    assert backfilled("--checkpoint", str(tmp_path / "checkpoint.json")) == 130
    assert capsys.readouterr().err == "stopped: run it again, and it goes on from here\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--rate", "0"], ["--rate", "x"], ["--rate", "9" * 400], ["--rate", f"0.{'0' * 320}1"]),
        ["--checkpoint", "/"],
    ],
)
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        backfill.main(arguments)


def page(segment: int, last: bytes | None, count: int = 1) -> Page:
    """Return a page with a last key."""
    key = None if last is None else {"id": {"B": last}}
    return Page(segment, [{"id": {"B": b"-"}}] * count, key, NOW)


PAGES = st.lists(st.builds(page, st.integers(0, 3), st.none() | st.binary(min_size=1, max_size=9)))


@given(PAGES, st.lists(st.text(max_size=3), max_size=1))
def test_a_checkpoint_read_again_is_the_same(pages: list[Page], left: list[str]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "checkpoint.json")
        begun = state = Checkpoint.read(file, TABLE)
        for one in pages:
            state = state.after(one, left)
            state.write(file)
        assert Checkpoint.read(file, TABLE) == state
    lasts = {one.segment: one.last for one in pages}
    wanted = {number: lasts.get(number) for number in range(4)}
    assert begun.starts(TABLE) == dict.fromkeys(range(4))
    assert state.starts(TABLE) == {
        number: key for number, key in wanted.items() if key or number not in lasts
    }
    assert state.sent + len(state.left) == len(pages)


def told(**other: Any) -> str:
    """Return what the file of a backfill says that has begun, but for something."""
    return json.dumps(asdict(Checkpoint(ARN, STREAM, names.PIPELINE)) | other)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no checkpoint"),
        ("[1]", "is no checkpoint"),
        ('{"table": "t"}', "is no checkpoint"),
        (told(segments=[]), "is no checkpoint"),
        (told(segments=[5]), "is no checkpoint"),
        (told(left=[None]), "is no checkpoint"),
        ("[" * 100_000, "is no checkpoint"),
        (told(stream="older"), "the order of older, but this one is"),
        (told(table="other"), "a backfill of other"),
        (told(pipeline="another"), "into another in the order"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "checkpoint.json"
    file.write_text(text)
    with pytest.raises(BadCheckpoint, match=why) as caught:
        Checkpoint.read(file, TABLE)
    assert "--checkpoint" in str(caught.value)
    assert file.read_text() == text


def test_a_new_checkpoint_starts_every_segment() -> None:
    assert set(Checkpoint(ARN, STREAM, names.PIPELINE).segments) == {START}
    assert canonical({"id": {"B": b"x"}}) not in (START, END)
