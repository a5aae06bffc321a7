"""operations.compact: queries give the answers of the lake, whatever happens to a copy."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from fractions import Fraction
from itertools import count
from typing import Any

import boto3
import pytest

from analytics.athena import run_query
from analytics.named_queries import load_named_queries
from local.core.server import Cloud
from operations.compact import compaction
from operations.compact.compaction import Compaction, CopyDiffers, Outcome
from operations.lake_copy.parts import (
    CopyTable,
    PartDropped,
    drop_copy,
    first_recent_day,
)
from operations.lake_copy.statements import Statements
from operations.verify.gaps import find_gaps
from sales.order_lifecycle import Plan, generate_changes
from setup import names
from setup.lib.views import describe_table, update_table
from tests.support.lake_fixture import deliver, lake_with_views, query_rows, replace_lake
from tests.support.profile import IS_THOROUGH, sampled

TODAY = date(2026, 3, 8)  # The lake has days until the fifth.
UNTIL = TODAY - timedelta(days=names.RECENT_DAYS - 1)
WRITES = (
    "StartQueryExecution",
    "CreatePartition",
    "UpdatePartition",
    "DeletePartition",
    "UpdateTable",
    "DeleteObject",
)
CHEAP_QUERIES = (
    "SELECT order_id, status, total, removed, expired, changed_at, image FROM orders",
    "SELECT dt, cdc_key, cdc_sequence, operation, total, old_image, cdc_content FROM order_changes",
)
PART = "20260306T000000-00000000"
IMAGES = (None, '{"order_id":{"S":"~"}}', '{"a":{"S":"~"}}')
MAX_WRITES = 20  # In a run that copies a day and gathers both tables.
INTERVAL = 1 if IS_THOROUGH else 10
QUERY_INTERVAL = 1 if IS_THOROUGH else 8
object_numbers = count()

Answers = dict[str, list[str]]


class Killed(BaseException):
    """The process ends in the middle of a run."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with lake_with_views() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    """Rows of several days, copies of which lack images or attributes."""
    changes = generate_changes(Plan(60, 8, Fraction(1, 10), date(2026, 3, 10)))
    lines = deliver(changes)
    for number, (day, line) in enumerate(lines[::7]):
        row = json.loads(line)
        if number % 2:
            row = {name: value for name, value in row.items() if name.startswith("cdc_")}
        else:
            row["cdc_new_image"] = IMAGES[number % 3]
        lines.append((day, json.dumps(row) + "\n"))
    return lines


@pytest.fixture
def lake(cloud: Cloud, lines: list[tuple[str, str]]) -> Iterator[None]:
    """The lake without a copy."""
    drop_copy()
    replace_lake(lines)
    yield
    drop_copy()


def compact(**options: bool) -> Outcome:
    return Compaction(TODAY, lambda _: None, **options).run()


def answers(*queries: str) -> Answers:
    return {sql: sorted(map(repr, query_rows(sql))) for sql in queries or CHEAP_QUERIES}


def all_answers(order_id: str) -> Answers:
    """Return the answers to the questions, by default an eighth of them, and all gaps."""
    result = {**answers(), "gaps": [repr(gap) for gap in find_gaps()]}
    for name, query in [*load_named_queries().items()][::QUERY_INTERVAL]:
        arguments = {"order_id": order_id} if "order_id" in query.parameters else {}
        rows = query_rows(query.sql, *query.parameter_values(arguments))
        result[name] = [repr(row) for row in rows]
    return result


def add_object(day: str, *lines: str) -> None:
    """Add an object to a day of the lake."""
    key = f"{names.LAKE}dt={day}/late-{next(object_numbers)}.gz"
    body = gzip.compress("".join(lines).encode())
    boto3.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)


def part_names(table: str) -> list[str]:
    return [part.name for part in CopyTable(table).parts()]


def keys_below(prefix: str) -> list[str]:
    response = boto3.client("s3").list_objects_v2(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Key"] for entry in response.get("Contents", ())]


@contextmanager
def before_write(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Do something before the write of this number, which the commands within make."""
    numbers = count()

    def hook(model: Any, **_: object) -> None:
        if model.name in WRITES and next(numbers) == number:
            action()

    clients: list[Any] = [boto3.client("glue"), boto3.client("s3"), boto3.client("athena")]
    for client in clients:
        client.meta.events.register("before-call", hook)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", hook)


