"""What happens in a campaign, decided by hypothesis: a machine for a chain."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.campaign.chain import Chain
from tests.campaign.life import ACCOUNTS, Item, Life
from tests.campaign.storm import FAULTS, INVOKE, PUT

ORDERS = st.sampled_from(["1", "2", "3"])
STATUSES = st.sampled_from(["placed", "paid", "shipped"])
NAMES = st.sampled_from(["status", "extra", "Extra", "a b"])
VALUES: st.SearchStrategy[Item] = st.sampled_from(
    [
        {"S": "text"},
        {"S": ""},
        {"N": "12345678901234567890.123456789012345678"},
        {"N": "-0.50"},
        {"BOOL": True},
        {"NULL": True},
        {"B": b"\x00\xff"},
        {"NS": ["10", "9"]},
        {"L": [{"N": "1"}, {"S": "é\u2028"}]},
        {"M": {"inner": {"S": "x"}, "Inner": {"N": "1"}}},
    ]
)
POISON = st.sampled_from([b"", b"no JSON", b"\xff\xfe", b'{"eventName": "UPSERT"}'])
PUT_FAULTS = st.lists(st.sampled_from(sorted(FAULTS[PUT])), min_size=1, max_size=4)
INVOKE_FAULTS = st.lists(st.sampled_from(sorted(FAULTS[INVOKE])), min_size=1, max_size=5)
ENDS = st.permutations(ACCOUNTS).map(lambda accounts: accounts[:2])
WRITES = st.one_of(
    st.tuples(st.just("put"), ORDERS, STATUSES),
    st.tuples(st.just("update"), ORDERS | st.sampled_from(ACCOUNTS), NAMES, VALUES),
    st.tuples(st.just("remove"), ORDERS),
    st.tuples(st.just("expire"), ORDERS),
    st.builds(lambda ends, amount: ("transfer", *ends, amount), ENDS, st.integers(1, 150)),
)


class Campaign(RuleBasedStateMachine):
    """A campaign on a chain: it ends with the judgement, and is `judged` then."""

    chain: ClassVar[Chain]
    judged: ClassVar[Callable[[Life], None]]

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.chain)

    @initialize(writes=st.lists(WRITES, min_size=5, max_size=15))
    def begin(self, writes: list[Any]) -> None:
        self.live(writes)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=6))
    def alter(self, writes: list[Any]) -> None:
        self.live(writes)

    def live(self, writes: list[Any]) -> None:
        for name, *details in writes:
            getattr(self.life, name)(*details)

    @precondition(lambda self: not self.life.large)
    @rule(order=ORDERS)
    def enlarge(self, order: str) -> None:
        self.life.enlarge(order)

    @rule()
    def move(self) -> None:
        self.life.move()

    @rule()
    def settle(self) -> None:
        self.life.settle()

    @rule(faults=PUT_FAULTS)
    def disturb_the_pipe(self, faults: Sequence[str]) -> None:
        self.life.storm(PUT, faults)

    @rule(faults=INVOKE_FAULTS)
    def disturb_the_function(self, faults: Sequence[str]) -> None:
        self.life.storm(INVOKE, faults)

    @rule(record=POISON)
    def spoil(self, record: bytes) -> None:
        self.life.spoil(record)

    @precondition(lambda self: self.life.runs)
    @rule()
    def stop_pipe(self) -> None:
        self.life.stop_pipe()

    @precondition(lambda self: not self.life.runs)
    @rule()
    def start_pipe(self) -> None:
        self.life.start_pipe()

    @precondition(lambda self: self.life.works)
    @rule()
    def break_function(self) -> None:
        self.life.break_function()

    @precondition(lambda self: not self.life.works)
    @rule()
    def mend_function(self) -> None:
        self.life.mend_function()

    @rule()
    def recreate_pipe(self) -> None:
        self.life.recreate_pipe()

    @rule()
    def recreate_firehose(self) -> None:
        self.life.recreate_firehose()

    @rule(number=st.integers(0, 99))
    def delete_object(self, number: int) -> None:
        self.life.delete_object(number)

    @rule(drained=st.booleans(), blind=st.lists(WRITES, max_size=4))
    def look_away(self, drained: bool, blind: list[Any]) -> None:
        if drained:
            self.life.settle()
        self.life.look_away(lambda: self.live(blind))

    @rule(drained=st.booleans())
    def recreate_table(self, drained: bool) -> None:
        if drained:
            self.life.settle()
        self.life.recreate_table()

    @precondition(lambda self: self.life.runs)
    @rule()
    def backfill(self) -> None:
        self.life.backfill()

    @rule()
    def repair(self) -> None:
        self.life.repair()

    @rule()
    def replay(self) -> None:
        self.life.replay()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.life.judge()
            type(self).judged(self.life)


def campaigns_on(
    chain: Chain, judged: Callable[[Life], None] = lambda life: None
) -> type[Campaign]:
    """Return the machine of a chain; `judged` is told of each campaign that found no fault."""
    return type("Campaign", (Campaign,), {"chain": chain, "judged": staticmethod(judged)})
