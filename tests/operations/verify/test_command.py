"""verify's command line: its text, its JSON, its exit status."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError

from analytics import athena
from analytics.dashboard.verification import read_verify_result
from operations import in_flight
from operations.cli import run_command
from operations.row_source import RowSource
from operations.verify import command
from operations.verify.compare import Comparison
from operations.verify.diff import KINDS
from setup.lib.lake_identity import LakeIdentity
from tests.support.commands import run_json_command
from tests.support.environments import UNREACHABLE_AWS
from tests.support.paths import PROJECT
from tests.support.verify_fixture import (
    PAID,
    VerifyEnvironment,
    create_delivery_stream,
    history_rows,
    order_item,
    order_key,
    run_verify,
    verify_env,
)


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


def test_last_line_counts_the_items(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert run_verify() == 0
    assert capsys.readouterr() == ("lake equals table: 1 item\n", "")


def test_text_lists_some_keys_and_json_all(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    env.set_table_items()
    env.set_lake_objects(
        [row for number in range(25) for row in history_rows(order_item(number, **PAID))]
    )
    assert run_verify() == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22
    assert lines[-2:] == [
        "extra      … and 5 more: use --limit to list them",
        "lake differs from table: 25 extra; 0 items in the table, 25 in the lake",
    ]
    assert run_verify("--limit", "3", "--json", str(tmp_path / "result.json")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert len(json.loads((tmp_path / "result.json").read_text())["extra"]) == 3
    assert run_verify("--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert sorted(document["extra"]) == sorted(order_key(number) for number in range(25))
    assert document["counts"] == {kind: 25 * (kind == "extra") for kind in KINDS}
    assert not document["equal"]


def test_key_option_verifies_one_key(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert run_verify("--key", '{"order_id": {"S": "SO-1"}}') == 0
    assert run_verify("--key", order_key(2)) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "lake equals table: 1 item",
        f"missing    {order_key(2)}",
    ]


def test_other_keys_do_not_count_with_a_key(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = [order_item(number, **PAID) for number in range(3)]
    env.set_table_items(*orders[:2])
    env.set_lake_objects(*(history_rows(order) for order in orders))
    assert run_verify("--key", order_key(0)) == 0
    assert capsys.readouterr().out == "lake equals table: 1 item\n"


@pytest.mark.parametrize(
    ("options", "scope", "is_equal"),
    [([], "table", False), (["--key", order_key(0)], order_key(0), True)],
)
def test_json_says_what_is_proven_through_when(
    env: VerifyEnvironment, options: list[str], scope: str, is_equal: bool
) -> None:
    env.set_table_items(order_item(0, **PAID), order_item(1, **PAID))
    env.set_lake_objects(history_rows(order_item(0, **PAID)))
    status, document = run_json_command(command.main, "--wait", "0", *options)
    assert (status, document["scope"], document["equal"]) == (int(not is_equal), scope, is_equal)
    through = document["verified_through"]
    assert (through is not None and through <= document["at"]) == is_equal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", '{"id": {"S": "1"}}'], '{"order_id": {"S": "..."}}; found {"id":{"S":"1"}}'),
        (["--key", '{"order_id": {"N": "1"}}'], "expected a key of table"),
        (
            ["--repair"],
            "delivery stream sales-cdc-delivery does not exist: run python setup/06_firehose.py",
        ),
        (
            [],
            "delivery stream sales-cdc-delivery does not exist: run python setup/06_firehose.py",
        ),
    ],
)
def test_errors_state_the_fix(
    env: VerifyEnvironment,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects([])
    assert command.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wait", "soon"],
        ["--wait", "-1"],
        ["--limit", "x"],
        ["--key", "SO-1"],
        ["--key", "[]"],
        ["--gaps", "--key", order_key(1)],
        ["--gaps", "--repair"],
        ["--copy", "--part", "1/2"],
        ["--copy", "--gaps"],
        ["--json", f"{__file__}/result"],
        ["--json", "no/such/folder"],
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)


def test_default_wait_covers_all_buffers(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_delivery_stream(interval=60)
    waits: list[float] = []
    monkeypatch.setattr(in_flight, "sleep", waits.append)
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects([])
    assert command.main([]) == 1
    assert waits == [90, 90]


def test_a_denied_pipe_is_not_a_missing_one(env: VerifyEnvironment) -> None:
    def deny(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribePipe")

    events = boto3.client("pipes").meta.events
    events.register("before-call.pipes", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        in_flight.max_delay_seconds()
    events.unregister("before-call.pipes", deny)


def test_missing_table_names_its_script(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TABLE", "absent")
    assert run_verify() == 2
    assert "does not exist: run python setup/01_dynamodb.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("constant", "value", "script"),
    [
        ("DATABASE", "absent", "10_glue"),
        ("DATABASE", "empty", "10_glue"),
        ("WORKGROUP", "absent", "11_athena"),
    ],
)
def test_missing_lake_names_its_script(
    env: VerifyEnvironment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    constant: str,
    value: str,
    script: str,
) -> None:
    monkeypatch.setattr(athena, constant, value)
    assert run_verify("--gaps") == 2
    assert f"does not exist: run python setup/{script}.py" in capsys.readouterr().err


def test_unreachable_cloud_is_reported_in_one_line() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "operations.verify"],
        cwd=PROJECT,
        env={**os.environ, **UNREACHABLE_AWS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert line.startswith('Could not connect to the endpoint URL: "http://127.0.0.1:9/": ')
    assert line.endswith("check the network, the region, and the endpoint in your environment")


def test_ctrl_c_exits_with_130(env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(source: RowSource) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "find_gaps", interrupt)
    assert command.main(["--gaps"]) == 130


@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, ValueError, RecursionError])
def test_unforeseen_errors_exit_with_2(
    env: VerifyEnvironment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Comparison, "run", fail)
    assert command.main([]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert error.__name__ in errors


def test_a_truncated_result_exits_with_2(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)), history_rows(order_item(2, **PAID)))
    stream_rows = athena._stream_rows
    monkeypatch.setattr(athena, "_stream_rows", lambda uri: itertools.islice(stream_rows(uri), 2))
    assert command.main([]) == 2
    assert "run it again" in capsys.readouterr().err


def test_a_closed_stdout_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    def print_line() -> int:
        print("line")
        return 0

    monkeypatch.setattr(sys, "stdout", None)
    assert run_command(print_line, failure_status=2) == 0
    sys.stdout.close()


def test_a_reader_that_has_gone_is_a_failure() -> None:
    def fail() -> int:
        raise BrokenPipeError

    with patch("setup.lib.cli._discard_stdout"):
        assert run_command(fail, failure_status=2) == 2


def test_verbs_are_listed_with_their_purpose() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "operations"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = process.stdout.splitlines()
    for verb in ("verify", "replay", "backfill", "restore", "status"):
        assert any(line.startswith(f"python -m operations.{verb} ") for line in lines)
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("option", [(), ("--json",), ("--json", "{tmp_path}/mine.json")], ids=str)
def test_the_dashboard_reads_the_last_result(
    env: VerifyEnvironment, last_result: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    env.set_table_items(order_item(1, **PAID), order_item(2, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert run_verify(*(text.format(tmp_path=tmp_path) for text in option)) == 1
    result = read_verify_result(last_result, LakeIdentity.fetch())
    assert result is not None
    assert (result.state, result.table_items, result.lake_items) == ("differs", 2, 1)


@pytest.mark.parametrize("option", [("--key", order_key(1)), ("--gaps",)], ids=str)
def test_a_key_or_gaps_leave_the_last_result(
    env: VerifyEnvironment, last_result: Path, option: tuple[str, ...]
) -> None:
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert run_verify(*option) == 0
    assert not last_result.exists()


def test_an_unwritable_last_result_fails_nothing(
    env: VerifyEnvironment, last_result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_result.mkdir()
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert run_verify() == 0
    output, error = capsys.readouterr()
    assert output == "lake equals table: 1 item\n"
    assert error.startswith("the dashboard will not show this result: ")
