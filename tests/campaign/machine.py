"""What happens in a campaign, decided by hypothesis: a machine for a chain."""

import sys
from collections.abc import Callable, Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

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
BLIND = st.lists(st.tuples(ORDERS, STATUSES | st.none()), max_size=4)


class Campaign(RuleBasedStateMachine):
    """A campaign on a chain: it ends with the judgement, and is `judged` then."""

    chain: ClassVar[Chain]
    judged: ClassVar[Callable[[Life], None]]

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.chain)

    @rule(order=ORDERS, status=STATUSES)
    def put(self, order: str, status: str) -> None:
        self.life.put(order, status)

    @rule(order=ORDERS | st.sampled_from(ACCOUNTS), name=NAMES, value=VALUES)
    def update(self, order: str, name: str, value: Item) -> None:
        self.life.update(order, name, value)

    @rule(order=ORDERS)
    def remove(self, order: str) -> None:
        self.life.remove(order)

    @rule(order=ORDERS)
    def expire(self, order: str) -> None:
        self.life.expire(order)

    @rule(ends=st.permutations(ACCOUNTS), amount=st.integers(1, 150))
    def transfer(self, ends: list[str], amount: int) -> None:
        self.life.transfer(ends[0], ends[1], amount)

    @rule(ends=st.permutations(ACCOUNTS), amount=st.integers(1, 150))
    def transfer_to_and_fro(self, ends: list[str], amount: int) -> None:
        self.life.transfer(ends[0], ends[1], amount)
        self.life.transfer(ends[1], ends[2], amount)

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

    @rule(drained=st.booleans(), blind=BLIND)
    def look_away(self, drained: bool, blind: list[tuple[str, str | None]]) -> None:
        if drained:
            self.life.settle()
        self.life.look_away(lambda: self._blindly(blind))

    def _blindly(self, blind: list[tuple[str, str | None]]) -> None:
        for order, status in blind:
            if status:
                self.life.put(order, status)
            else:
                self.life.remove(order)
        self.life.transfer(*ACCOUNTS[:2], 1)

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
