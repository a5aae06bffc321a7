"""The copy of the lake gives verify the rows of the JSON, and never those of a day that changed."""

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations import row_source
from operations.columns import DeclaredColumns
from operations.compact import compaction
from operations.compact.compaction import Compaction
from operations.digest import digest
from operations.lake import fetch_digests, fetch_items, fetch_latest_rows
from operations.lake_copy import days, parts
from operations.lake_copy.statements import Statements
from operations.row_source import CopyDropped, RowSource
from operations.status.checks import copy
from operations.verify import command
from operations.verify.copy_proof import CopyOutdated, prove_copy
from operations.verify.gaps import find_gaps
from setup import names
from setup.lib.views import describe_table, update_table
from tests.support.commands import run_json_command
from tests.support.lake_fixture import lake_with_views
from tests.support.laptop_cloud import create_table
from tests.support.profile import IS_FULL, IS_THOROUGH
from tests.support.verify_fixture import (
    HISTORIES,
    PHASES_WITHOUT_SHRINK,
    Item,
    LakeColumns,
    draw_altered_copies,
    draw_snapshots,
    history_rows,
    order_item,
    order_key,
    rows_of_histories,
    run_verify,
)
from transform.row import ERASED

DAYS = ("2026-03-01", "2026-03-02", "2026-03-04", "2026-03-05")
AFTER_ALL = "2026-03-06"
TODAY = date(2026, 3, 5) + timedelta(days=names.RECENT_DAYS)
CONTENT = ("cdc_old_image", "cdc_new_image", "status", "total", "coupon", "customer__name")


@pytest.fixture(scope="module", autouse=True)
def dynamodb() -> Iterator[Any]:
    with lake_with_views():
        client = boto3.client("dynamodb")
        create_table(client, names.TABLE, {"order_id": "S"})
        yield client


