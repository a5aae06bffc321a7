"""The rows that a copy of the lake needs: the views see no difference between them and all rows."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.table_histories import ORDERS, histories, lake_rows
from transform.gaps import find_gaps
from transform.state import (
    Row,
    current_rows,
    has_image,
    identity,
    keep,
    latest_rows,
    once,
    precedence,
)

Rows = list[Row]
Reduction = Callable[[Rows], set[Row]]
# Copies of one change differ if two versions of the transform made them.
COPY_CHANGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "new_image": st.none(),
        "old_image": st.none(),
        "changed_at": st.just("2026-01-02 00:00:00.000"),
    },
)


@st.composite
def lakes(draw: st.DrawFn) -> Rows:
    """Return rows of changes, of repairs, and of copies of both, which may lack images."""
    table, log = draw(histories())
    rows = lake_rows(log)
    for order in draw(st.lists(ORDERS, max_size=3)):
        item = draw(st.sampled_from([None, table.items.get(order)]))
        rows += lake_rows([table.repair(order, rows, item)])
    copies = draw(st.lists(st.sampled_from(rows), max_size=6)) if rows else []
    return rows + [replace(copy, **draw(COPY_CHANGES)) for copy in copies]


def orders_view(rows: Rows) -> dict[str, tuple[Row, Row]]:
    """Return what the view `orders` reads: of each key the latest row with an image, and of all."""
    latest = latest_rows(rows)
    with_image = latest_rows(row for row in rows if has_image(row))
    return {key: (row, latest[key]) for key, row in with_image.items()}


@pytest.mark.parametrize("reduce", [keep, once])
@given(lakes(), st.randoms())
def test_parts_may_be_reduced_apart(reduce: Reduction, rows: Rows, rng: Random) -> None:
    """In any order, with rows in both parts, and again."""
    shuffled = rng.sample(rows, len(rows))
    end, start = sorted(rng.choices(range(len(rows) + 1), k=2), reverse=True)
    part, other_part = shuffled[:end], shuffled[start:]
    reduced = reduce(rows)
    assert reduce([*reduce(part), *other_part]) == reduced
    assert reduce([*reduce(other_part), *reduce(part)]) == reduced
    assert reduce([*reduced, *part]) == reduced
    assert reduced <= set(rows)


@given(lakes())
def test_the_views_need_no_more_than_is_kept(rows: Rows) -> None:
    kept = list(keep(rows))
    assert latest_rows(kept) == latest_rows(rows)
    assert current_rows(kept) == current_rows(rows)
    assert orders_view(kept) == orders_view(rows)
    groups = {(row.key, has_image(row)) for row in rows}
    assert len(kept) == len(groups)


@given(lakes())
def test_the_views_need_each_change_once(rows: Rows) -> None:
    changes = list(once(rows))
    assert orders_view(changes) == orders_view(rows)
    assert latest_rows(changes) == latest_rows(rows)
    assert set(find_gaps(changes)) == set(find_gaps(rows))
    days = {(row.changed_at[:10], identity(row)) for row in rows}
    assert len(changes) == len(days)
    for change in changes:
        assert all(
            precedence(row) <= precedence(change)
            for row in rows
            if identity(row) == identity(change) and row.changed_at[:10] == change.changed_at[:10]
        )


def row(sequence: int, **changes: Any) -> Row:
    """Return a row with these fields changed."""
    number = f"{sequence:040}"
    default = Row("MODIFY", "k", "table/t/stream/1", number, None, "e", "2026-01-01", "A", "B")
    return replace(default, **changes)


def test_the_last_image_of_a_removed_item_is_kept() -> None:
    """Regression of a design: with the latest row alone, `orders` lost such items."""
    change = row(1)
    repair = row(1, operation="SNAPSHOT", snapshot_at="2", old_image=None, new_image=None)
    assert keep([row(0), change, repair]) == {change, repair}


def test_a_removal_has_the_image_before_it() -> None:
    removal = row(2, operation="REMOVE", new_image=None)
    assert keep([row(1), removal]) == {removal}


def test_changes_that_share_an_event_id_stay_apart() -> None:
    others = [
        row(1, key="other"),
        row(2),
        row(1, source="table/t/stream/2"),
        row(1, changed_at="2026-01-02"),
        row(1, event_id="f"),
    ]
    assert once([row(1), *others]) == {row(1), *others}
    assert once([row(1, old_image=None), row(1), row(1, new_image=None)]) == {row(1)}
