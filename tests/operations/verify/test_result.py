"""Result of a comparison: its exit status, its text and its JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.lake import LakeRow
from operations.verify.diff import KINDS, Difference
from operations.verify.part import Part
from operations.verify.result import Finding, VerifyResult

READ_AT = datetime(2026, 11, 29, tzinfo=UTC)
ROW = LakeRow("a", "digest", None, "stream", "1", None)
TOMBSTONE = LakeRow("a", None, None, "stream", "1", None)
KIND_LISTS = st.lists(st.none() | st.sampled_from(KINDS), max_size=9)


def finding(
    kind: str | None, number: int = 1, item: str | None = "{}", row: LakeRow | None = ROW
) -> Finding:
    return Finding(f"key {number}", kind, item, row, READ_AT)


def result_of(kinds: Sequence[str | None], limit: int | None = None) -> VerifyResult:
    result = VerifyResult(limit)
    for number, kind in enumerate(kinds):
        result.add(finding(kind, number))
    return result


@given(KIND_LISTS, st.none() | st.integers(0, 3))
def test_a_result_counts_all_and_lists_some(kinds: list[str | None], limit: int | None) -> None:
    result = result_of(kinds, limit)
    wrong = [kind for kind in kinds if kind is not None]
    assert result.status == (0 if not wrong else 2 if set(wrong) == {"unsettled"} else 1)
    assert result.state == ("equal", "differs", "unsettled")[result.status]
    document = result.document()
    assert document["equal"] == (not wrong)
    assert document["counts"] == {kind: wrong.count(kind) for kind in KINDS}
    for kind in KINDS:
        keys = [f"key {number}" for number, other in enumerate(kinds) if other == kind]
        assert document[kind] == keys[:limit]
    assert (document["table"], document["lake"]) == (len(kinds), len(kinds))


@pytest.mark.parametrize(
    ("item", "row", "counts"),
    [
        ("{}", ROW, (1, 1)),
        ("{}", None, (1, 0)),
        ("{}", TOMBSTONE, (1, 0)),
        (None, ROW, (0, 1)),
        (None, TOMBSTONE, (0, 0)),
    ],
)
def test_items_are_counted_where_they_exist(
    item: str | None, row: LakeRow | None, counts: tuple[int, int]
) -> None:
    result = VerifyResult()
    result.add(finding("missing", item=item, row=row))
    assert (result.table_items, result.lake_items) == counts
    result.count_matched(3)
    assert (result.table_items, result.lake_items) == (counts[0] + 3, counts[1] + 3)
    part_result = VerifyResult(part=Part(1, 2))
    part_result.add(finding("missing", item=item, row=row))
    assert (part_result.table_items, part_result.lake_items) == (0, 0)


@pytest.mark.parametrize(
    ("kinds", "part", "lines"),
    [
        ([None], None, ["lake equals table: 1 item"]),
        ([], Part(1, 2), ["lake equals table in part 1/2: 0 items of the table, 0 of the lake"]),
        (
            ["unsettled"] * 2,
            None,
            [
                "unsettled  key 0",
                "unsettled  … and 1 more: use --limit to list them",
                "inconclusive: 2 keys kept changing; 2 items in the table, 2 in the lake; "
                "try again later",
            ],
        ),
        (
            ["extra", "missing"],
            None,
            [
                "missing    key 1",
                "extra      key 0  a: table has 1, lake has 2",
                "lake differs from table: 1 missing, 1 extra; 2 items in the table, 2 in the lake",
            ],
        ),
        (
            ["columns"],
            Part(3, 4),
            [
                "columns    key 0  a: table has 1, lake has 2",
                "lake differs from table in part 3/4: 1 columns; "
                "0 items in the table, 0 in the lake",
            ],
        ),
    ],
)
def test_the_last_line_is_the_summary(
    kinds: list[str | None], part: Part | None, lines: list[str]
) -> None:
    result = result_of(kinds, limit=1)
    if part:
        result = VerifyResult(1, part)
        for number, kind in enumerate(kinds):
            result.add(finding(kind, number))
    if "unsettled" not in kinds:
        result.differences["key 0"] = Difference("a", "1", "2")
    assert list(result.lines()) == lines