@pytest.fixture(autouse=True, scope="module")
def parts_of_two_days() -> Iterator[None]:
    """Let the copy have parts of at most two days, side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "MAX_DAYS", 2)
        patch.setattr(compaction, "GATHERED", dict.fromkeys(compaction.GATHERED, (9, 0)))
        yield


def compact(rows: list[LakeColumns]) -> None:
    """Replace the lake by the rows, two objects a day, and copy them."""
    parts.drop_copy()
    s3 = boto3.client("s3")
    for key in keys_of_lake():
        s3.delete_object(Bucket=names.bucket(), Key=key)
    for day in DAYS:
        rows_of_day = [row for row in rows if row["cdc_changed_at"].startswith(day)]
        add_object(day, "first", rows_of_day[::2])
        add_object(day, "second", rows_of_day[1::2])
    Compaction(TODAY, lambda _: None).run()


def add_object(day: str, name: str, rows: list[LakeColumns]) -> None:
    if rows:
        body = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
        key = f"{names.LAKE}dt={day}/{name}.gz"
        boto3.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)


def keys_of_lake() -> list[str]:
    response = boto3.client("s3").list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    return [entry["Key"] for entry in response.get("Contents", ())]


def dated(rows: list[LakeColumns], data: st.DataObject) -> list[LakeColumns]:
    """Return the rows with a day each, that of their copies."""
    days: dict[str, str] = {}
    for row in rows:
        days.setdefault(row["cdc_event_id"], data.draw(st.sampled_from(DAYS)))
    return [{**row, "cdc_changed_at": f"{days[row['cdc_event_id']]} 10:00:00.000"} for row in rows]


def without_content(row: LakeColumns, **columns: str) -> LakeColumns:
    return {name: text for name, text in row.items() if name not in CONTENT} | columns


@settings(
    max_examples=60 if IS_THOROUGH else 2 if IS_FULL else 1,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(HISTORIES, st.data())
def test_the_copy_gives_the_rows_of_the_json(
    histories: list[list[Item | None]], data: st.DataObject
) -> None:
    all_rows = [row for history in rows_of_histories(histories) for row in history]
    rows = [row for row in all_rows if data.draw(st.integers(0, 5))]
    rows += draw_snapshots(all_rows, data)
    rows += draw_altered_copies(rows, data)
    rows += [
        without_content(row, cdc_expired=ERASED)
        for row in rows
        if data.draw(st.integers(0, 5)) == 0
    ]
    rows = data.draw(st.permutations(dated(rows + rows[::3], data)))
    late_rows = rows[: data.draw(st.integers(0, 3))]
    compact([row for row in rows if row not in late_rows])
    require_equal_answers()
    for number, row in enumerate(late_rows):
        add_object(row["cdc_changed_at"][:10], f"late-{number}", [row])
    for key in data.draw(st.lists(st.sampled_from(keys_of_lake()), max_size=1)) if rows else ():
        boto3.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    require_equal_answers()


def require_equal_answers() -> None:
    state, history = RowSource.fetch(names.STATE), RowSource.fetch(names.HISTORY)
    json_rows = RowSource.fetch_json()
    assert set(find_gaps(source=history)) == set(find_gaps(source=json_rows))
    columns = DeclaredColumns.fetch()
    rows, expected_rows = (
        set(fetch_latest_rows(columns, (), source)) for source in (state, json_rows)
    )
    assert rows == expected_rows
    digests = set(fetch_digests(columns, source=state))
    assert {(row.key, row.item_digest) for row in rows if row.item_digest} <= digests
    assert digests <= set(fetch_digests(columns, source=json_rows))


def rows_of_days() -> list[LakeColumns]:
    """Return the changes of an order on each day."""
    rows = history_rows(*(order_item(1, total={"N": f"{number}"}) for number in range(len(DAYS))))
    return [
        {**row, "cdc_changed_at": f"{day} 10:00:00.000"}
        for row, day in zip(rows, DAYS, strict=True)
    ]


def sources() -> set[str | None]:
    """Return the first days that are read as JSON, by the two tables."""
    return {RowSource.fetch(table).json_from for table in (names.STATE, names.HISTORY)}


@pytest.mark.slow
def test_days_that_changed_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of_days()
    compact(rows)
    assert sources() == {AFTER_ALL}
    add_object(DAYS[3], "late", rows[3:])
    assert sources() == {"2026-03-03"}  # A part has the last two days.
    with pytest.raises(CopyOutdated, match=r"^1 day changed since the copy, such as 2026-03-05: "):
        prove_copy()
    Compaction(TODAY, lambda _: None).run()
    assert sources() == {AFTER_ALL}
    add_object(AFTER_ALL, "new", rows[3:])
    assert sources() == {AFTER_ALL}
    add_object("2026-03-03", "new", rows[3:])  # A day between those that are copied.
    assert sources() == {"2026-03-03"}
    monkeypatch.setattr(row_source, "MAX_NAMES_LENGTH", 100)
    assert sources() == {None}


@pytest.mark.slow
def test_columns_of_a_crawl_are_read_as_json(dynamodb: Any) -> None:
    compact(rows_of_days())
    item = order_item(1, total={"N": "3"})
    dynamodb.put_item(TableName=names.TABLE, Item=item)
    crawled = describe_table(names.CHANGES)
    column: Any = {"Name": "gift_note", "Type": "string"}
    storage = crawled["StorageDescriptor"]
    with_column: Any = {**storage, "Columns": [*storage["Columns"], column]}
    update_table({**crawled, "StorageDescriptor": with_column})
    try:
        assert sources() == {None}
        assert (run_verify(), run_verify("--gaps")) == (0, 0)
    finally:
        update_table(crawled)
    assert sources() == {AFTER_ALL}


@pytest.mark.slow
def test_copies_without_images_have_one_order() -> None:
    day = {"cdc_changed_at": f"{DAYS[0]} 10:00:00.000"}
    rows = [without_content(history_rows(order_item(n))[0], **day) for n in range(30)]
    copies = rows + [row | {"cdc_expired": ERASED} for row in rows]
    compact(sorted(copies, key=lambda row: digest(str(row))))
    require_equal_answers()


def test_a_lost_row_hides_no_other() -> None:
    first, second = rows_of_days()[:2]
    compact([first, second])
    key = f"{names.LAKE}dt={DAYS[1]}/first.gz"
    boto3.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    [row] = fetch_latest_rows(DeclaredColumns(()), (), RowSource.fetch(names.STATE))
    assert row.sequence == first["cdc_sequence"]


def test_parts_that_an_erase_drops_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    compact(rows_of_days())
    assert RowSource.fetch(names.HISTORY).json_from == AFTER_ALL
    assert "4 of 4 days copied" in copy.check(None).message
    with monkeypatch.context() as patch:
        patch.setattr(parts.CopyTable, "drop", lambda *_: None)  # It is killed.
        parts.drop_copy()
    assert parts.CopyTable(names.HISTORY).parts() != []
    assert RowSource.fetch(names.HISTORY).json_from is None
    assert "0 of 4 days copied" in copy.check(None).message


@pytest.mark.slow
def test_verify_says_what_it_has_read(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of_days()
    compact(rows)
    item = order_item(1, total={"N": "3"})
    dynamodb.put_item(TableName=names.TABLE, Item=item)
    line = f"read the copy of the days before {AFTER_ALL}, and the JSON of the others"
    assert run_verify() == 0
    assert capsys.readouterr().out.splitlines() == [line, "lake equals table: 1 item"]
    assert run_verify("--gaps") == 0
    assert capsys.readouterr().out.splitlines()[0] == line
    for options, day in (([], AFTER_ALL), (["--from-json"], None)):
        for mode in ([], ["--gaps"]):
            status, document = run_json_command(command.main, *options, *mode)
            assert (status, document["copied_until"]) == (0, day)
    assert run_verify("--copy") == 0
    assert capsys.readouterr().out == "the copy equals the JSON: 4 days\n"
    source = RowSource.fetch(names.HISTORY)
    parts.drop_copy()
    assert (run_verify(), run_verify("--copy")) == (0, 2)
    output = capsys.readouterr()
    assert output.out == "lake equals table: 1 item\n"
    assert output.err == "nothing is copied: run python -m operations.compact\n"
    with pytest.raises(CopyDropped, match="run this again"):
        list(find_gaps(source=source))


def test_a_wrong_copy_is_found(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb.put_item(TableName=names.TABLE, Item=order_item(1, total={"N": "3"}))
    monkeypatch.setattr(Compaction, "_prove", lambda *_: None)
    monkeypatch.setattr(Statements, "unload", unload_without_two_changes())
    compact(rows_of_days())
    assert run_verify("--from-json") == run_verify("--from-json", "--gaps") == 0
    assert run_verify() == run_verify("--gaps") == 1
    status, document = run_json_command(command.main, "--copy")
    assert (status, document["equal"], document["days"]) == (1, False, len(DAYS))
    assert document["differences"]["history"] == {DAYS[1]: 1, DAYS[3]: 1}
    source = RowSource.fetch(names.STATE)
    [lake_item] = fetch_items(DeclaredColumns(("total",)), [order_key(1)], source)
    assert lake_item.columns == {"total": "2"}


def unload_without_two_changes() -> Callable[..., str]:
    """Return a function that makes UNLOAD leave out two changes."""
    unload = Statements.unload

    def incomplete(self: Statements, table: str, rows: str, location: str) -> str:
        return unload(self, table, f"{rows} AND total NOT IN ('1', '3')", location)

    return incomplete
