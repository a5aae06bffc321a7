"""The chain with its table or its stream on another server, found by its endpoint only.

ministack and kinesis-local are tried where they are on the PATH.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from local.core.server import HOST
from local.services.registry import SERVICES
from setup import names
from setup.lib.drift import SCRIPTS, find_drift
from setup.lib.teardown_steps import delete_table
from setup.lib.waiters import SetupError
from tests.support import sharded_streams
from tests.support.laptop_cloud import aws, laptop
from tests.support.setup_fixture import tear_down
from tests.support.whole_chain import create_pipeline, run_verify, write_orders

START_SECONDS = 60
MAKE_SOURCES = ("01_dynamodb", "02_kinesis")


@pytest.fixture
def other_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of another account, which lacks much of what AWS has, with table and stream."""
    with sharded_streams.serving() as endpoint:
        use_endpoint(monkeypatch, endpoint, "DYNAMODB", "DYNAMODB_STREAMS", "KINESIS")
        yield endpoint


@pytest.mark.slow
def test_table_and_stream_can_be_elsewhere(other_server: str) -> None:
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        lines = [import_module(f"setup.{script}").create() for script in MAKE_SOURCES]
        assert find_drift((*MAKE_SOURCES, "04_iam", "06_firehose", "07_pipe")) == []
        write_orders(cloud, orders=20, seed=1)
        status, document = run_verify()
        shards = sharded_streams.shards(other_server, names.TABLE)
        assert len(aws("kinesis").list_shards(StreamName=names.STREAM)["Shards"]) == 4
        removal = list(delete_table())
    unsupported = ["deletion protection, point-in-time recovery and TTL", "encryption"]
    for line, features in zip(lines, unsupported, strict=True):
        assert line.endswith(f", without {features}, which its server does not support")
    assert removal == [f"kept table {names.TABLE} (not tagged pipeline={names.PIPELINE})"]
    assert (status, document["table"], document["lake"]) == (0, 20, 20)
    closed_shards = [
        shard for shard in shards if "EndingSequenceNumber" in shard["SequenceNumberRange"]
    ]
    assert len(closed_shards) > 5


@pytest.mark.slow
def test_a_stream_elsewhere_than_its_table(
    other_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS")
    with laptop(*SERVICES) as cloud, pytest.raises(SetupError) as raised:
        import_module("setup.01_dynamodb").create()
    assert f"{other_server} has the table, and {cloud.endpoint} does not" in str(raised.value)


@pytest.mark.skipif(not shutil.which("ministack"), reason="needs ministack (PyPI)")
def test_the_table_can_be_on_ministack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    options = {"GATEWAY_PORT": str(port), "BIND_HOST": HOST}
    with running("ministack", port, tmp_path, options) as endpoint:
        use_endpoint(monkeypatch, endpoint, "DYNAMODB", "DYNAMODB_STREAMS")
        check_chain()


@pytest.mark.skipif(not shutil.which("kinesis-local"), reason="needs kinesis-local (npm)")
def test_the_stream_can_be_on_kinesis_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    program = Path(shutil.which("kinesis-local") or "").resolve()
    options = {
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "KINESIS_MOCK_CERT_PATH": str(program.with_name("server.json")),
    }
    with running("kinesis-local", port, tmp_path, options) as endpoint:
        use_endpoint(monkeypatch, endpoint, "KINESIS")
        check_chain()


def check_chain() -> None:
    """Build the chain, deliver orders through it, and take it down again."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        assert find_drift(SCRIPTS) == []
        write_orders(cloud, orders=20, seed=1)
        status, document = run_verify()
        assert (status, document["table"], document["lake"]) == (0, 20, 20)
        tear_down(delete_data=True)


def use_endpoint(monkeypatch: pytest.MonkeyPatch, endpoint: str, *services: str) -> None:
    """Let every client of the services find them at the endpoint."""
    for service in services:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)


@contextmanager
def running(command: str, port: int, folder: Path, options: dict[str, str]) -> Iterator[str]:
    """Yield the endpoint of a server that runs in the folder with the options, as variables."""
    server = subprocess.Popen(
        [command],
        cwd=folder,
        env={**os.environ, **options},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port: int = unused.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Wait until a server accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)
