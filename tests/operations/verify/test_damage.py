"""Damage of the lake: verify names deleted and damaged objects, and the command for them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from analytics.athena import QueryFailed
from operations.lake_objects import LakeVersions
from operations.verify import command
from operations.verify.damage import MAX_LISTED, RESTORE, Damage, explain_failure
from setup import names
from tests.support.commands import run_json_command
from tests.support.verify_fixture import (
    PAID,
    SHIPPED,
    VerifyEnvironment,
    create_delivery_stream,
    history_rows,
    order_item,
    order_key,
    run_verify,
    verify_env,
)

PATH = f"{names.LAKE}dt=2026-11-23/object-0.json"
LOST_PATH = f"{names.LAKE}dt=2026-11-23/object-1.json"


@pytest.fixture(scope="module")
def versioned_env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        env.s3.put_bucket_versioning(
            Bucket=names.bucket(), VersioningConfiguration={"Status": "Enabled"}
        )
        yield env


@pytest.fixture
def env(versioned_env: VerifyEnvironment) -> VerifyEnvironment:
    """An environment with two objects of one order each, of which only the first has versions."""
    versions = versioned_env.s3.list_object_versions(Bucket=names.bucket(), Prefix=names.LAKE)
    for entry in [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]:
        versioned_env.s3.delete_object(
            Bucket=names.bucket(), Key=entry["Key"], VersionId=entry["VersionId"]
        )
    orders = [order_item(number, **PAID) for number in (1, 2)]
    versioned_env.set_table_items(*orders)
    versioned_env.set_lake_objects(*(history_rows(order) for order in orders))
    return versioned_env


def delete(env: VerifyEnvironment, key: str = PATH) -> None:
    env.s3.delete_object(Bucket=names.bucket(), Key=key)


def overwrite(env: VerifyEnvironment, body: bytes = b"not JSON\n") -> None:
    env.s3.put_object(Bucket=names.bucket(), Key=PATH, Body=body)


def test_a_deleted_object_is_named(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "result.json"
    delete(env)
    assert run_verify("--json", str(path)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"missing    {order_key(1)}"
    assert lines[-2:] == [
        f"damaged    {PATH}  deleted",
        f"1 object of the lake deleted or damaged: {RESTORE}, which restores the history; "
        f"verify --repair restores the state only",
    ]
    document = json.loads(path.read_text())
    assert document["damaged_objects"] == [{"key": PATH, "problem": "deleted"}]


@pytest.mark.parametrize("options", [[], ["--gaps"], ["--key", order_key(2)]])
def test_an_unreadable_object_is_named(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    overwrite(env)
    delete(env, LOST_PATH)
    assert run_verify(*options) == 2
    assert capsys.readouterr().err == (
        f"Athena cannot read 1 object of the lake, such as {PATH} "
        f"(line 1 is not a JSON object): {RESTORE}\n"
    )


def test_an_open_gap_names_deleted_objects(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    [row, next_row] = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED))
    env.set_lake_objects([row], [next_row])
    assert run_verify("--gaps") == 0
    assert "damaged" not in capsys.readouterr().out
    delete(env)
    assert run_verify("--gaps") == 1
    assert f"damaged    {PATH}  deleted" in capsys.readouterr().out.splitlines()


def test_nothing_is_looked_for_in_an_equal_lake(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LakeVersions, "find_damaged", None)
    status, document = run_json_command(command.main)
    assert status == 0
    assert "damaged_objects" not in document


def test_unknown_damage_is_not_taken_for_none(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def deny(*_: object) -> None:
        error: Any = {"Code": "AccessDenied", "Message": "not authorized to list versions"}
        raise ClientError({"Error": error}, "ListObjectVersions")

    delete(env)
    monkeypatch.setattr(LakeVersions, "find_damaged", deny)
    assert run_verify() == 1
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line.startswith("not known whether objects of the lake are deleted or damaged: ")
    assert "not authorized to list versions" in last_line
    assert Damage.find().document() == {"damaged_objects": None}


def test_many_damaged_objects_are_listed_in_json(env: VerifyEnvironment) -> None:
    for number in range(MAX_LISTED + 1):
        key = f"{names.LAKE}dt=2026-11-22/{number}.json"
        env.s3.put_object(Bucket=names.bucket(), Key=key, Body=b"no rows")
    damage = Damage.find()
    lines = list(damage.lines())
    assert len(lines) == MAX_LISTED + 1
    assert lines[-1].startswith(f"{MAX_LISTED + 1} objects of the lake deleted or damaged: ")
    entries = damage.document()["damaged_objects"]
    assert isinstance(entries, list)
    assert len(entries) == MAX_LISTED + 1


@pytest.mark.parametrize("reason", ["HIVE_CURSOR_ERROR: x", "HIVE_BAD_DATA: x"])
def test_an_object_that_is_not_found_is_looked_for(env: VerifyEnvironment, reason: str) -> None:
    error = explain_failure(QueryFailed(reason))
    assert str(error) == f"{reason}: run python -m operations.restore --dry-run --read-all"


def test_other_errors_of_queries_are_kept() -> None:
    error = QueryFailed("SYNTAX_ERROR: line 1")
    assert explain_failure(error) is error


@pytest.fixture(scope="module")
def delivery_stream(versioned_env: VerifyEnvironment) -> None:
    """A delivery stream, which delivers nothing."""
    create_delivery_stream()


@pytest.mark.usefixtures("delivery_stream")
def test_repair_needs_a_stream_even_if_all_is_well(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verify("--repair") == 2
    assert capsys.readouterr().err == (
        f"table {names.TABLE} has no stream: run python setup/01_dynamodb.py\n"
    )


@pytest.mark.usefixtures("delivery_stream")
def test_repair_names_deleted_objects(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it repairs is named first, since a repair hides that the history is not whole."""
    create_senders(env)
    delete(env)
    assert run_verify("--repair", "--limit", "0") == 1  # Nothing delivers what it sends.
    lines = capsys.readouterr().out.splitlines()
    repaired_at = lines.index("sent       … and 1 more: use --limit to list them")
    named_at = [number for number, line in enumerate(lines) if line.startswith("damaged ")]
    assert len(named_at) == 2
    assert named_at[0] < repaired_at < named_at[1]


def create_senders(env: VerifyEnvironment) -> None:
    """Create what a repair is sent through, and the places of failed changes."""
    env.dynamodb.update_table(
        TableName=names.TABLE,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    boto3.client("kinesis").create_stream(StreamName=names.STREAM, ShardCount=1)
    boto3.client("sqs").create_queue(QueueName=names.DEAD_LETTERS)
