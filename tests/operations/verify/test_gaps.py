"""verify --gaps: the SQL finds exactly the gaps that the law of state defines."""

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.athena import run_query
from operations.verify.gaps import find_gaps, gaps_sql
from tests.support.verify_fixture import (
    HISTORIES,
    LATER_STREAM,
    PAID,
    PHASES_WITHOUT_SHRINK,
    SHIPPED,
    STREAM,
    Item,
    LakeColumns,
    VerifyEnvironment,
    draw_altered_copies,
    draw_snapshots,
    history_rows,
    order_item,
    order_key,
    rows_of_histories,
    run_verify,
    snapshot_row,
    stream_row,
    verify_env,
)
from transform import gaps, state
from transform.erasure import erased_row


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


@settings(
    max_examples=15,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(HISTORIES, HISTORIES, st.data())
def test_sql_finds_the_gaps_of_the_law(
    env: VerifyEnvironment,
    histories: list[list[Item | None]],
    later_histories: list[list[Item | None]],
    data: st.DataObject,
) -> None:
    all_histories = [
        *rows_of_histories(histories),
        *rows_of_histories(later_histories, LATER_STREAM),
    ]
    all_rows = [row for history in all_histories for row in history]
    rows = [row for row in all_rows if data.draw(st.integers(0, 4)) < 4]
    rows = [row if data.draw(st.integers(0, 9)) else erased_row(row) for row in rows]
    rows += draw_snapshots(all_rows, data)
    rows += draw_altered_copies(rows, data)
    env.set_lake_objects(data.draw(st.permutations(rows + rows[::3])))

    require_gaps_of_the_law(rows)


def require_gaps_of_the_law(rows: Iterable[LakeColumns]) -> list[str]:
    """Check that SQL finds the gaps of the law in these rows of the lake; return their kinds."""
    expected = [
        (
            gap.kind,
            gap.after.key,
            gap.before and gap.before.sequence,
            gap.after.source,
            gap.after.sequence,
        )
        for gap in gaps.find_gaps(map(state.Row.from_columns, rows))
    ]
    actual = [
        (gap.kind, gap.key, gap.sequence_before, gap.source, gap.sequence)
        for gap in find_gaps()
        if gap.kind != gaps.GapKind.ERASED
    ]
    assert sorted(actual, key=repr) == sorted(expected, key=repr)
    return sorted(kind for kind, *_ in actual)


def kinds(env: VerifyEnvironment, *rows: LakeColumns) -> list[str]:
    env.set_lake_objects([*rows])
    return require_gaps_of_the_law(rows)


def test_a_lost_change_is_a_gap(env: VerifyEnvironment) -> None:
    rows = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED), order_item(1, **PAID))
    env.set_lake_objects(rows)
    assert run_verify("--gaps") == 0
    env.set_lake_objects([rows[0], rows[2]])
    [gap] = find_gaps()
    assert gap.key == order_key(1)
    assert (gap.sequence_before, gap.sequence) == (rows[0]["cdc_sequence"], rows[2]["cdc_sequence"])
    assert run_verify("--gaps") == 1


def test_the_rows_are_read_twice(env: VerifyEnvironment) -> None:
    rows = history_rows(order_item(1, **PAID), order_item(1, **SHIPPED))
    env.set_lake_objects(rows)
    size = sum(len(f"{json.dumps(row)}\n") for row in rows)
    assert run_query(gaps_sql()).bytes_scanned == 2 * size


def test_a_snapshot_closes_the_gap_before_its_stream(env: VerifyEnvironment) -> None:
    first = stream_row(order_item(1, **PAID), order_item(1, **SHIPPED), sequence=5)
    env.set_lake_objects([first])
    assert len(list(find_gaps())) == 1
    env.set_lake_objects([first, snapshot_row(order_item(1, **PAID))])
    assert list(find_gaps()) == []


def test_a_tombstone_closes_no_gap(env: VerifyEnvironment) -> None:
    removal = stream_row(order_item(1, **PAID), None, sequence=5)
    env.set_lake_objects([removal, {**snapshot_row(order_item(1)), "cdc_new_image": None}])
    assert len(list(find_gaps())) == 1


def test_a_repair_is_no_backfill(env: VerifyEnvironment) -> None:
    change = stream_row(order_item(1, **PAID), order_item(1, **SHIPPED), sequence=5)
    assert kinds(env, change, snapshot_row(order_item(2), sequence=7)) == ["open"]
    assert kinds(env, change, snapshot_row(order_item(2))) == ["older"]
    [gap] = find_gaps("cdc_operation <> 'SNAPSHOT'")
    assert gap.kind == "open"


def test_a_later_snapshot_shows_nothing_before(env: VerifyEnvironment) -> None:
    first = stream_row(order_item(1, **PAID), order_item(1, **SHIPPED), sequence=5)
    later = stream_row(order_item(1), order_item(1, note={"S": "rush"}), sequence=9)
    assert kinds(env, first, later, snapshot_row(order_item(1), sequence=7)) == ["open", "open"]
    assert kinds(env, first, later, snapshot_row(order_item(1), sequence=5)) == ["bridged", "open"]


def test_a_repair_bridges_changes_of_its_stream(env: VerifyEnvironment) -> None:
    rows = history_rows(order_item(1, **PAID))
    later = stream_row(order_item(1), order_item(1, **SHIPPED), sequence=5, source=LATER_STREAM)
    other_stream = STREAM.replace("table/t/", "table/b/")
    assert kinds(env, *rows, later, snapshot_row(order_item(1), 1)) == ["bridged"]
    assert kinds(env, *rows, later, snapshot_row(order_item(1), 1, other_stream)) == ["open"]


def test_a_snapshot_counts_for_its_own_stream(env: VerifyEnvironment) -> None:
    rows = history_rows(order_item(1, **PAID))
    later = stream_row(order_item(1), order_item(1, **SHIPPED), sequence=5, source=LATER_STREAM)
    assert kinds(env, *rows, later, snapshot_row(order_item(1, **PAID), 1)) == ["open"]
    assert kinds(env, *rows, later, snapshot_row(order_item(1), 1, LATER_STREAM)) == ["bridged"]
    again = stream_row(None, order_item(1), sequence=5, source=LATER_STREAM)
    tombstone = {**snapshot_row(order_item(1), 1, LATER_STREAM), "cdc_new_image": None}
    assert kinds(env, *rows, again, tombstone) == ["open"]
