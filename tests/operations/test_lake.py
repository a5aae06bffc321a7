"""The lake's current state: of equal rows the greatest wins, and no row of a result is missing."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from analytics.athena import Row
from operations import lake
from operations.columns import DeclaredColumns
from operations.digest import digest
from operations.lake import (
    LakeItem,
    TruncatedResult,
    complete_rows,
    fetch_digests,
    fetch_items,
    fetch_latest_rows,
    item_digest,
)
from setup import names
from tests.support.verify_fixture import LakeColumns, VerifyEnvironment, order_key, verify_env
from transform import state

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table"
COLUMNS = DeclaredColumns(("status",))
# Two values of the only attribute column; that of the later row has the greater digest.
SMALL, GREAT = sorted(("x", "y"), key=lambda text: COLUMNS.digest({"status": text}) or "")
CHANGE = {"cdc_operation": "MODIFY", "cdc_changed_at": "2026-11-23 10:00:00.000"}


def image_content(image: str) -> str:
    """Return the sort key of a copy with this new image and no old one."""
    columns = dict.fromkeys(["cdc_key", "cdc_source", "cdc_sequence", "cdc_event_id"], "")
    columns |= {"cdc_snapshot_at": "", "cdc_new_image": image, **CHANGE}
    return state.content(state.Row.from_columns({**columns, "cdc_old_image": None}))


SMALL_IMAGE, GREAT_IMAGE = sorted(('{"n":{"N":"1"}}', '{"n":{"N":"2"}}'), key=image_content)
# The columns by which rows are ordered, each with a small and a great value.
ORDER: list[tuple[str, str | None, str | None]] = [
    ("created_at", "2026-11-23T10:00:00.000", "2026-11-24T10:00:00.000"),
    ("table", "a", "b"),
    ("cdc_sequence", "1", "2"),
    ("cdc_snapshot_at", None, "2026-11-23 10:20:00.000001"),
    ("cdc_event_id", "1", "2"),
    ("cdc_old_image", None, "{}"),
    ("cdc_new_image", SMALL_IMAGE, GREAT_IMAGE),
    ("status", SMALL, GREAT),
]
CONTENT_AT = [name for name, *_ in ORDER].index("cdc_old_image")


def pair(number: int) -> list[LakeColumns]:
    """Return two rows of a key: the first is greater in one column, the second in all later."""
    winner: LakeColumns = {}
    loser: LakeColumns = {}
    for index, (name, small, great) in enumerate(ORDER):
        winner[name] = great if index == number else small
        loser[name] = great if index > number else small
    return [row_of(number, columns) for columns in (winner, loser)]


def row_of(number: int, columns: LakeColumns) -> LakeColumns:
    table, created_at = columns["table"], columns["created_at"]
    return {
        **{name: text for name, text in columns.items() if name not in ("table", "created_at")},
        "cdc_key": order_key(number),
        "cdc_source": f"{ARN}/{table}/stream/{created_at}",
        **CHANGE,
    }


PAIRS = [pair(number) for number in range(len(ORDER))]
KEYS = [order_key(number) for number in range(len(ORDER))]


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    """A lake that has the pairs, the winner of each last or first."""
    with verify_env() as env:
        winners = [winner for winner, _ in PAIRS]
        losers = [loser for _, loser in PAIRS]
        env.set_lake_objects([*winners[::2], *losers], winners[1::2])
        yield env


def test_each_column_decides_before_the_later_ones(env: VerifyEnvironment) -> None:
    expected = [
        LakeItem(key, winner["cdc_new_image"], {"status": winner["status"]})
        for key, (winner, _) in zip(KEYS, PAIRS, strict=True)
    ]
    assert sorted(fetch_items(COLUMNS, KEYS), key=lambda item: item.key) == expected
    for row, (winner, _) in zip(
        sorted(fetch_latest_rows(COLUMNS, KEYS), key=lambda row: row.key), PAIRS, strict=True
    ):
        assert (row.source, row.sequence) == (winner["cdc_source"], winner["cdc_sequence"])
        assert row.snapshot_at == winner["cdc_snapshot_at"]
        assert row.image_digest == digest(winner["cdc_new_image"])
        assert row.columns_digest == COLUMNS.digest(winner)


def test_python_orders_them_alike() -> None:
    for winner, loser in PAIRS[:-1]:  # It does not read the attribute columns.
        rows = [state.Row.from_columns({"cdc_expired": None, **row}) for row in (winner, loser)]
        [latest] = state.latest_rows(rows[::-1]).values()
        assert latest == rows[0]


def test_copies_that_differ_have_a_digest_each(env: VerifyEnvironment) -> None:
    expected = set()
    for number, (winner, loser) in enumerate(PAIRS):
        rows = [winner, loser] if number >= CONTENT_AT else [winner]
        status_by_image: dict[str, str] = {}
        for row in rows:
            image = row["cdc_new_image"]
            status_by_image[image] = max(
                status_by_image.get(image, SMALL), row["status"], key=[SMALL, GREAT].index
            )
        for image, status in status_by_image.items():
            columns_digest = COLUMNS.digest({"status": status})
            expected.add((order_key(number), item_digest(digest(image), columns_digest)))
    digests = list(fetch_digests(COLUMNS))
    assert len(digests) == len(set(digests))
    assert set(digests) == expected


def test_only_the_given_keys_are_read(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {key for key, _ in fetch_digests(COLUMNS, KEYS[:2])} == set(KEYS[:2])
    monkeypatch.setattr(lake, "MAX_KEYS_IN_QUERY", 2)
    assert {row.key for row in fetch_latest_rows(COLUMNS, KEYS[:2])} == set(KEYS[:2])
    assert {row.key for row in fetch_latest_rows(COLUMNS, KEYS[:3])} == set(KEYS)


def test_a_lake_without_attribute_columns_is_read(env: VerifyEnvironment) -> None:
    image = PAIRS[0][0]["cdc_new_image"]
    digests = list(fetch_digests(DeclaredColumns(()), KEYS[:1]))
    assert digests == [(KEYS[0], item_digest(digest(image), None))]


def test_a_removed_item_has_no_digest(env: VerifyEnvironment) -> None:
    [winner, loser] = pair(0)
    tombstone = {**winner, "cdc_key": "removed", "cdc_new_image": None}
    copy = {**loser, "cdc_key": "copied", "cdc_new_image": None}
    complete_copy = {**copy, "cdc_new_image": "{}"}
    env.add_lake_object(
        "removed.json", [tombstone, {**loser, "cdc_key": "removed"}, copy, complete_copy]
    )
    keys = ["removed", "copied"]
    digests = dict(fetch_digests(COLUMNS, keys))
    assert digests.keys() == {"copied"}  # The copy with an image is fuller.
    rows = {row.key: row for row in fetch_latest_rows(COLUMNS, keys)}
    assert rows["removed"].item_digest is None
    assert rows["copied"].item_digest == digests["copied"]
    path = f"{names.LAKE}dt=2026-11-23/removed.json"
    env.s3.delete_object(Bucket=names.bucket(), Key=path)


TOTAL: Row = (None, None, "3")
ROWS: list[Row] = [("a", "x", "2"), ("b", None, "1")]


@pytest.mark.parametrize("rows", [[*ROWS, TOTAL], [TOTAL, *ROWS], [ROWS[0], TOTAL, ROWS[1]]])
def test_a_whole_result_is_returned(monkeypatch: pytest.MonkeyPatch, rows: list[Row]) -> None:
    monkeypatch.setattr(lake, "run_query", lambda _: SimpleNamespace(rows=rows))
    assert list(complete_rows("")) == [("a", "x"), ("b", None)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "lacks its row count after 0: run it again"),
        (ROWS, "lacks its row count after 3: run it again"),
        ([ROWS[0], TOTAL], "lacks some rows after 2: run it again"),
        ([TOTAL], "lacks some rows after 0: run it again"),
    ],
)
def test_a_truncated_result_is_an_error(
    monkeypatch: pytest.MonkeyPatch, rows: list[Row], message: str
) -> None:
    monkeypatch.setattr(lake, "run_query", lambda _: SimpleNamespace(rows=rows))
    with pytest.raises(TruncatedResult, match=message):
        list(complete_rows(""))


def test_an_empty_lake_has_a_count_only(monkeypatch: pytest.MonkeyPatch) -> None:
    total: Row = (None, "0")
    monkeypatch.setattr(lake, "run_query", lambda _: SimpleNamespace(rows=[total]))
    assert list(complete_rows("")) == []


def test_a_fingerprint_tells_rows_apart() -> None:
    rows = [
        lake.LakeRow("k", "i", "c", "s", "1", "t"),
        lake.LakeRow("k", "i", None, "s", "1", "t"),
        lake.LakeRow("k", "i", "c", "s", "2", "t"),
        lake.LakeRow("k", None, "c", "s", "1", "t"),
    ]
    assert len({row.fingerprint for row in rows}) == len(rows)
    assert rows[1].item_digest == item_digest("i", None) != rows[0].item_digest
    assert rows[3].item_digest is None
    assert rows[0].state_row.sequence == "1"
    assert rows[0].state_row.snapshot_at == "t"
    empty = lake.LakeRow("k", None, None, None, None, None).state_row
    assert (empty.source, empty.sequence, empty.snapshot_at) == ("", "", None)
