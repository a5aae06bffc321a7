"""State machine of the campaigns: hypothesis decides which rules run, and in which order."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.campaign.chain import CampaignChain
from tests.campaign.fault_service import FAULTS, INVOKE_CALL, PARTLY_REJECTED, PUT_RECORDS_CALL
from tests.campaign.final_checks import check_scenario
from tests.campaign.interruptions import KILL_POINTS, KILLS, Kill
from tests.campaign.scenario import SERVICE_TYPES, Scenario
from tests.campaign.table_history import ACCOUNTS, Item

# A method of Scenario, and its arguments.
Write = tuple[Any, ...]

ORDER_IDS = st.sampled_from(["1", "2", "3"])
STATUSES = st.sampled_from(["placed", "paid", "shipped"])
ATTRIBUTE_NAMES = st.sampled_from(["status", "extra", "Extra", "a b"])
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
# The only fault that separates the records of a batch is drawn more often than the others.
PUT_FAULTS = st.lists(
    st.sampled_from([*FAULTS[PUT_RECORDS_CALL], *[PARTLY_REJECTED] * 3]), min_size=1, max_size=4
)
INVOKE_FAULTS = st.lists(st.sampled_from([*FAULTS[INVOKE_CALL]]), min_size=1, max_size=5)
TWO_ACCOUNTS = st.permutations(ACCOUNTS).map(lambda accounts: accounts[:2])
WRITES: st.SearchStrategy[Write] = st.one_of(
    st.tuples(st.just("put"), ORDER_IDS, STATUSES),
    st.tuples(st.just("update"), ORDER_IDS | st.sampled_from(ACCOUNTS), ATTRIBUTE_NAMES, VALUES),
    st.tuples(st.just("remove"), ORDER_IDS),
    st.tuples(st.just("expire"), ORDER_IDS),
    st.builds(
        lambda accounts, amount: ("transfer", *accounts, amount), TWO_ACCOUNTS, st.integers(1, 150)
    ),
)
# Orders of one batch: different ones, or one order that changes several times.
DIFFERENT_ORDERS = st.lists(st.sampled_from("456789"), min_size=2, max_size=6, unique=True)
REPEATED_ORDER = st.integers(2, 6).map(lambda count: ["4"] * count)
BATCHES = DIFFERENT_ORDERS | REPEATED_ORDER
TRAFFIC = st.lists(WRITES, max_size=4)
BUSY_TRAFFIC = st.lists(WRITES, min_size=2, max_size=4)
# Seconds before a tick: none, a batching window of the pipe, a buffer interval of Firehose, and
# the lifetime of a shard iterator.
WAITS = st.lists(st.sampled_from([0, 2, 70, 1000]), min_size=1, max_size=4)
SOMETIMES_IDLE = st.sampled_from([True, True, False])  # Whether to run until idle after a rule.


def counted(run: Callable[..., int | None]) -> Callable[..., None]:
    """Return a rule that counts the effect of `run`; None if it shows only later."""

    @wraps(run)
    def run_and_count(self: "Campaign", **arguments: Any) -> None:
        effect = run(self, **arguments)
        self.scenario.effects.count_run(run.__name__, effect or 0)

    return run_and_count


class Campaign(RuleBasedStateMachine):
    """A campaign on a chain; the final checks run when hypothesis has run enough rules."""

    chain: ClassVar[CampaignChain]
    on_pass: ClassVar[Callable[[Scenario], None]]

    scenario: Scenario

    def apply_writes(self, writes: list[Write]) -> None:
        for name, *arguments in writes:
            changes_before = self.scenario.change_count
            getattr(self.scenario, name)(*arguments)
            self.scenario.effects.count_run(name, self.scenario.change_count - changes_before)

    def run_chain(self, waits: list[float], until_idle: bool = False) -> None:
        for seconds in waits:
            self.scenario.effects.count_run("advance", self.scenario.advance(seconds))
        if until_idle:
            self.scenario.effects.count_run("run_until_idle", self.scenario.run_until_idle())

    # Writes to the table.

    @initialize(
        nonzero=st.integers(0, 99),
        writes=st.lists(WRITES, min_size=5, max_size=15),
        faults=PUT_FAULTS,
        until_idle=SOMETIMES_IDLE,
    )
    def start(
        self, nonzero: int, writes: list[Write], faults: Sequence[str], until_idle: bool
    ) -> None:
        # Hypothesis first tries the simplest campaign, which repeats one rule: reject that one.
        assume(nonzero)
        self.scenario = Scenario(self.chain)
        self.apply_writes(writes)
        self.scenario.queue_faults(PUT_RECORDS_CALL, faults)
        self.run_chain([], until_idle)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=6))
    def write(self, writes: list[Write]) -> None:
        self.apply_writes(writes)

    @precondition(lambda self: not self.scenario.large_orders)
    @rule(order_id=ORDER_IDS)
    @counted
    def enlarge(self, order_id: str) -> None:
        self.scenario.enlarge(order_id)

    # Faults and pauses.

    @rule(waits=WAITS)
    def advance(self, waits: list[float]) -> None:
        self.run_chain(waits)

    @rule(service=st.sampled_from(sorted(SERVICE_TYPES)), writes=TRAFFIC, waits=WAITS)
    @counted
    def pause_service(self, service: str, writes: list[Write], waits: list[float]) -> int:
        self.apply_writes(writes)
        paused_type = SERVICE_TYPES[service]
        return sum(self.scenario.advance(seconds, paused_type) for seconds in waits)

    @rule()
    @counted
    def run_until_idle(self) -> int:
        return self.scenario.run_until_idle()

    @rule(faults=PUT_FAULTS, order_ids=BATCHES, status=STATUSES, until_idle=SOMETIMES_IDLE)
    @counted
    def inject_put_faults(
        self, faults: Sequence[str], order_ids: list[str], status: str, until_idle: bool
    ) -> None:
        self.apply_writes(
            [("put", order_id, f"{status} {n}") for n, order_id in enumerate(order_ids)]
        )
        self.scenario.queue_faults(PUT_RECORDS_CALL, faults)
        self.run_chain([2, 2], until_idle)

    @rule(faults=INVOKE_FAULTS, writes=TRAFFIC, until_idle=SOMETIMES_IDLE)
    @counted
    def inject_invoke_faults(
        self, faults: Sequence[str], writes: list[Write], until_idle: bool
    ) -> None:
        self.scenario.queue_faults(INVOKE_CALL, faults)
        self.apply_writes(writes)
        self.run_chain([], until_idle)

    @rule(content=POISON)
    @counted
    def put_poison(self, content: bytes) -> None:
        self.scenario.put_poison(content)

    @precondition(lambda self: self.scenario.is_pipe_running)
    @rule(writes=TRAFFIC)
    @counted
    def stop_pipe(self, writes: list[Write]) -> None:
        self.scenario.stop_pipe()
        self.apply_writes(writes)

    @precondition(lambda self: not self.scenario.is_pipe_running)
    @rule()
    def start_pipe(self) -> None:
        self.scenario.start_pipe()

    @precondition(lambda self: self.scenario.is_function_working)
    @rule(writes=TRAFFIC, until_idle=SOMETIMES_IDLE)
    @counted
    def break_function(self, writes: list[Write], until_idle: bool) -> None:
        self.apply_writes(writes)
        self.scenario.break_function()
        self.run_chain([], until_idle)

    @precondition(lambda self: not self.scenario.is_function_working)
    @rule()
    def redeploy_function(self) -> None:
        self.scenario.redeploy_function()

    # Kills.

    @rule(
        service=st.sampled_from(sorted(SERVICE_TYPES)),
        waits=WAITS,
        writes=BUSY_TRAFFIC,
        until_idle=SOMETIMES_IDLE,
    )
    def kill(self, service: str, waits: list[float], writes: list[Write], until_idle: bool) -> None:
        self.apply_writes(writes[1:])
        self.run_chain(waits)
        self.apply_writes(writes[:1])
        self.scenario.effects.count_run(f"kill_{service}", self.scenario.kill(service))
        self.run_chain([], until_idle)

    @rule(
        calls=st.lists(st.sampled_from(KILL_POINTS), min_size=1, max_size=4),
        kill=st.sampled_from(KILLS),
        writes=TRAFFIC,
        until_idle=SOMETIMES_IDLE,
    )
    @counted
    def kill_on_call(
        self, calls: list[str], kill: Kill, writes: list[Write], until_idle: bool
    ) -> None:
        for call in calls:
            self.scenario.kill_on_call(call, kill)
        self.apply_writes(writes)
        self.run_chain([], until_idle)

    @rule(option=st.sampled_from(["--repair", "--gaps", "--limit=1"]))
    @counted
    def kill_athena(self, option: str) -> int:
        return self.scenario.kill_athena(option)

    @rule(waits=WAITS)
    @counted
    def crawl(self, waits: list[float]) -> None:
        self.scenario.start_crawler()
        self.run_chain(waits)

    # Deletions.

    @rule()
    @counted
    def recreate_pipe(self) -> int:
        return self.scenario.recreate_pipe()

    @rule()
    @counted
    def recreate_firehose(self) -> int:
        return self.scenario.recreate_firehose()

    @rule(number=st.integers(0, 99))
    @counted
    def delete_object(self, number: int) -> int:
        return self.scenario.delete_object(number)

    @rule(idle_first=st.booleans(), writes=st.lists(WRITES, max_size=4))
    @counted
    def write_without_stream(self, idle_first: bool, writes: list[Write]) -> int:
        if idle_first:
            self.scenario.run_until_idle()
        return self.scenario.write_without_stream(lambda: self.apply_writes(writes))

    @rule(idle_first=st.booleans())
    @counted
    def recreate_table(self, idle_first: bool) -> int:
        if idle_first:
            self.scenario.run_until_idle()
        return self.scenario.recreate_table()

    @rule(idle_first=st.booleans(), prefix=st.sampled_from(["a", "z"]))
    @counted
    def restore_table(self, idle_first: bool, prefix: str) -> int:
        if idle_first:
            self.scenario.run_until_idle()
        return self.scenario.restore_table(prefix)

    @precondition(lambda self: self.scenario.is_pipe_running)
    @rule()
    @counted
    def recreate_lake(self) -> int:
        return self.scenario.recreate_lake()

    # Edits of the lake.

    @rule(number=st.integers(0, 99), image_number=st.integers(0, 9))
    @counted
    def add_tie(self, number: int, image_number: int) -> int:
        return self.scenario.add_tie(number, image_number)

    @rule(number=st.integers(0, 99), are_dropped=st.booleans())
    @counted
    def alter_columns(self, number: int, are_dropped: bool) -> int:
        return self.scenario.alter_columns(number, are_dropped)

    # Repairs.

    @precondition(lambda self: self.scenario.is_pipe_running)
    @rule()
    @counted
    def backfill(self) -> int:
        return self.scenario.backfill()

    @rule()
    @counted
    def repair(self) -> int:
        return self.scenario.repair()

    @rule()
    @counted
    def replay(self) -> int:
        return self.scenario.replay()

    @rule()
    @counted
    def replay_after_repair(self) -> int:
        return self.scenario.replay_after_repair()

    @rule(number=st.integers(0, 99))
    @counted
    def restore_as_of(self, number: int) -> int:
        return self.scenario.restore_as_of(number)

    @rule(number=st.integers(0, 99), order_id=ORDER_IDS)
    @counted
    def erase(self, number: int, order_id: str) -> int:
        self.apply_writes([("put", order_id, "erased"), ("remove", order_id)])
        return self.scenario.erase(number)

    @rule(killed_at=st.none() | st.integers(0, 12))
    @counted
    def compact(self, killed_at: int | None) -> int:
        return self.scenario.compact(killed_at)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            check_scenario(self.scenario)
            type(self).on_pass(self.scenario)


def create_state_machine(
    chain: CampaignChain, on_pass: Callable[[Scenario], None] = lambda _: None
) -> type[Campaign]:
    """Return the state machine for a chain; `on_pass` is called after each passed campaign."""
    return type("Campaign", (Campaign,), {"chain": chain, "on_pass": staticmethod(on_pass)})
