"""Erase on the laptop chain: no version of any object holds the item, and all else still works."""

import gzip
import json
import shlex
from typing import Any
from unittest.mock import patch

import pytest

from analytics.athena import run_query
from local.core.server import Cloud
from operations import in_flight
from operations.erase import command, versions
from operations.kinesis_writer import Sender
from operations.verify import command as verify_command
from operations.verify.failed_changes import FailedChanges
from setup import names
from tests.support.erase_fixture import (
    EMAIL,
    NAME,
    delete_versions,
    holding_versions,
    put_body,
    read_body,
    refusal,
    run_erase,
)
from tests.support.kills import killed_at_call
from tests.support.lake_operations import copy_all_days
from tests.support.laptop_cloud import aws
from tests.support.profile import IS_THOROUGH
from tests.support.replay_fixture import (
    error_document,
    insert_record,
    put_error_object,
    run_replay,
)
from tests.support.sabotage import delete_order, order_key, put_order, read_lake


def other_lines() -> list[str]:
    """Return the rows of all other orders, in order."""
    rows = [row for rows in read_lake().values() for row in rows]
    return sorted(json.dumps(row) for row in rows if row["cdc_key"] != order_key("anna"))


def lake_row_count() -> int:
    return sum(map(len, read_lake().values()))


def test_no_version_holds_an_erased_item(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    list(run_query("SELECT * FROM changes").rows)
    copy_all_days(chain)
    put_error_object(chain, "one", error_document(insert_record("anna", 1, mail={"S": EMAIL})))
    chain.client("s3").delete_object(Bucket=names.bucket(), Key=put_replayed_object(chain))
    before = other_lines()
    held_keys = holding_versions()
    assert {key.partition("/")[0] + "/" for key in held_keys} == {
        names.LAKE,
        names.ERRORS,
        names.REPLAYED,
        names.QUERIES,
        names.TABLES,
    }
    condition = f"customer__email = '{EMAIL}'"
    status, document = run_erase("--where", condition, "--dry-run")
    assert (status, document["keys"]) == (0, [order_key("anna")])
    assert len(document["objects"]) == 4
    assert {*held_keys} <= {*holding_versions()}

    assert command.main(["--where", condition]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("erased what the bucket held of 1 item: 5 objects rewritten, ")
    assert lines[1].endswith(" in the bucket: none may hold content of the items")
    assert lines[2].startswith("remains: the key")
    assert (holding_versions(), holding_versions(NAME)) == ([], [])
    assert other_lines() == before
    chain.run_until_idle()  # The tombstone arrives.
    check_erased(capsys)
    status, document = run_erase()
    assert (status, document["rewritten"]) == (0, 0)


def put_replayed_object(chain: Cloud) -> str:
    document = error_document(insert_record("anna", 2, mail={"S": EMAIL}))
    key = f"{names.REPLAYED}x.12345678"
    chain.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=gzip.compress(document))
    return key


def check_erased(capsys: pytest.CaptureFixture[str]) -> None:
    """Check that the history counts the changes, and that every verb says what was erased."""
    rows = [row for rows in read_lake().values() for row in rows]
    erased = [row for row in rows if row["cdc_key"] == order_key("anna")]
    operations = sorted(row["cdc_operation"] for row in erased)
    assert operations == ["INSERT", "MODIFY", "MODIFY", "REMOVE", "SNAPSHOT"]
    assert verify_command.main([]) == 0
    capsys.readouterr()
    assert verify_command.main(["--gaps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"erased   {order_key('anna')}  its changes have no images"
    assert lines[1] == "1 erased item: no gap, but no images"
    assert lines[2].startswith("no gaps: ")
    status, document = run_replay(capsys)
    assert (status, document["replayed"], [*document["codes"]]) == (0, 1, ["erased"])
    status, document = run_erase("--check")
    assert (status, document["keys"], document["held"]) == (0, [order_key("anna")], [])
    assert holding_versions() == []


@pytest.mark.slow
def test_a_killed_erase_continues(chain: Cloud) -> None:
    before = other_lines()
    put_error_object(chain, "one", error_document(insert_record("anna", 1, mail={"S": EMAIL})))
    for number in range(100 if IS_THOROUGH else 8):
        with killed_at_call(
            chain, number // 2, is_after_call=number % 2 == 1, is_counted=is_write
        ) as calls:
            status, _ = run_erase("--where", f"customer__email = '{EMAIL}'")
        assert other_lines() == before
        if status == 0:
            break
        assert (status, len(calls)) == (130, number // 2 + 1)
    assert run_erase("--where", f"customer__email = '{EMAIL}'")[0] == 0
    assert holding_versions() == []
    rows = [row for rows in read_lake().values() for row in rows]
    assert sum(row["cdc_operation"] != "SNAPSHOT" for row in rows) == 7


def test_an_erase_leaves_what_nobody_named(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "send", lambda *_: None)  # The tombstone is lost.
    assert run_erase()[0] == 0
    monkeypatch.undo()
    check_says_what_to_run(capsys)
    put_order("anna", "again", customer={"M": {"email": {"S": EMAIL}}})
    delete_order("anna")
    delete_order("bert")
    chain.run_until_idle()
    assert command.main(["--key", order_key("bert")]) == 1
    output = capsys.readouterr().out
    assert output.startswith(f"held     {order_key('anna')}  its tombstone is lost: run python ")
    assert set(holding_versions()) & set(read_lake())
    command_line = output.splitlines()[0].partition(" operations.erase ")[2]
    assert run_erase(*shlex.split(command_line))[0] == 0
    assert holding_versions() == []
    chain.run_until_idle()
    assert run_erase("--check")[0] == 0


def check_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    anna = order_key("anna")
    advice = f"its tombstone is lost: run python -m operations.erase --key '{anna}'\n"
    note, message = refusal(capsys, "--check", "--key", anna).splitlines(keepends=True)
    assert note.startswith("the lake lacks the tombstone of an erased item; waiting ")
    assert message == f"{anna} is not erased, or {advice}"
    assert command.main(["--check"]) == 1
    assert f"held     {anna}  {advice}" in capsys.readouterr().out


def is_write(operation: str) -> bool:
    return operation in {"PutRecords", "Put", "Delete"}


def test_what_cannot_be_erased_is_refused(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    bert = order_key("bert")
    in_table = f"table {names.TABLE} has the item {bert}: delete it from the table first\n"
    assert refusal(capsys, "--key", bert) == in_table
    assert refusal(capsys, "--where", "status = 'paid'") == in_table
    assert refusal(capsys, "--check", "--key", bert) == (
        f"{bert} is not erased, or its tombstone is lost: "
        f"run python -m operations.erase --key '{bert}'\n"
    )

    with patch.object(in_flight, "sleep", lambda _: None):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(FailedChanges, "read_letter_keys", lambda _: iter([bert, "other"]))
            delete_order("bert")
            message = f"a change of {bert} is among the dead letters, which cannot be rewritten: "
            assert refusal(capsys, "--key", bert).startswith(message)
        # The table has removed it, and the lake has not received that.
        note, message = refusal(capsys, "--key", bert).splitlines()
        assert note.startswith("the lake has an item that the table does not have; waiting ")
        assert message.startswith(f"the lake has the item {bert}, which")
    assert run_erase("--key", bert, "--dry-run")[0] == 0  # It waits for the removal.

    # The lake loses its removal, which ranks above the repair.
    [path] = [path for path, rows in read_lake().items() if is_removed(rows, bert)]
    aws("s3").delete_object(Bucket=names.bucket(), Key=path)
    assert run_erase("--key", order_key("nobody"))[0] == 0
    assert verify_command.main(["--repair"]) == 0
    assert refusal(capsys, "--key", bert).startswith(f"{path} is deleted or damaged, and its last")
    assert holding_versions() != []


def is_removed(rows: list[dict[str, Any]], key: str) -> bool:
    return any(row["cdc_key"] == key and row["cdc_operation"] == "REMOVE" for row in rows)


@pytest.mark.slow
def test_a_late_copy_is_found(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    lake = {key: read_body(key) for key in read_lake()}
    path = min(lake)
    assert run_erase()[0] == 0
    chain.run_until_idle()
    put_body(f"{path}-late.gz", lake[path])
    assert run_erase("--check")[1]["held"] == [f"{path}-late.gz"]
    assert command.main(["--check"]) == 1
    assert f"held     {path}-late.gz  run python -m operations.erase" in capsys.readouterr().out
    put_order("anna", "again")  # Another item with the same key.
    chain.run_until_idle()
    assert run_erase("--check")[1]["held"] == [f"{path}-late.gz"]
    rows = [row for rows in read_lake().values() for row in rows]
    assert any(row["cdc_new_image"] and "again" in row["cdc_new_image"] for row in rows)
    assert run_erase("--where", "status = 'nothing'")[0] == 0  # What was erased stays erased.
    assert run_erase("--check")[0] == 0
    assert holding_versions() == []
    assert verify_command.main([]) == 0
    delete_order("anna")
    chain.run_until_idle()
    assert run_erase()[0] == 0
    assert holding_versions("again") == []


def test_a_deleted_object_is_not_rewritten(shared_chain: Cloud) -> None:
    bucket_versions = versions.BucketVersions(shared_chain.client("s3"), names.bucket(), {})
    bucket_versions.rewrite("absent")
    assert bucket_versions.rewritten == 0


def test_content_without_a_key_is_reported(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    poison = f'{{"customer": "{EMAIL}"'.encode()
    path = put_error_object(chain, "poison", error_document(poison))
    put_error_object(chain, "other", error_document(b"poison"))
    put_body("foreign/x", b"anything")
    put_body(f"{names.REPLAYED}x.audit.jsonl", f'{{"key": "{NAME}"}}'.encode())  # It has keys.
    put_body(f"{names.RATES}x.json", b'{"currency":"EUR","rate":"1.1"}\n')
    assert command.main(["--key", order_key("anna")]) == 1
    aws("s3").delete_object(Bucket=names.bucket(), Key="foreign/x")
    delete_versions("foreign/", names.RATES)
    output = capsys.readouterr().out
    assert "unknown  foreign/x  it cannot be read" in output
    assert names.RATES not in output
    assert "audit.jsonl" not in output
    assert output.startswith(f"unknown  {path}  it cannot be read, or has a text of an erased item")
    assert holding_versions() == [path]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--dry-run"],
        ["--key", "no JSON"],
        ["--key", order_key("1"), "--where", "true"],
        ["--check", "--where", "true"],
        ["--check", "--dry-run"],
    ],
)
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
