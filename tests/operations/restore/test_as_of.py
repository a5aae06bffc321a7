"""Restore of a table as of a time: what is written, what is refused, and what a kill leaves."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations import table_writer
from operations.restore import command
from operations.state_as_of import StateAsOf
from operations.table import Table
from setup import names
from tests.operations.test_table_writer import EVERY_TYPE
from tests.support.commands import Document, run_json_command
from tests.support.kills import killed_at_call
from tests.support.laptop_cloud import create_table
from tests.support.replay_fixture import error_document, insert_record
from tests.support.verify_fixture import (
    HISTORIES,
    LATER_STREAM,
    PAID,
    PHASES_WITHOUT_SHRINK,
    SHIPPED,
    Item,
    LakeColumns,
    VerifyEnvironment,
    draw_altered_copies,
    draw_snapshots,
    history_rows,
    order_item,
    order_key,
    rows_of_histories,
    snapshot_row,
    stream_row,
    verify_env,
)
from transform import canonical, state

NEW = f"{names.TABLE}-restored"
HOUR = "2026-11-23 10"
NOON = "2026-11-23T12:00"


@pytest.fixture(scope="module")
def shared_env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        boto3.client("sqs").create_queue(QueueName=names.DEAD_LETTERS)
        yield env


@pytest.fixture
def env(shared_env: VerifyEnvironment) -> VerifyEnvironment:
    """The environment with an empty table to restore into."""
    create_new_table({"order_id": "S"})
    shared_env.set_table_items()
    return shared_env


def create_new_table(key_types: dict[str, str]) -> None:
    dynamodb = boto3.client("dynamodb")
    if NEW in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=NEW)
    create_table(dynamodb, NEW, key_types)


def dated(rows: list[LakeColumns], *minutes: int) -> list[LakeColumns]:
    """Return rows that changed in these minutes of the hour after ten."""
    times = [f"{HOUR}:{minute:02}:00.000" for minute in minutes]
    return [row | {"cdc_changed_at": time} for row, time in zip(rows, times, strict=True)]


def run_restore(*options: str, as_of: str = NOON, table: str = NEW) -> tuple[int, Document]:
    return run_json_command(command.main, "--as-of", as_of, "--table", table, *options)


def refusal(capsys: pytest.CaptureFixture[str], *options: str, **names: str) -> str:
    """Return the message of a restore that is refused and writes nothing."""
    as_of = names.get("as_of", NOON)
    table = names.get("table", NEW)
    capsys.readouterr()
    assert command.main(["--as-of", as_of, "--table", table, *options]) == 1
    return capsys.readouterr().err


def new_items(name: str = NEW) -> dict[str, str]:
    return dict(Table.describe(boto3.client("dynamodb"), name).scan_items())


def unknown_keys(rows: list[state.Row], timestamp: str) -> set[str]:
    """Return the keys whose first change after a time did not replace the item as of then."""
    latest = state.latest_rows(row for row in rows if row.changed_at <= timestamp)
    later = [row for row in rows if row.changed_at > timestamp]
    keys = set()
    for key in {row.key for row in later}:
        next_row = min(
            (row for row in later if row.key == key),
            key=lambda row: (row.is_snapshot, *state.rank(row)[:3], row.event_id),
        )
        copies = [row for row in later if state.identity(row) == state.identity(next_row)]
        image = max(row.old_image or "" for row in copies) or None
        if next_row.is_snapshot:
            image = next_row.new_image
        item = latest[key].new_image if key in latest else None
        is_known = next_row.operation in ("INSERT", "SNAPSHOT") or image is not None
        if is_known and image != item:
            keys.add(key)
    return keys


@settings(
    max_examples=8,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(HISTORIES, HISTORIES, st.integers(0, 59), st.data())
def test_sql_agrees_with_the_law_of_state(
    shared_env: VerifyEnvironment,
    histories: list[list[Item | None]],
    later_histories: list[list[Item | None]],
    minute: int,
    data: st.DataObject,
) -> None:
    rows = [row for history in rows_of_histories(histories) for row in history]
    rows += [row for history in rows_of_histories(later_histories, LATER_STREAM) for row in history]
    minutes = data.draw(st.lists(st.integers(0, 59), min_size=len(rows), max_size=len(rows)))
    rows = dated(rows, *minutes)
    rows += draw_altered_copies(rows, data)
    rows += draw_snapshots(rows, data)
    shared_env.set_lake_objects(data.draw(st.permutations(rows)))
    as_of = StateAsOf(datetime.fromisoformat(f"{HOUR}:{minute:02}:00+00:00"))
    state_rows = [state.Row.from_columns(row) for row in rows]
    current = state.state_as_of(state_rows, f"{as_of.timestamp}.000")
    assert dict(as_of.fetch_items()) == {key: row.new_image for key, row in current.items()}


@settings(
    max_examples=8,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(HISTORIES, st.integers(0, 9), st.data())
def test_unknown_states_are_those_of_the_law(
    shared_env: VerifyEnvironment,
    histories: list[list[Item | None]],
    minute: int,
    data: st.DataObject,
) -> None:
    rows = []
    for history in rows_of_histories(histories):
        rows += dated(history, *range(1, len(history) + 1))
    rows += draw_snapshots(rows, data)
    rows = [row for row in rows if data.draw(st.integers(0, 3))]
    shared_env.set_lake_objects(data.draw(st.permutations(rows + rows[::3])))
    as_of = StateAsOf(datetime.fromisoformat(f"{HOUR}:{minute:02}:00+00:00"))
    state_rows = [state.Row.from_columns(row) for row in rows]
    expected = unknown_keys(state_rows, f"{as_of.timestamp}.000")
    actual = [(key, reason) for key, reason in as_of.fetch_unknown_keys()]
    assert {key for key, reason in actual if "did not replace" in reason} == expected


def test_the_table_equals_the_lake_as_of_a_time(env: VerifyEnvironment) -> None:
    rows = [
        *dated(history_rows(order_item(1, **PAID), order_item(1, **SHIPPED)), 1, 5),
        *dated(history_rows(order_item(2, **PAID), None), 1, 3),
        *dated(history_rows(order_item(3, **PAID)), 9),
    ]
    env.set_lake_objects(rows)
    status, document = run_restore("--dry-run", as_of="2026-11-23T10:03:00")
    assert (status, document["items"], document["to_write"]) == (0, 1, 1)
    assert new_items() == {}
    assert run_restore(as_of="2026-11-23T10:02:59")[0] == 0
    paid = {order_key(n): canonical(order_item(n, **PAID)) for n in (1, 2, 3)}
    assert new_items() == {order_key(n): paid[order_key(n)] for n in (1, 2)}
    status, document = run_restore(as_of="2026-11-23T10:02:59")
    assert (status, document["written"]) == (0, 0)


def test_images_of_every_type_return(env: VerifyEnvironment) -> None:
    row = {**stream_row(None, order_item(1), 1), "cdc_new_image": canonical(EVERY_TYPE)}
    env.set_lake_objects([row])
    assert run_restore()[0] == 0
    assert new_items() == {order_key(1): canonical(EVERY_TYPE)}


def test_a_condition_selects_the_items(env: VerifyEnvironment) -> None:
    rows = [*history_rows(order_item(1, **PAID)), *history_rows(order_item(2, **SHIPPED))]
    env.set_lake_objects(rows)
    assert run_restore("--where", "status = 'paid' -- a comment")[0] == 0
    assert new_items().keys() == {order_key(1)}


def test_a_wrong_condition_is_one_line(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    assert "nothing" in refusal(capsys, "--where", "nothing = 1")


def damaged_histories() -> dict[str, list[LakeColumns]]:
    """Return histories that are incomplete at noon, or the next hour."""
    lost = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED), order_item(1), None)
    later = {"cdc_changed_at": "2026-11-23 13:00:00.000"}
    return {
        "a change is lost": [lost[0], lost[2]],
        "a change is lost around then": [lost[0], lost[2] | later],
        "a repair followed then": [lost[0], snapshot_row(order_item(1), 1) | later],
        "a removal followed, of nothing": [lost[3] | later],
        "the backfill followed": [snapshot_row(order_item(1)) | later],
    }


@pytest.mark.parametrize("damage", damaged_histories())
def test_an_incomplete_history_is_refused(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    env.set_lake_objects([*damaged_histories()[damage], *history_rows(order_item(2, **PAID))])
    message = refusal(capsys)
    assert message.startswith("the history is incomplete as of 2026-11-23 12:00:00 UTC:\n")
    assert f"\n  {order_key(1)}  " in message
    assert order_key(2) not in message
    assert "python -m operations.verify --gaps" in message
    assert new_items() == {}


def test_other_items_return_despite_a_gap(env: VerifyEnvironment) -> None:
    rows = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED), order_item(1))
    env.set_lake_objects([rows[0], rows[2], *history_rows(order_item(2, **PAID))])
    assert run_restore("--key", order_key(2))[0] == 0
    assert new_items().keys() == {order_key(2)}
    assert run_restore("--accept-gaps")[0] == 0
    assert new_items().keys() == {order_key(1), order_key(2)}


def test_failed_changes_are_refused(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    key = f"{names.ERRORS}processing-failed/x"
    body = error_document(insert_record("SO-9", 9))
    env.s3.put_object(Bucket=names.bucket(), Key=key, Body=body)
    assert f"\n  {order_key(9)}  a change of it is in the error store" in refusal(capsys)
    assert run_restore("--key", order_key(1))[0] == 0
    env.s3.delete_object(Bucket=names.bucket(), Key=key)
    assert run_restore()[0] == 0


REFUSALS: dict[str, tuple[Callable[[], object], dict[str, str], str]] = {
    "no table": (
        lambda: boto3.client("dynamodb").delete_table(TableName=NEW),
        {},
        f"table {NEW} does not exist: create it",
    ),
    "other keys": (
        lambda: create_new_table({"id": "S"}),
        {},
        f"table {NEW} has other keys ({{'id': 'S'}}) than the lake's item {order_key(1)}",
    ),
    "a key of another type": (
        lambda: create_new_table({"order_id": "N"}),
        {},
        f"table {NEW} has other keys",
    ),
    "another item": (
        lambda: boto3.client("dynamodb").put_item(TableName=NEW, Item=order_item(7)),
        {},
        f"table {NEW} has items that the lake did not have as of 2026-11-23 12:00:00 UTC, such as",
    ),
    "another version of an item": (
        lambda: boto3.client("dynamodb").put_item(TableName=NEW, Item=order_item(1)),
        {},
        f"table {NEW} has items that the lake did not have",
    ),
    "a day before the lake": (
        lambda: None,
        {"as_of": "2026-11-22T23:59:59"},
        "the lake begins on 2026-11-23: choose a time from then on",
    ),
}


@pytest.mark.parametrize("refused", REFUSALS)
def test_what_cannot_be_restored_is_refused(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], refused: str
) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    prepare, options, message = REFUSALS[refused]
    prepare()
    assert refusal(capsys, **options).startswith(message)


def test_an_empty_lake_is_refused(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_lake_objects()
    assert refusal(capsys).startswith("the lake is empty")


def test_a_recent_time_waits_for_changes(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    with patch("operations.in_flight.max_delay_seconds", lambda: 90.0):
        message = refusal(capsys, as_of="1m")
        assert "may still be in flight: run this again in " in message
        assert run_restore(as_of="2m")[0] == 0


def test_single_items_return_into_the_table(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED))
    env.set_lake_objects(dated(rows, 1, 5))
    env.set_table_items(order_item(1, **SHIPPED), order_item(2, **SHIPPED))
    options = ["--key", order_key(1), "--yes"]
    then = {"as_of": "2026-11-23T10:04:00", "table": names.TABLE}
    assert run_restore(*options, "--dry-run", **then)[1]["to_write"] == 1
    assert run_restore(*options, **then)[0] == 0
    assert new_items(names.TABLE) == {
        order_key(1): canonical(order_item(1, **PAID)),
        order_key(2): canonical(order_item(2, **SHIPPED)),
    }
    message = refusal(capsys, "--key", order_key(2), "--yes", **then)
    assert message.startswith(f"the lake has no item {order_key(2)} as of 2026-11-23 10:04:00 UTC")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--as-of", NOON],
        ["--as-of", "2999-01-01T00:00", "--table", NEW],
        ["--as-of", "yesterday", "--table", NEW],
        ["--as-of", NOON, "--table", "arn:aws:dynamodb:us-east-1:1:table/t"],
        ["--as-of", NOON, "--table", names.TABLE],
        ["--as-of", NOON, "--table", names.TABLE, "--yes"],
        ["--as-of", NOON, "--table", names.TABLE, "--yes", "--where", "true"],
        ["--as-of", NOON, "--table", names.TABLE, "--key", '{"order_id":{"S":"1"}}'],
        ["--as-of", NOON, "--table", NEW, "--key", "1"],
        ["--as-of", NOON, "--table", NEW, "--where", "true", "--key", '{"id":{"S":"1"}}'],
        ["--as-of", NOON, "--table", NEW, "--read-all"],
        ["--as-of", NOON, "--table", NEW, "--prefix", names.LAKE],
        ["--table", NEW],
        ["--yes"],
        ["--rate", "3"],
    ],
)
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)


@pytest.mark.slow
def test_a_killed_restore_continues(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_writer, "MAX_BATCH_ITEMS", 2)
    rows = [history_rows(order_item(number, **PAID))[0] for number in range(5)]
    env.set_lake_objects(rows)
    for number, is_after_call, put_count in ((0, False, 0), (1, True, 4), (2, False, 4)):
        create_new_table({"order_id": "S"})
        with kill_at_write(env, number, is_after_call):
            assert run_restore() == (130, {})
        assert len(new_items()) == put_count
        status, document = run_restore()
        assert (status, document["written"]) == (0, 5 - put_count)
        assert new_items() == {row["cdc_key"]: row["cdc_new_image"] for row in rows}


def kill_at_write(env: VerifyEnvironment, number: int, is_after_call: bool) -> Any:
    return killed_at_call(
        env.cloud,
        number,
        is_after_call=is_after_call,
        is_counted=lambda operation: operation == "BatchWriteItem",
    )


def test_another_writer_is_noticed(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    write = table_writer.TableWriter.write

    def write_too_much(writer: table_writer.TableWriter, images: Iterator[str], total: int) -> None:
        write(writer, images, total)
        boto3.client("dynamodb").put_item(TableName=NEW, Item=order_item(8))

    monkeypatch.setattr(table_writer.TableWriter, "write", write_too_much)
    assert refusal(capsys).startswith(
        f"table {NEW} does not equal the lake, as in {order_key(8)}: stop what else writes"
    )


def test_the_output_is_one_line(env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    env.set_lake_objects(history_rows(order_item(1, **PAID)))
    capsys.readouterr()
    arguments = ["--as-of", NOON, "--table", NEW]
    assert command.main([*arguments, "--dry-run"]) == 0
    assert command.main(arguments) == 0
    then = f"1 item as of 2026-11-23 12:00:00 UTC into {NEW}"
    assert capsys.readouterr().out.splitlines() == [
        f"would restore {then}: 1 to write",
        f"restored {then}: it equals the lake as of then, 1 were written",
    ]
    assert json.loads(json.dumps(run_restore()[1]))["written"] == 0


def test_masked_items_never_replace_the_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(names, "MASKED", {"customer": "drop"})
    options = ["--as-of", NOON, "--table", names.TABLE, "--key", order_key(1), "--yes"]
    assert command.main(options) == 1
    assert f"MASKED names, and {names.TABLE} would lose them" in capsys.readouterr().err
