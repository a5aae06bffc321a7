"""The law of state: rows in any order, with any duplicates, give the state of the table."""

from dataclasses import fields, replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.strategies.records import ARN
from tests.strategies.table_histories import (
    ORDERS,
    STATUSES,
    Table,
    canonical_items,
    histories,
    key_of,
    lake_items,
    lake_rows,
)
from transform.images import canonical
from transform.state import Gap, Row, current_rows, find_gaps, latest_rows, rank, state_as_of

History = tuple[Table, list[Any]]


@given(st.data(), histories())
def test_order_and_duplicates_do_not_matter(data: st.DataObject, history: History) -> None:
    table, log = history
    duplicates = data.draw(st.lists(st.sampled_from(log)) if log else st.just([]))
    shuffled = data.draw(st.permutations(log + duplicates))
    cut = data.draw(st.integers(0, len(shuffled)))
    lake = lake_rows(shuffled[:cut]) + lake_rows(shuffled[cut:])
    assert lake_items(lake) == canonical_items(table.items)


@given(histories())
def test_state_as_of_equals_the_past_table(history: History) -> None:
    table, log = history
    lake = lake_rows(log)
    for timestamp, items in table.past_items.items():
        state = state_as_of(lake, timestamp)
        assert {key: row.new_image for key, row in state.items()} == items
    assert state_as_of(lake, "2026-01-01 00:00:00.999") == {}


class Lake(RuleBasedStateMachine):
    """A table that is written, backfilled and repaired; some of its changes are lost or repeated.

    The lake may differ from the table only in `uncertain` orders: those whose last change was lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.lake: list[Row] = []
        self.uncertain: set[str] = set()

    @rule(order=ORDERS, status=STATUSES)
    def put(self, order: str, status: str) -> None:
        self.deliver(order, self.table.put(order, status))

    @rule(order=ORDERS)
    def remove(self, order: str) -> None:
        self.deliver(order, self.table.remove(order))

    @rule(order=ORDERS)
    def lose_removal(self, order: str) -> None:
        if self.table.remove(order):
            self.uncertain.add(order)

    @rule(order=ORDERS, status=STATUSES)
    def lose_change(self, order: str, status: str) -> None:
        if self.table.put(order, status):
            self.uncertain.add(order)

    @rule()
    def recreate_stream_and_backfill(self) -> None:
        self.table.recreate_stream()
        for order, record in zip(list(self.table.items), self.table.backfill(), strict=True):
            self.deliver(order, record)

    @rule(order=ORDERS)
    def repair(self, order: str) -> None:
        item = self.table.items.get(order)
        self.deliver(order, self.table.repair(order, self.lake, item))

    @rule(order=ORDERS, status=STATUSES)
    def write_between_repair_reads(self, order: str, status: str) -> None:
        lake = list(self.lake)
        change = self.table.put(order, status)
        self.deliver(order, self.table.repair(order, lake, self.table.items.get(order)))
        self.deliver(order, change)

    @rule(order=ORDERS, status=STATUSES)
    def write_after_repair_reads(self, order: str, status: str) -> None:
        repair = self.table.repair(order, self.lake, self.table.items.get(order))
        self.deliver(order, self.table.put(order, status))
        self.deliver(order, repair)

    @rule(rng=st.randoms())
    def duplicate_and_reorder_rows(self, rng: Random) -> None:
        self.lake += rng.sample(self.lake, len(self.lake) // 2)
        rng.shuffle(self.lake)

    def deliver(self, order: str, record: Any) -> None:
        if record:
            self.lake += lake_rows([record])
            self.uncertain.discard(order)

    @invariant()
    def lake_equals_table_except_uncertain_orders(self) -> None:
        lake = lake_items(self.lake)
        table = canonical_items(self.table.items)
        for order in {"1", "2", "3"} - self.uncertain:
            key = canonical(key_of(order))
            assert lake.get(key) == table.get(key)


TestLake = Lake.TestCase


def row(**changes: Any) -> Row:
    """Return a row with these fields changed."""
    default = Row("MODIFY", "k", ARN.format(1), "1".zfill(40), None, "e", "2026-01-01", "A", "B")
    return replace(default, **changes)


def test_rank_sorts_by_source_sequence_and_time() -> None:
    ordered = [
        row(source="a", sequence="9", snapshot_at="9", event_id="9"),
        row(source="b", sequence="1", snapshot_at=None, event_id="9"),
        row(source="b", sequence="1", snapshot_at="1", event_id="1"),
        row(source="b", sequence="1", snapshot_at="1", event_id="2"),
        row(source="b", sequence="1", snapshot_at="2", event_id="1"),
        row(source="b", sequence="2", snapshot_at=None, event_id="0"),
    ]
    descending = ordered[::-1]  # Reversed, because a stable sort would hide equal ranks.
    assert sorted(descending, key=rank) == ordered
    assert latest_rows(ordered[:4] + ordered[:2]) == {"k": ordered[3]}


@pytest.mark.parametrize("operation", ["INSERT", "MODIFY", "REMOVE", "SNAPSHOT"])
def test_row_without_new_image_is_a_tombstone(operation: str) -> None:
    tombstone = row(operation=operation, new_image=None, sequence="2".zfill(40))
    assert current_rows([row(), tombstone, row()]) == {}
    assert latest_rows([row(), tombstone]) == {"k": tombstone}


def test_from_columns_reads_the_cdc_columns() -> None:
    names = [field.name for field in fields(Row)]
    columns = {f"cdc_{name}": name for name in names}
    columns |= {"cdc_expired": "true", "status": "paid"}
    assert Row.from_columns(columns) == Row(*names)
    with pytest.raises(KeyError):
        Row.from_columns({"cdc_operation": "INSERT"})


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
        assert gaps == [Gap(before, chain[index + 1])]


def changes(*images: str | None, source: int = 1) -> list[Row]:
    """Return the changes of a key that has these images in turn."""
    operations = {(True, False): "INSERT", (False, False): "MODIFY", (False, True): "REMOVE"}
    return [
        row(
            operation=operations[old is None, new is None],
            source=ARN.format(source),
            sequence=str(number).zfill(40),
            event_id=f"{source}-{number}",
            old_image=old,
            new_image=new,
        )
        for number, (old, new) in enumerate(pairwise(images), start=1)
    ]


def snapshot(image: str | None, source: int = 1, sequence: str = "0" * 40) -> Row:
    """Return a row of backfill or repair."""
    return row(
        operation="SNAPSHOT",
        source=ARN.format(source),
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
        ([*A_TO_C, snapshot("A", source=2)], 1),
        ([*A_TO_C, replace(snapshot("A"), key="other")], 1),
        ([*changes(None, "A", "B")[:1], *changes("X", "Y", "B", "C")[2:]], 1),
        ([*changes(None, "A", "B")[:1], *changes("X", "Y", "B", "C")[2:], snapshot("B")], 1),
        (changes(None, "A") + changes("A", "B", source=2), 0),
        (changes(None, "A") + changes("B", "C", source=2), 1),
        ([*changes(None, "A"), *changes("B", "C", source=2), snapshot("B", source=2)], 0),
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
    gaps = [Gap(other_first, other_last), Gap(first, last)]
    assert list(find_gaps([first, last, other_first, other_last])) == gaps
