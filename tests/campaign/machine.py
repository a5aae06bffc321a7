"""What happens in a campaign, decided by hypothesis: a machine for a chain."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.campaign.chain import Chain
from tests.campaign.interruptions import DEATHS, DEEDS, Death
from tests.campaign.judgement import judge
from tests.campaign.life import ACCOUNTS, SERVICES, Item, Life
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
PARTLY = "partly refused"  # Of a batch of many, the one fault that parts its records.
PUT_FAULTS = st.lists(
    st.sampled_from([*sorted(FAULTS[PUT]), *[PARTLY] * 3]), min_size=1, max_size=4
)
INVOKE_FAULTS = st.lists(st.sampled_from(sorted(FAULTS[INVOKE])), min_size=1, max_size=5)
ENDS = st.permutations(ACCOUNTS).map(lambda accounts: accounts[:2])
WRITES = st.one_of(
    st.tuples(st.just("put"), ORDERS, STATUSES),
    st.tuples(st.just("update"), ORDERS | st.sampled_from(ACCOUNTS), NAMES, VALUES),
    st.tuples(st.just("remove"), ORDERS),
    st.tuples(st.just("expire"), ORDERS),
    st.builds(lambda ends, amount: ("transfer", *ends, amount), ENDS, st.integers(1, 150)),
)


# Orders that travel together: mostly different ones, and one that changes several times.
MANY = st.lists(st.sampled_from("456789"), min_size=2, max_size=6, unique=True) | st.integers(
    2, 6
).map(lambda count: ["4"] * count)
TRAFFIC, BUSY_TRAFFIC = (st.lists(WRITES, min_size=least, max_size=4) for least in (0, 2))
# Seconds after which the parts work: at once, when the pipe sends, when Firehose does, and when
# the places where they read have become invalid.
SECONDS = st.sampled_from([0, 2, 70, 1000])
ROUNDS = st.lists(SECONDS, min_size=1, max_size=4)
ARRIVES = st.sampled_from([True, True, False])  # Whether the chain comes to rest then.


def noted(act: Callable[..., int | None]) -> Callable[..., None]:
    """Return a rule that notes what it did; without a number that shows only later."""

    @wraps(act)
    def rule_of(self: "Campaign", **given: Any) -> None:
        self.life.effects.note(act.__name__, act(self, **given) or 0)

    return rule_of


class Campaign(RuleBasedStateMachine):
    """A campaign on a chain: it ends with the judgement, and is `judged` then."""

    chain: ClassVar[Chain]
    judged: ClassVar[Callable[[Life], None]]

    life: Life

    def live(self, writes: list[Any]) -> None:
        for name, *details in writes:
            before = self.life.made
            getattr(self.life, name)(*details)
            self.life.effects.note(name, self.life.made - before)

    def go_on(self, rounds: list[float], arrives: bool = False) -> None:
        for seconds in rounds:
            self.life.effects.note("move", self.life.move(seconds))
        if arrives:
            self.life.effects.note("settle", self.life.settle())

    # The table's life.

    @initialize(
        chance=st.integers(0, 99),
        writes=st.lists(WRITES, min_size=5, max_size=15),
        faults=PUT_FAULTS,
        arrives=ARRIVES,
    )
    def begin(self, chance: int, writes: list[Any], faults: Sequence[str], arrives: bool) -> None:
        assume(chance)  # Hypothesis begins with the simplest life: one rule, over and over.
        self.life = Life(self.chain)
        self.live(writes)
        self.life.storm(PUT, faults)
        self.go_on([], arrives)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=6))
    def alter(self, writes: list[Any]) -> None:
        self.live(writes)

    @precondition(lambda self: not self.life.large)
    @rule(order=ORDERS)
    @noted
    def enlarge(self, order: str) -> None:
        self.life.enlarge(order)

    # The chain's.

    @rule(rounds=ROUNDS)
    def move(self, rounds: list[float]) -> None:
        self.go_on(rounds)

    @rule(service=st.sampled_from(sorted(SERVICES)), writes=TRAFFIC, rounds=ROUNDS)
    @noted
    def pause(self, service: str, writes: list[Any], rounds: list[float]) -> int:
        self.live(writes)
        return sum(self.life.move(seconds, SERVICES[service]) for seconds in rounds)

    @rule()
    @noted
    def settle(self) -> int:
        return self.life.settle()

    @rule(faults=PUT_FAULTS, orders=MANY, status=STATUSES, arrives=ARRIVES)
    @noted
    def disturb_the_pipe(
        self, faults: Sequence[str], orders: list[str], status: str, arrives: bool
    ) -> None:
        self.live([("put", order, f"{status} {n}") for n, order in enumerate(orders)])
        self.life.storm(PUT, faults)
        self.go_on([2, 2], arrives)

    @rule(faults=INVOKE_FAULTS, writes=TRAFFIC, arrives=ARRIVES)
    @noted
    def disturb_the_function(self, faults: Sequence[str], writes: list[Any], arrives: bool) -> None:
        self.life.storm(INVOKE, faults)
        self.live(writes)
        self.go_on([], arrives)

    @rule(record=POISON)
    @noted
    def spoil(self, record: bytes) -> None:
        self.life.spoil(record)

    @precondition(lambda self: self.life.runs)
    @rule(writes=TRAFFIC)
    @noted
    def stop_pipe(self, writes: list[Any]) -> None:
        self.life.stop_pipe()
        self.live(writes)

    @precondition(lambda self: not self.life.runs)
    @rule()
    def start_pipe(self) -> None:
        self.life.start_pipe()

    @precondition(lambda self: self.life.works)
    @rule(writes=TRAFFIC, arrives=ARRIVES)
    @noted
    def break_function(self, writes: list[Any], arrives: bool) -> None:
        self.live(writes)
        self.life.break_function()
        self.go_on([], arrives)

    @precondition(lambda self: not self.life.works)
    @rule()
    def mend_function(self) -> None:
        self.life.mend_function()

    # What is killed.

    @rule(
        service=st.sampled_from(sorted(SERVICES)),
        rounds=ROUNDS,
        writes=BUSY_TRAFFIC,
        arrives=ARRIVES,
    )
    def kill(self, service: str, rounds: list[float], writes: list[Any], arrives: bool) -> None:
        self.live(writes[1:])
        self.go_on(rounds)
        self.live(writes[:1])
        self.life.effects.note(f"kill_{service}", self.life.kill(service))
        self.go_on([], arrives)

    @rule(
        calls=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=4),
        death=st.sampled_from(DEATHS),
        writes=TRAFFIC,
        arrives=ARRIVES,
    )
    @noted
    def kill_amid(self, calls: list[str], death: Death, writes: list[Any], arrives: bool) -> None:
        for call in calls:
            self.life.kill_amid(call, death)
        self.live(writes)
        self.go_on([], arrives)

    @rule(option=st.sampled_from(["--repair", "--gaps", "--limit=1"]))
    @noted
    def kill_athena(self, option: str) -> int:
        return self.life.kill_athena(option)

    @rule(rounds=ROUNDS)
    @noted
    def crawl(self, rounds: list[float]) -> None:
        self.life.crawl()
        self.go_on(rounds)

    # What is taken away.

    @rule()
    @noted
    def recreate_pipe(self) -> int:
        return self.life.recreate_pipe()

    @rule()
    @noted
    def recreate_firehose(self) -> int:
        return self.life.recreate_firehose()

    @rule(number=st.integers(0, 99))
    @noted
    def delete_object(self, number: int) -> int:
        return self.life.delete_object(number)

    @rule(drained=st.booleans(), blind=st.lists(WRITES, max_size=4))
    @noted
    def look_away(self, drained: bool, blind: list[Any]) -> int:
        if drained:
            self.life.settle()
        return self.life.look_away(lambda: self.live(blind))

    @rule(drained=st.booleans())
    @noted
    def recreate_table(self, drained: bool) -> int:
        if drained:
            self.life.settle()
        return self.life.recreate_table()

    # What is done about it.

    @precondition(lambda self: self.life.runs)
    @rule()
    @noted
    def backfill(self) -> int:
        return self.life.backfill()

    @rule()
    @noted
    def repair(self) -> int:
        return self.life.repair()

    @rule()
    @noted
    def replay(self) -> int:
        return self.life.replay()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            judge(self.life)
            type(self).judged(self.life)


def campaigns_on(
    chain: Chain, judged: Callable[[Life], None] = lambda life: None
) -> type[Campaign]:
    """Return the machine of a chain; `judged` is told of each campaign that found no fault."""
    return type("Campaign", (Campaign,), {"chain": chain, "judged": staticmethod(judged)})
