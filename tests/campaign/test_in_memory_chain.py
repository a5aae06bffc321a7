"""Random histories on the chain without a cloud: every change arrives or is accounted for."""

from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.campaign import validators
from tests.campaign.in_memory_chain import ACCOUNTS, InMemoryChain, check_chain
from tests.strategies.table_histories import ORDERS, STATUSES
from tests.support.profile import IS_THOROUGH
from transform.gaps import find_gaps
from transform.state import Row

# A method of InMemoryChain, and its arguments.
Step = tuple[Any, ...]

MAX_EXAMPLES = 12_000 if IS_THOROUGH else 100
ATTRIBUTE_NAMES = st.sampled_from(["status", "extra", "Extra", "a b"])
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
RNGS = st.integers(0, 999).map(Random)
COUNTS = st.integers(1, 9)
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "put": (ORDERS, STATUSES),
    "update": (ORDERS | st.sampled_from(ACCOUNTS), ATTRIBUTE_NAMES, VALUES),
    "remove": (ORDERS,),
    "expire": (ORDERS,),
    "transfer": (st.integers(1, 150),),
    "write_without_stream": (ORDERS, STATUSES, st.booleans()),
    "recreate_table": (st.booleans(),),
    "restore_table": (ORDERS, STATUSES, st.booleans()),
    "run_pipe": (COUNTS, RNGS),
    "reorder": (RNGS,),
    "put_poison": (POISON,),
    "deliver": (COUNTS,),
    "fail_partitioning": (COUNTS,),
    "fail_function": (COUNTS,),
    "lose_row": (COUNTS,),
    "lose_record": (COUNTS,),
    "add_tie": (COUNTS, COUNTS),
    "replay": (),
    "backfill": (),
    "repair": (ORDERS,),
    "repair_during_writes": (ORDERS, STATUSES, STATUSES),
}
STEPS: dict[str, st.SearchStrategy[Step]] = {
    name: st.tuples(st.just(name), *arguments) for name, arguments in ARGUMENTS.items()
}
LOSSES = frozenset(
    {
        "write_without_stream",
        "recreate_table",
        "restore_table",
        "lose_row",
        "lose_record",
        "add_tie",
    }
)


def step_lists(excluded: frozenset[str] = frozenset()) -> st.SearchStrategy[list[Step]]:
    """Return lists of steps in any order, without the excluded ones."""
    names = [name for name in STEPS if name not in excluded]
    steps = st.sampled_from(names).flatmap(STEPS.__getitem__)
    return st.lists(steps, min_size=8, max_size=40)


def run_steps(steps: list[Step]) -> InMemoryChain:
    """Return a new chain after these steps."""
    chain = InMemoryChain()
    for name, *arguments in steps:
        getattr(chain, name)(*arguments)
    return chain


@settings(max_examples=MAX_EXAMPLES)
@given(step_lists())
@example(
    [
        ("put_poison", b"x"),
        ("put_poison", b"x"),
        ("lose_record", 2),
        ("put_poison", b"x"),
        ("lose_record", 2),
    ]
)
def test_every_change_is_accounted_for(steps: list[Step]) -> None:
    check_chain(run_steps(steps))


@settings(max_examples=MAX_EXAMPLES // 3)
@given(step_lists(excluded=LOSSES))
def test_without_losses_no_repair_is_needed(steps: list[Step]) -> None:
    chain = run_steps(steps)
    chain.run_until_idle()
    evidence = chain.evidence()
    assert validators.find_violations(evidence) == []
    assert validators.unaccounted_ids(evidence) == set()
    assert validators.differing_keys(evidence) == set()
    assert list(find_gaps(map(Row.from_columns, evidence.lake_rows))) == []
