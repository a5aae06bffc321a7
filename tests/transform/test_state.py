"""The law of state: rows in any order, with any duplicates, give the state of the table."""

from dataclasses import fields, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.strategies.records import stream_arn
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
from transform.state import (
    Row,
    current_rows,
    latest_rows,
    rank,
    state_as_of,
)

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
    default = Row("MODIFY", "k", stream_arn(1), "1".zfill(40), None, "e", "2026-01-01", "A", "B")
    return replace(default, **changes)


def test_rank_sorts_by_stream_sequence_and_time() -> None:
    ordered = [
        row(source="z/1", sequence="9", snapshot_at="9", event_id="9"),
        row(source="a/2", sequence="9", snapshot_at="9", event_id="9"),
        row(source="b/2", sequence="1", snapshot_at=None, event_id="9"),
        row(source="b/2", sequence="1", snapshot_at="1", event_id="1"),
        row(source="b/2", sequence="1", snapshot_at="1", event_id="2"),
        row(source="b/2", sequence="1", snapshot_at="2", event_id="1"),
        row(source="b/2", sequence="2", snapshot_at=None, event_id="0"),
    ]
    descending = ordered[::-1]  # Reversed, because a stable sort would hide equal ranks.
    assert sorted(descending, key=rank) == ordered
    assert latest_rows(ordered[:5] + ordered[:2]) == {"k": ordered[4]}


def test_restored_table_outranks_its_predecessor() -> None:
    arn = "arn:aws:dynamodb:us-east-1:1:table/{}/stream/2026-01-0{}T00:00:00.000"
    before = row(source=arn.format("shop", 1), sequence="9".zfill(40))
    after = row(source=arn.format("another-shop", 2), sequence="1".zfill(40))
    assert latest_rows([before, after]) == latest_rows([after, before]) == {"k": after}


COPIES = st.builds(
    row,
    operation=st.sampled_from(["INSERT", "MODIFY"]),
    changed_at=st.sampled_from(["2026-01-01", "2026-01-02"]),
    old_image=st.sampled_from([None, "A", "B"]),
    new_image=st.sampled_from([None, "A", "B"]),
)


@given(st.lists(COPIES, min_size=1), st.randoms())
def test_copies_that_differ_have_one_state(copies: list[Row], rng: Random) -> None:
    shuffled = rng.sample(copies, len(copies))
    assert latest_rows(copies) == latest_rows(shuffled)
    if any(copy.new_image for copy in copies):  # A copy with its image wins over one without.
        assert latest_rows(copies)["k"].new_image is not None


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
