"""The law of state: in any order and however often delivered, rows tell what the table holds."""

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.strategies.records import ARN
from tests.strategies.table_histories import ORDERS, STATUSES, Table, histories, rows, state, texts
from transform.state import Gap, Row, current_rows, find_gaps, latest_rows, rank, state_as_of

History = tuple[Table, list[Any]]


@given(st.data(), histories())
def test_state_of_a_shuffled_and_duplicated_log_is_the_table(
    data: st.DataObject, history: History
) -> None:
    table, log = history
    again = data.draw(st.lists(st.sampled_from(log)) if log else st.just([]))
    shuffled = data.draw(st.permutations(log + again))
    cut = data.draw(st.integers(0, len(shuffled)))
    batches = rows(shuffled[:cut]) + rows(shuffled[cut:])
    assert state(batches) == texts(table.items)


@given(histories())
def test_state_as_of_a_moment_is_the_table_of_that_moment(history: History) -> None:
    table, log = history
    lake = rows(log)
    for moment, wanted in table.past.items():
        found = state_as_of(lake, moment)
        assert {key: row.new_image for key, row in found.items()} == wanted
    assert state_as_of(lake, "2026-01-01 00:00:00.999") == {}


class Lake(RuleBasedStateMachine):
    """A table that is written, backfilled and repaired, and whose changes get lost or repeated.

    `unsure` are the orders whose last change was lost: of them alone the lake may be wrong.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.lake: list[Row] = []
        self.unsure: set[str] = set()

    @rule(order=ORDERS, status=STATUSES)
    def put(self, order: str, status: str) -> None:
        self.arrive(order, self.table.put(order, status))

    @rule(order=ORDERS)
    def remove(self, order: str) -> None:
        self.arrive(order, self.table.remove(order))

    @rule(order=ORDERS)
    def lose_a_removal(self, order: str) -> None:
        if self.table.remove(order):
            self.unsure.add(order)

    @rule(order=ORDERS, status=STATUSES)
    def lose_a_change(self, order: str, status: str) -> None:
        if self.table.put(order, status):
            self.unsure.add(order)

    @rule()
    def recreate_the_stream_and_backfill(self) -> None:
        self.table.recreate_stream()
        for order, record in zip(list(self.table.items), self.table.backfill(), strict=True):
            self.arrive(order, record)

    @rule(order=ORDERS)
    def repair(self, order: str) -> None:
        item = self.table.items.get(order)
        self.arrive(order, self.table.repair(order, self.lake, item))

    @rule(order=ORDERS, status=STATUSES)
    def write_between_the_reads_of_a_repair(self, order: str, status: str) -> None:
        known = list(self.lake)
        change = self.table.put(order, status)
        self.arrive(order, self.table.repair(order, known, self.table.items.get(order)))
        self.arrive(order, change)

    @rule(order=ORDERS, status=STATUSES)
    def write_after_the_reads_of_a_repair(self, order: str, status: str) -> None:
        repair = self.table.repair(order, self.lake, self.table.items.get(order))
        self.arrive(order, self.table.put(order, status))
        self.arrive(order, repair)

    @rule(chance=st.randoms())
    def deliver_again_in_another_order(self, chance: Random) -> None:
        self.lake += chance.sample(self.lake, len(self.lake) // 2)
        chance.shuffle(self.lake)

    def arrive(self, order: str, record: Any) -> None:
        if record:
            self.lake += rows([record])
            self.unsure.discard(order)

    @invariant()
    def the_lake_is_the_table_but_for_what_was_lost(self) -> None:
        found, wanted = state(self.lake), texts(self.table.items)
        for order in {"1", "2", "3"} - self.unsure:
            (key,) = texts({order: {}})
            assert found.get(key) == wanted.get(key)


TestLake = Lake.TestCase


def row(**changes: Any) -> Row:
    """Return a row."""
    plain = Row("MODIFY", "k", ARN.format(1), "1".zfill(40), None, "e", "2026-01-01", "A", "B")
    return replace(plain, **changes)


def test_rank_is_source_then_sequence_then_snapshot_then_identity() -> None:
    ordered = [
        row(source="a", sequence="9", snapshot_at="9", event_id="9"),
        row(source="b", sequence="1", snapshot_at=None, event_id="9"),
        row(source="b", sequence="1", snapshot_at="1", event_id="1"),
        row(source="b", sequence="1", snapshot_at="1", event_id="2"),
        row(source="b", sequence="1", snapshot_at="2", event_id="1"),
        row(source="b", sequence="2", snapshot_at=None, event_id="0"),
    ]
    reversed_rows = ordered[::-1]
    assert sorted(reversed_rows, key=rank) == ordered
    assert latest_rows(ordered[:4] + ordered[:2]) == {"k": ordered[3]}


def test_a_row_without_a_new_image_removes_its_item_whatever_its_operation() -> None:
    for operation in ("INSERT", "MODIFY", "REMOVE", "SNAPSHOT"):
        gone = row(operation=operation, new_image=None, sequence="2".zfill(40))
        assert current_rows([row(), gone, row()]) == {}
        assert latest_rows([row(), gone]) == {"k": gone}


def test_a_row_is_read_by_the_names_of_its_columns() -> None:
    columns = {f"cdc_{name}": name for name in Row.__dataclass_fields__}
    assert Row.from_columns({**columns, "cdc_expired": "true", "status": "paid"}) == Row(
        *Row.__dataclass_fields__
    )
    with pytest.raises(KeyError):
        Row.from_columns({"cdc_operation": "INSERT"})


@given(st.data(), histories())
def test_a_whole_log_has_no_gaps(data: st.DataObject, history: History) -> None:
    _, log = history
    assert list(find_gaps(rows(data.draw(st.permutations(log)) + log))) == []


@given(histories(), st.data())
def test_a_lost_change_in_the_middle_is_a_gap(history: History, data: st.DataObject) -> None:
    _, log = history
    all_rows = rows(log)
    if not log:
        return
    lost = data.draw(st.sampled_from(all_rows))
    chain = sorted((one for one in all_rows if one.key == lost.key), key=rank)
    place = chain.index(lost)
    kept = [one for one in all_rows if one != lost]
    found = list(find_gaps(kept))
    if place + 1 == len(chain) or lost.old_image == lost.new_image:
        assert found == []
    else:
        before = chain[place - 1] if place else None
        assert found == [Gap(before, chain[place + 1])]


def changes(*images: str | None, source: int = 1) -> list[Row]:
    """Return a key's rows by the images that it had, one after the other."""
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
def test_gaps_are_found_and_excused_so(log: list[Row], count: int) -> None:
    assert len(list(find_gaps(log + log))) == count


def test_streams_that_tell_no_old_images_betray_no_gaps() -> None:
    rows = [replace(one, old_image=None) for one in changes("A", "B", "C", None)]
    assert list(find_gaps(rows)) == []


def test_gaps_come_by_key_and_name_the_rows_on_both_sides() -> None:
    first, *_, last = changes(None, "A", "B", "C")
    others = [replace(one, key="a", event_id=f"a{one.event_id}") for one in (first, last)]
    assert list(find_gaps([first, last, *others])) == [
        Gap(others[0], others[1]),
        Gap(first, last),
    ]