def kill() -> None:
    raise Killed


def test_all_answers_are_equal(lake: None, lines: list[tuple[str, str]]) -> None:
    order_id = json.loads(lines[0][1])["order_id"]
    expected = all_answers(order_id)
    objects = keys_below(names.LAKE)
    outcome = compact()
    assert outcome.copied_days == sorted({day for day, _ in lines})
    # Queries in flight may not know the copy yet.
    assert first_recent_day() == outcome.copied_days[0]
    assert answers() == {sql: expected[sql] for sql in CHEAP_QUERIES}
    assert compact().copied_days == []
    assert first_recent_day() == str(UNTIL)
    assert all_answers(order_id) == expected
    assert keys_below(names.LAKE) == objects
    replace_lake([])
    assert answers() == {sql: expected[sql] for sql in CHEAP_QUERIES}  # They are the copy's.


@pytest.mark.slow
def test_a_killed_run_changes_no_answer(lake: None, lines: list[tuple[str, str]]) -> None:
    """Each run dies at another write, with a day to copy and parts to gather."""
    expected = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "KEPT_FOR", timedelta(0))
        patch.setattr(compaction, "GATHERED", dict.fromkeys(compaction.GATHERED, (1, 1 << 20)))
        for number in range(0, MAX_WRITES, INTERVAL):
            add_object(*lines[number])
            with before_write(number, kill), suppress(Killed):
                compact()
            assert answers() == expected, number
        for _ in range(2):
            compact()
        assert answers() == expected
        for table in (names.HISTORY, names.STATE):
            [part] = part_names(table)
            assert all(f"/{part}/" in key for key in keys_below(f"{names.TABLES}{table}/"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5, MAX_WRITES, 3) if IS_THOROUGH else [8])
def test_two_runs_at_once_change_no_answer(
    lake: None, lines: list[tuple[str, str]], number: int
) -> None:
    compact()
    add_object(*lines[0])
    expected = answers()
    with before_write(number, lambda: check_answers_after(compact, expected)):
        compact()
    assert answers() == expected
    assert compact().copied_days == []
    assert answers() == expected


def check_answers_after(action: Callable[[], object], expected: Answers) -> None:
    action()
    assert answers() == expected


@pytest.mark.slow
def test_a_late_row_is_seen_after_the_next_run(lake: None, lines: list[tuple[str, str]]) -> None:
    late, *rest = lines
    replace_lake([line for line in rest if line[1] != late[1]])
    compact()
    compact()
    before = answers()
    add_object(*late)
    assert answers() == before
    assert compact().copied_days == [late[0]]
    after = answers()
    assert after != before
    drop_copy()
    assert answers() == after


def test_a_dropped_part_is_not_marked(cloud: Cloud) -> None:
    table = CopyTable(names.HISTORY)
    table.publish(PART)
    drop_copy()
    assert table.parts() == []
    with pytest.raises(PartDropped):
        table.mark(PART, {"2026-03-05": "digest"}, "")


def test_a_drop_keeps_what_setup_changes(lake: None) -> None:
    def describe_recent() -> None:
        update_table({**describe_table(names.RECENT), "Description": "Changed meanwhile."})

    with before_write(0, describe_recent):  # It is about to move the first recent day.
        drop_copy()
    assert describe_table(names.RECENT)["Description"] == "Changed meanwhile."


def test_a_drop_leaves_parts_that_come_later(lake: None, lines: list[tuple[str, str]]) -> None:
    replace_lake(lines[:10])
    with before_write(0, compact):  # It is about to begin a generation.
        drop_copy()
    assert part_names(names.HISTORY) != []
    assert compact().copied_days != []  # They do not count.


def test_compactions_during_a_drop_hide_no_row(lake: None, lines: list[tuple[str, str]]) -> None:
    replace_lake(lines[:10])
    for _ in range(2):
        compact()
    expected = answers()

    def compact_twice() -> None:
        assert compact().recent_from < str(UNTIL)  # Parts that the erase drops do not count.
        assert compact().recent_from == str(UNTIL)

    with before_write(1, compact_twice):  # It is about to drop the first part.
        drop_copy()
    assert answers() == expected
    assert first_recent_day() == str(UNTIL)


