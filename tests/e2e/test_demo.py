"""The demo: it proves the lake or says what is wrong, and other servers may hold its table."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import pytest

from local import __main__ as command
from local import demo
from local.core.server import HOST
from local.services.registry import SERVICES
from setup import names
from tests.support import sharded_streams
from tests.support.laptop_cloud import laptop
from tests.support.paths import PROJECT
from tests.support.whole_chain import verified, write_orders

ANYBODY = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}


def test_the_demo_ends_by_proving_the_lake(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    done = subprocess.run(
        [sys.executable, "-m", "local", "--orders", "30", "--summary", str(summary)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    outcome = json.loads(summary.read_text())
    assert outcome["verify"]["equal"]
    assert {hop["in"] - hop["out"] - hop["failed"] for hop in outcome["hops"]} == {0}
    orders = outcome["verify"]["table"]
    assert f"lake equals table: {orders} items" in done.stdout
    dashboard = PROJECT / "dashboard.html"
    assert f"dashboard: {dashboard}" in done.stdout
    assert f'"state":"equal","table":{orders},"lake":{orders}' in dashboard.read_text("utf-8")


def test_the_demo_says_what_is_wrong_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    copy, summary = tmp_path / "copy", tmp_path / "summary.json"
    shutil.copytree(PROJECT, copy, ignore=shutil.ignore_patterns(".*", "tests"))
    raising = "def lambda_handler(event, context):\n    raise ValueError\n"
    (copy / "lambda_function.py").write_text(raising)
    monkeypatch.setattr(demo, "PROJECT", copy)
    monkeypatch.setattr(demo, "VERIFIED", copy / "verified.json")
    monkeypatch.setattr(demo, "QUESTIONS", ())
    monkeypatch.setattr(sys, "argv", ["local", "--orders", "5", "--summary", str(summary)])
    with laptop():
        assert command.main() == 1
    said = capfd.readouterr().out
    assert "Lambda.FunctionError" in said
    assert "lake differs from table: 5 missing" in said
    assert not json.loads(summary.read_text())["verify"]["equal"]


def test_a_summary_that_cannot_be_written_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    outcome = demo.Outcome(0, 0.0, (), {"equal": True})
    monkeypatch.setattr(command, "demo", lambda *_: folder.rmdir() or outcome)
    monkeypatch.setattr(sys, "argv", ["local", "--summary", str(folder / "summary.json")])
    with laptop():
        assert command.main() == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert "No such file or directory" in told


def test_a_reader_that_has_seen_enough_ends_the_demo_in_silence() -> None:
    read, write = os.pipe()
    os.close(read)
    wanted = [sys.executable, "-m", "local", "--empty"]
    done = subprocess.run(
        wanted, cwd=PROJECT, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_region_that_aws_has_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east1")
    monkeypatch.setattr(sys, "argv", ["local"])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "expected a region such as us-east-1, found 'us-east1'" in capsys.readouterr().err


def test_table_and_stream_may_live_on_other_servers(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sharded_streams.serving() as tables:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", tables)
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", elsewhere)
        with laptop(*SERVICES) as cloud:
            demo.run(cloud, "setup")
            write_orders(cloud, orders=20, seed=1)
            status, verdict = verified()
        shards = sharded_streams.shards(tables, names.TABLE)
    assert (status, verdict["table"], verdict["lake"]) == (0, 20, 20)
    assert sum("EndingSequenceNumber" in each["SequenceNumberRange"] for each in shards) > 5
    kinesis = boto3.client("kinesis", endpoint_url=elsewhere, **ANYBODY)
    assert len(kinesis.list_shards(StreamName=names.STREAM)["Shards"]) == 4


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Another server that speaks Kinesis, as moto does, in a process of its own."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    serve = f"from moto.server import main; main(['--host', '{HOST}', '--port', '{port}'])"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, "-c", serve], **quiet)
    endpoint = f"http://{HOST}:{port}"
    wait_for(endpoint)
    yield endpoint
    server.terminate()
    server.wait()


def wait_for(endpoint: str) -> None:
    """Return once a server answers."""
    for _ in range(100):
        with suppress(URLError), urlopen(f"{endpoint}/moto-api/data.json"):
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)
