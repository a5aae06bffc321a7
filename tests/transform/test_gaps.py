"""Gaps: lost changes show as images that no change left, until a repair bridges them."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.records import stream_arn
from tests.strategies.table_histories import canonical_items, histories, lake_items, lake_rows
from tests.transform.test_state import COPIES, History, row
from transform.gaps import Gap, GapKind, find_gaps
from transform.state import BACKFILL_SEQUENCE, Row, rank


@given(st.data(), histories())
def test_complete_log_has_no_gaps(data: st.DataObject, history: History) -> None:
    _, log = history
    assert list(find_gaps(lake_rows(data.draw(st.permutations(log)) + log))) == []


@given(histories(), st.data())
def test_lost_change_is_a_gap(history: History, data: st.DataObject) -> None:
    _, log = history
    if not log:
        return
    rows = lake_rows(log)
    lost = data.draw(st.sampled_from(rows))
    chain = sorted((row for row in rows if row.key == lost.key), key=rank)
    index = chain.index(lost)
    gaps = list(find_gaps([row for row in rows if row != lost]))
    if index + 1 == len(chain) or lost.old_image == lost.new_image:
        assert gaps == []
    else:
        before = chain[index - 1] if index else None
        assert gaps == [Gap(GapKind.OPEN, before, chain[index + 1])]


def changes(*images: str | None, source: int = 1) -> list[Row]:
    """Return the changes of a key that has these images in turn."""
    operations = {(True, False): "INSERT", (False, False): "MODIFY", (False, True): "REMOVE"}
    return [
        row(
            operation=operations[old is None, new is None],
            source=stream_arn(source),
            sequence=str(number).zfill(40),
            event_id=f"{source}-{number}",
            old_image=old,
            new_image=new,
        )
        for number, (old, new) in enumerate(pairwise(images), start=1)
    ]


def snapshot(image: str | None, source: int = 1, sequence: str = BACKFILL_SEQUENCE) -> Row:
    """Return a row of backfill or repair."""
    return row(
        operation="SNAPSHOT",
        source=stream_arn(source),
        sequence=sequence,
        snapshot_at="2026-01-02 00:00:00.000000",
        event_id=f"s{source}{image}",
        old_image=None,
        new_image=image,
    )


A_TO_C = changes("A", "B", "C")


@pytest.mark.parametrize(
    ("log", "count"),
    [
        (changes(None, "A", "B", None, "C"), 0),
        (A_TO_C, 1),
        ([*A_TO_C, snapshot("A")], 0),
        ([*A_TO_C, snapshot("B")], 0),
        ([*A_TO_C, snapshot("C")], 0),
        ([*A_TO_C, snapshot("D")], 1),
        ([*A_TO_C, snapshot(None)], 1),
        ([*changes("A", None), snapshot(None)], 1),
        ([*A_TO_C, snapshot("A", source=2)], 2),
        ([*A_TO_C, replace(snapshot("A"), key="other")], 1),
        ([*changes(None, "A", "B")[:1], *changes("X", "Y", "B", "C")[2:]], 1),
        ([*changes(None, "A", "B")[:1], *changes("X", "Y", "B", "C")[2:], snapshot("B")], 1),
        (changes(None, "A") + changes("A", "B", source=2), 0),
        (changes(None, "A") + changes("B", "C", source=2), 1),
        ([*changes(None, "A"), *changes("B", "C", source=2), snapshot("B", source=2)], 1),
        ([*changes(None, "A"), *changes("B", "C", source=2), snapshot("A", source=1)], 1),
        ([*changes(None, "A"), *changes(None, "C", source=2)], 1),
        ([*changes(None, "A", "B"), *changes("B", "C", source=2)], 0),
        ([snapshot("A"), snapshot("B")], 0),
        ([], 0),
    ],
)
def test_snapshots_excuse_the_gap_of_a_new_stream(log: list[Row], count: int) -> None:
    assert len(list(find_gaps(log + log))) == count


def test_streams_without_old_images_show_no_gaps() -> None:
    rows = [replace(change, old_image=None) for change in changes("A", "B", "C", None)]
    assert list(find_gaps(rows)) == []


def test_gaps_are_sorted_by_key() -> None:
    first, _, last = changes(None, "A", "B", "C")
    other_first = replace(first, key="a", event_id="a1")
    other_last = replace(last, key="a", event_id="a2")
    gaps = [Gap(GapKind.OPEN, other_first, other_last), Gap(GapKind.OPEN, first, last)]
    assert list(find_gaps([first, last, other_first, other_last])) == gaps


BEFORE, LOST, AFTER = changes(None, "A", "B", "C")


def repair(image: str | None) -> Row:
    """Return a repair of the key after the change BEFORE."""
    return snapshot(image, sequence=BEFORE.sequence)


@pytest.mark.parametrize(
    ("log", "kinds"),
    [
        ([BEFORE, AFTER], [GapKind.OPEN]),
        ([BEFORE, repair("B"), AFTER], [GapKind.BRIDGED]),
        ([BEFORE, repair("X"), AFTER], [GapKind.OPEN]),
        ([BEFORE, repair("B")], [GapKind.BRIDGED]),
        ([BEFORE, repair(None)], [GapKind.BRIDGED]),
        ([BEFORE, repair("A")], []),
        ([BEFORE, repair("B"), LOST], []),  # The change was only late.
        ([BEFORE, repair("B"), LOST, AFTER], []),
        ([BEFORE, replace(repair("B"), key="other"), AFTER], [GapKind.OPEN]),
        ([AFTER], [GapKind.OPEN]),
        ([AFTER, replace(snapshot("Z"), key="other")], [GapKind.OLDER]),
        ([AFTER, replace(snapshot("Z", source=2), key="other")], [GapKind.OPEN]),
        ([replace(AFTER, changed_at="2026-01-03"), replace(snapshot("Z"), key="other")], ["open"]),
        ([BEFORE, AFTER, replace(snapshot("Z"), key="other")], [GapKind.OPEN]),
        ([BEFORE, *changes("B", "C", source=2), snapshot("B", source=2)], [GapKind.BRIDGED]),
        ([BEFORE, snapshot("B", source=2)], [GapKind.BRIDGED]),
        ([BEFORE, snapshot("A", source=2)], []),
    ],
)
def test_gap_kind_says_what_was_lost(log: list[Row], kinds: list[GapKind]) -> None:
    assert [gap.kind for gap in find_gaps(log + log)] == kinds


@given(histories(), st.data())
def test_repair_bridges_every_lost_tail(history: History, data: st.DataObject) -> None:
    table, log = history
    rows = lake_rows(log)
    cut = data.draw(st.integers(0, len(rows)))
    lake = rows[:cut]
    repairs = [table.repair(order, lake, table.items.get(order)) for order in ("1", "2", "3")]
    lake += lake_rows(repairs)
    assert lake_items(lake) == canonical_items(table.items)
    assert GapKind.OPEN not in {gap.kind for gap in find_gaps(lake)}


def test_events_of_two_keys_may_share_an_event_id() -> None:
    first = row(key="a", operation="INSERT", old_image=None)
    second = row(key="b")
    assert list(find_gaps([first, second])) == [Gap(GapKind.OPEN, None, second)]


@given(st.lists(COPIES), st.randoms())
def test_copies_that_differ_have_the_same_gaps(copies: list[Row], rng: Random) -> None:
    shuffled = rng.sample(copies, len(copies))
    assert list(find_gaps(copies)) == list(find_gaps(shuffled))