def test_recent_stays_if_the_copy_is_dropped(lake: None, lines: list[tuple[str, str]]) -> None:
    replace_lake(lines[:10])
    compact()
    with before_write(0, drop_copy):  # It is about to move the first recent day.
        assert compact().recent_from == names.FIRST_DAY


@pytest.mark.slow
@pytest.mark.parametrize("number", range(6) if IS_THOROUGH else [4])  # 4: before the proof.
def test_rows_may_arrive_during_a_run(
    lake: None, lines: list[tuple[str, str]], number: int
) -> None:
    late, *rest = lines
    replace_lake([line for line in rest if line[1] != late[1]])
    with before_write(number, lambda: add_object(*late)):
        compact()
    expected = answers()  # `recent` still reads the JSON.
    assert compact().changed_days == []
    compact()
    assert first_recent_day() == str(UNTIL)
    assert answers() == expected


@pytest.mark.slow
@pytest.mark.parametrize("row_count", [0, 1] if IS_THOROUGH else [1])
def test_lost_rows_need_a_new_copy(
    lake: None, lines: list[tuple[str, str]], row_count: int
) -> None:
    """An object of a copied day is deleted, or overwritten with fewer rows."""
    compact()
    day = lines[0][0]
    s3 = boto3.client("s3")
    for key in keys_below(f"{names.LAKE}dt={day}/"):
        s3.delete_object(Bucket=names.bucket(), Key=key)
    if row_count:
        add_object(*lines[0])
    with pytest.raises(CopyDiffers, match=r"run python -m operations.compact --rebuild"):
        compact()
    compact(rebuild=True)
    copied = answers()
    drop_copy()
    assert answers() == copied


@pytest.mark.slow
@pytest.mark.parametrize("table", sampled([names.STATE, names.HISTORY], step=2))
def test_a_wrong_copy_does_not_count(
    lake: None, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    expected = answers()
    with monkeypatch.context() as patch:
        patch.setattr(Statements, "unload", unload_without_a_row(table))
        with pytest.raises(CopyDiffers, match="the copy differs from table changes in rows of"):
            compact()
    assert part_names(names.HISTORY) == part_names(names.STATE) == []
    assert answers() == expected
    compact()
    assert answers() == expected


@pytest.mark.parametrize("table", [names.STATE, names.HISTORY])
def test_a_proof_reads_each_side_once(lake: None, table: str) -> None:
    statements = Statements(CopyTable(names.HISTORY).columns())
    days = {day.name: day.size for day in Compaction(TODAY, lambda _: None).days_to_copy()}
    rows = statements.lake_rows(days)
    result = run_query(statements.differences(table, rows, rows))
    assert list(result.rows) == []
    assert result.bytes_scanned == 2 * sum(days.values())


def unload_without_a_row(name: str) -> Callable[..., str]:
    """Return a function that makes UNLOAD leave a row out."""
    unload = Statements.unload

    def incomplete(self: Statements, table: str, rows: str, location: str) -> str:
        lost = " AND cdc_sequence <> (SELECT max(cdc_sequence) FROM changes)"
        return unload(self, table, rows + (lost if table == name else ""), location)

    return incomplete


@pytest.mark.slow
def test_a_new_column_is_copied(lake: None, lines: list[tuple[str, str]]) -> None:
    compact()
    tables: list[Any] = [
        describe_table(name) for name in (names.CHANGES, names.HISTORY, names.STATE, names.RECENT)
    ]
    for table in tables:
        storage = table["StorageDescriptor"]
        new_column = {"Name": "gift_note", "Type": "string"}
        columns = [*storage["Columns"], new_column]
        update_table({**table, "StorageDescriptor": {**storage, "Columns": columns}})
    day, line = lines[0]
    add_object(day, json.dumps({**json.loads(line), "gift_note": "x", "cdc_event_id": "new"}))
    assert compact().copied_days == sorted({day for day, _ in lines})
    assert query_rows("SELECT count(*) FROM history WHERE gift_note = 'x'") == [("1",)]
    for table in tables:
        update_table(table)


def test_recent_days_are_not_copied(lake: None, lines: list[tuple[str, str]]) -> None:
    last_day = date.fromisoformat(max(day for day, _ in lines))
    days = Compaction(last_day, lambda _: None).days_to_copy()
    assert days[-1].name == str(last_day - timedelta(days=names.RECENT_DAYS))
