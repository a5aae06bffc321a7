"""verify --gaps: what SQL calls a gap is what the law of state calls one, and nothing else."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.verify import gaps
from tests.support.verify_fixture import (
    LATER,
    LIVES,
    PAID,
    QUICKLY,
    SHIPPED,
    Item,
    World,
    a_world,
    history,
    key,
    lived,
    order,
    run,
    snapshot_row,
    snapshots,
    stream_row,
)
from transform import state


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


@settings(
    max_examples=15, phases=QUICKLY, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LIVES, LIVES, st.data())
def test_the_gaps_of_sql_are_the_gaps_of_the_law(
    world: World,
    lives: list[list[Item | None]],
    later: list[list[Item | None]],
    data: st.DataObject,
) -> None:
    rows = [row for life in lived(lives) + lived(later, LATER) for row in life]
    kept = [row for row in rows if data.draw(st.integers(0, 4)) < 4] + snapshots(rows, data)
    world.tell(data.draw(st.permutations(kept + kept[::3])))

    expected = [
        (gap.after.key, gap.before and gap.before.sequence, gap.after.source, gap.after.sequence)
        for gap in state.find_gaps(map(state.Row.from_columns, kept))
    ]
    told = [(gap.key, gap.sequence_before, gap.source, gap.sequence) for gap in gaps.gaps()]
    assert sorted(told, key=repr) == sorted(expected, key=repr)


def test_a_lost_change_is_a_gap_with_both_its_sequences(world: World) -> None:
    whole = history(order(1, **PAID), order(1, **SHIPPED), order(1, **PAID))
    world.tell(whole)
    assert run("--gaps") == 0
    world.tell([whole[0], whole[2]])
    [gap] = gaps.gaps()
    assert (gap.key, gap.sequence_before[-1], gap.sequence[-1]) == (key(1), "1", "3")
    assert run("--gaps") == 1


def test_a_snapshot_excuses_what_happened_before_its_stream(world: World) -> None:
    first = stream_row(order(1, **PAID), order(1, **SHIPPED), sequence=5)
    world.tell([first])
    assert len(list(gaps.gaps())) == 1
    world.tell([first, snapshot_row(order(1, **PAID))])
    assert list(gaps.gaps()) == []


def test_a_tombstone_excuses_nothing(world: World) -> None:
    removal = stream_row(order(1, **PAID), None, sequence=5)
    world.tell([removal, {**snapshot_row(order(1)), "cdc_new_image": None}])
    assert len(list(gaps.gaps())) == 1
