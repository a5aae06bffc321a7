"""verify as people and programs call it: its words, its documents, its exit status."""

import json
import os
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from analytics import athena
from operations.arguments import new_file
from operations.cli import exit_status
from operations.verify import __main__ as verify
from operations.verify.diff import KINDS
from setup import names
from tests.support.paths import PROJECT
from tests.support.verify_fixture import PAID, World, a_world, history, key, order, run


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


def test_the_closing_line_counts_the_orders(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.hold(order(1, **PAID))
    world.tell(history(order(1, **PAID)))
    assert run() == 0
    assert capsys.readouterr() == ("lake equals table: 1 items\n", "")


def test_people_see_a_few_keys_and_programs_all(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world.hold()
    world.tell([row for number in range(25) for row in history(order(number, **PAID))])
    assert run() == 1
    words = capsys.readouterr().out.splitlines()
    assert len(words) == 22
    assert words[-2:] == [
        "extra      and 5 more: list them with --limit",
        "lake differs from table: 25 extra; 0 items in the table, 25 in the lake",
    ]
    assert run("--limit", "3", "--json", str(tmp_path / "verdict.json")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert len(json.loads((tmp_path / "verdict.json").read_text())["extra"]) == 3
    assert run("--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert sorted(document["extra"]) == sorted(key(number) for number in range(25))
    assert document["counts"] == {kind: 25 * (kind == "extra") for kind in KINDS}
    assert not document["equal"]


def test_one_key_is_verified_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell(history(order(1, **PAID)))
    assert run("--key", '{"order_id": {"S": "SO-1"}}') == 0
    assert run("--key", key(2)) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "lake equals table: 1 items",
        f"missing    {key(2)}",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", '{"id": {"S": "1"}}'], '{"order_id": {"S": "..."}}; found {"id":{"S":"1"}}'),
        (["--key", '{"order_id": {"N": "1"}}'], "expected a key of table"),
        ([], "delivery stream sales-cdc-delivery is missing: run python setup/06_firehose.py"),
    ],
)
def test_what_cannot_be_told_says_why(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    world.hold(order(1, **PAID))
    world.tell([])
    assert verify.main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--wait", "soon"], ["--wait", "-1"], ["--limit", "x"], ["--key", "SO-1"]),
        *(["--key", "[]"], ["--gaps", "--key", key(1)]),
        *(["--json", f"{__file__}/verdict"], ["--json", "no/such/folder"]),
    ],
)
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        verify.main(arguments)


def test_the_wait_is_one_and_a_half_of_firehoses_intervals(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": f"arn:aws:s3:::{names.bucket()}",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        },
    )
    waits: list[float] = []
    monkeypatch.setattr(verify, "sleep", waits.append)
    world.hold(order(1, **PAID))
    world.tell([])
    assert verify.main([]) == 1
    assert waits == [90]


def test_an_account_without_a_pipeline_is_told_what_to_run(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "TABLE", "absent")
    assert run() == 2
    assert "is missing: run python setup/01_dynamodb.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "other", "script"),
    [
        ("DATABASE", "absent", "10_glue"),
        ("DATABASE", "empty", "10_glue"),
        ("WORKGROUP", "absent", "11_athena"),
    ],
)
def test_a_missing_lake_is_told_what_to_run(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    other: str,
    script: str,
) -> None:
    monkeypatch.setattr(athena, name, other)
    assert run("--gaps") == 2
    assert f"is missing: run python setup/{script}.py" in capsys.readouterr().err


def test_an_unreachable_cloud_is_one_line() -> None:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-m", "operations.verify"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith('Could not connect to the endpoint URL: "http://127.0.0.1:9/": ')
    assert line.endswith("check the network, the region, and the endpoint in your environment")


def test_ctrl_c_ends_it_quietly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "gaps", interrupted)
    assert verify.main(["--gaps"]) == 130


def test_a_file_is_asked_for_where_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new_file(str(tmp_path / "verdict")) == tmp_path / "verdict"
    os.mkfifo(tmp_path / "device")
    with pytest.raises(ArgumentTypeError, match="device', which is none"):
        new_file(str(tmp_path / "device"))
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path)
    with pytest.raises(ArgumentTypeError, match="a folder that can be written to"):
        new_file(str(tmp_path / "verdict"))


def test_a_closed_standard_output_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_status(lambda: print("said") or 0, failed=2) == 0
    sys.stdout.close()


def test_the_verbs_are_listed_with_a_line_each() -> None:
    command = [sys.executable, "-m", "operations"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert any(line.startswith("python -m operations.verify ") for line in lines)
    assert all(line.endswith(".") for line in lines)
