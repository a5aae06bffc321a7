"""Generated histories on the road without a cloud: nothing is lost, wrong or unexplained."""

import os
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.campaign import validators
from tests.campaign.records import ACCOUNTS, Road, judge
from tests.strategies.table_histories import ORDERS, STATUSES
from transform.state import Row, find_gaps

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
HISTORIES = 12_000 if THOROUGH else 100
NAMES = st.sampled_from(["status", "extra", "Extra", "a b"])
VALUES = st.sampled_from(
    [
        {"S": "text"},
        {"N": "12345678901234567890.123456789012345678"},
        {"BOOL": True},
        {"NULL": True},
        {"B": "AP8="},
        {"NS": ["10", "9"]},
        {"L": [{"N": "1"}, {"S": "é\u2028"}]},
        {"M": {"inner": {"S": "x"}, "Inner": {"N": "1"}}},
    ]
)
POISON = st.sampled_from([b"", b"no JSON", b"\xff\xfe", b'{"eventName": "UPSERT"}'])
CHANCE = st.integers(0, 999).map(Random)
COUNT = st.integers(1, 9)
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "put": (ORDERS, STATUSES),
    "update": (ORDERS | st.sampled_from(ACCOUNTS), NAMES, VALUES),
    "remove": (ORDERS,),
    "expire": (ORDERS,),
    "transfer": (st.integers(1, 150),),
    "look_away": (ORDERS, STATUSES, st.booleans()),
    "recreate_table": (st.booleans(),),
    "pipe": (COUNT, CHANCE),
    "reorder": (CHANCE,),
    "spoil": (POISON,),
    "deliver": (COUNT,),
    "overflow": (COUNT,),
    "fail": (COUNT,),
    "lose_row": (COUNT,),
    "lose_record": (COUNT,),
    "replay": (),
    "backfill": (),
    "repair": (ORDERS,),
    "repair_amid_writes": (ORDERS, STATUSES, STATUSES),
}
SPOIL, LOSE = "spoil", "lose_record"
LOSSES = ("look_away", "recreate_table", "lose_row", "lose_record")


STEPS = {name: st.tuples(st.just(name), *needs) for name, needs in ARGUMENTS.items()}


def steps(*left_out: str) -> st.SearchStrategy[list[Any]]:
    """Return what may happen, in any order, but for some of it."""
    names = [name for name in STEPS if name not in left_out]
    return st.lists(st.sampled_from(names).flatmap(STEPS.__getitem__), min_size=8, max_size=40)


def travelled(steps: list[Any]) -> Road:
    """Return a road on which these steps have happened."""
    road = Road()
    for name, *details in steps:
        getattr(road, name)(*details)
    return road


@settings(max_examples=HISTORIES)
@given(steps())
@example([(SPOIL, b"x"), (SPOIL, b"x"), (LOSE, 2), (SPOIL, b"x"), (LOSE, 2)])
def test_whatever_happens_nothing_is_lost_wrong_or_unexplained(steps: list[Any]) -> None:
    judge(travelled(steps))


@settings(max_examples=HISTORIES // 3)
@given(steps(*LOSSES))
def test_where_nothing_is_taken_away_the_lake_is_the_table_without_any_repair(
    steps: list[Any],
) -> None:
    road = travelled(steps)
    road.rest()
    found = road.found()
    assert validators.faults(found) == []
    assert validators.unaccounted(found) == validators.equality(found) == set()
    assert list(find_gaps(map(Row.from_columns, found.rows))) == []
