"""Protocol of the copy: as the model has it, no row is hidden, and each mutant of it is found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from operations.lake_copy.days import oldest_recent_day
from operations.lake_copy.parts import (
    Part,
    marked_days,
)
from setup.names import FIRST_DAY
from tests.operations.compact.protocol_model import (
    FIRST,
    MAX_STEPS,
    REDUCE,
    Beginning,
    Protocol,
    Run,
    World,
)
from tests.support.profile import IS_THOROUGH
from transform.state import Row


@dataclass
class Query:
    """A query that has looked up the parts, but not yet the first recent day."""

    table: str
    parts: list[str]
    seen: frozenset[Row]
    runs: list[Run]


class Copy(RuleBasedStateMachine):
    """Late rows, runs that overlap and die, an erase that may die too, and queries in flight."""

    protocol = Protocol()

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.runs: list[Run] = []
        self.seen: dict[str, frozenset[Row]] = dict.fromkeys(REDUCE, frozenset())
        self.queries: list[Query] = []
        self.sequence = 0
        self.erase: Run | None = None
        self.is_erased = True

    @rule(age=st.integers(0, 5), key=st.sampled_from("ab"), image=st.sampled_from([None, "x", "y"]))
    def write(self, age: int, key: str, image: str | None) -> None:
        """Write a row of today, or one that arrives late."""
        self.sequence += 1
        day = max(self.world.today - timedelta(days=age), FIRST)
        number = f"{self.sequence:040}"
        row = Row("MODIFY", key, "t/stream/1", number, None, number, f"{day} 00", None, image)
        self.world.objects[f"{day}/{self.sequence}"] = [row]

    @precondition(lambda self: self.world.objects)
    @rule(chance=st.randoms(use_true_random=False))
    def repeat(self, chance: Random) -> None:
        """Deliver a row again, perhaps without its image."""
        self.sequence += 1
        key, rows = chance.choice(sorted(self.world.objects.items()))
        copies = [replace(row, new_image=chance.choice([None, row.new_image])) for row in rows]
        self.world.objects[f"{key[:10]}/{self.sequence}"] = copies

    @rule(days=st.integers(1, 4))
    def wait(self, days: int) -> None:
        """Let days pass."""
        self.world.today += timedelta(days=days)

    @precondition(lambda self: len(self.runs) < 2)
    @rule()
    def begin(self) -> None:
        """Begin a run, up to where it knows what is copied: queries before are promised nothing."""
        run = self.protocol.run(self.world)
        self.go_on(run, 2)
        self.runs.append(run)

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 1), steps=st.integers(1, 12))
    def step(self, index: int, steps: int) -> None:
        """Let a run go on; queries that span all of it are not promised anything."""
        run = self.runs[index % len(self.runs)]
        if self.go_on(run, steps):
            self.runs.remove(run)

    def go_on(self, run: Run, steps: int) -> bool:
        """Let a run go on, and return whether it is over."""
        for _ in range(steps):
            recent_from = self.world.recent_from
            is_over = next(run, True)
            if self.world.recent_from != recent_from:
                self.queries = [query for query in self.queries if run in query.runs]
            self.check_queries()
            self.check_nothing_disappears()
            if is_over:
                return True
        return False

    @rule(age=st.integers(3, 5), steps=st.integers(1, 25), image=st.sampled_from("xy"))
    def write_during_a_run(self, age: int, steps: int, image: str) -> None:
        """Write a late row at some step of a run."""
        run = self.protocol.run(self.world)
        is_over = self.go_on(run, steps)
        self.write(age, "a", image)
        self.check_nothing_disappears()
        if not is_over:
            self.go_on(run, MAX_STEPS)

    @rule(steps=st.integers(2, 25), age=st.integers(3, 5))
    def run_during_a_run(self, steps: int, age: int) -> None:
        """Let another run pass at some step of a run, with a query in flight."""
        run = self.protocol.run(self.world)
        is_over = self.go_on(run, steps)
        for table in REDUCE:
            parts = list(self.world.parts[table])
            self.queries.append(Query(table, parts, self.world.proven(table), [run]))
        self.write(age, "b", "x")
        self.go_on(self.protocol.run(self.world), 99)
        if not is_over:
            self.go_on(run, MAX_STEPS)

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 1))
    def die(self, index: int) -> None:
        """End a run in the middle."""
        self.runs.pop(index % len(self.runs))

    @precondition(lambda self: self.erase is None)
    @rule(key=st.sampled_from("ab"))
    def begin_erase(self, key: str) -> None:
        """Remove an item, and begin to erase what the lake has of it."""
        self.write(0, key, None)
        self.world.erased[key] = f"{self.sequence:040}"
        self.erase = self.protocol.erase(self.world)
        self.is_erased = False
        next(self.erase)

    @precondition(lambda self: self.erase)
    @rule(steps=st.integers(1, 12))
    def step_erase(self, steps: int) -> None:
        """Let the erase go on; it waits for queries in flight."""
        self.queries.clear()
        if self.erase and self.go_on(self.erase, steps):
            self.erase = None
            self.is_erased = True

    @precondition(lambda self: self.erase)
    @rule()
    def end_erase(self) -> None:
        """End the erase in the middle."""
        self.erase = None

    @rule(steps=st.integers(1, 25), erase_steps=st.integers(1, 25), key=st.sampled_from("ab"))
    def erase_during_a_run(self, steps: int, erase_steps: int, key: str) -> None:
        """Begin an erase at some step of a run, and let the run end at some step of the erase."""
        run = self.protocol.run(self.world)
        is_over = self.go_on(run, steps)
        self.begin_erase(key)
        self.step_erase(erase_steps)
        if not is_over:
            self.go_on(run, MAX_STEPS)
        self.step_erase(MAX_STEPS)

    @rule(table=st.sampled_from(list(REDUCE)))
    def begin_query(self, table: str) -> None:
        """Let a query look up the parts."""
        parts = list(self.world.parts[table])
        self.queries.append(Query(table, parts, self.world.proven(table), [*self.runs]))

    @invariant()
    def check_queries(self) -> None:
        """Queries in flight see what they would have seen at their start, or more."""
        for query in self.queries:
            visible = self.world.visible(query.table, query.parts)
            assert REDUCE[query.table](visible | query.seen) == visible

    @invariant()
    def check_nothing_disappears(self) -> None:
        """What was seen once is seen always, but for what is erased, and what is not proven yet."""
        for table, reduce in REDUCE.items():
            visible = reduce(self.world.without_images(self.world.visible(table)))
            seen = self.world.without_images(self.seen[table])
            assert reduce([*visible, *seen]) == visible
            self.seen[table] = self.world.proven(table)

    @invariant()
    def check_nothing_is_held(self) -> None:
        """What is erased is neither in the lake nor in an object of the copy."""
        if self.is_erased:
            for rows in (*self.world.objects.values(), *self.world.rows.values()):
                assert not self.world.holds_content(rows)

    @invariant()
    def check_marks(self) -> None:
        """A day with a mark that is still right is in the part whole."""
        days = self.world.days()
        for table, reduce in REDUCE.items():
            for name, part in self.world.parts[table].items():
                rows = self.world.rows[f"{table} {name}"]
                marked = self.world.json_rows(marked_days([part], days))
                assert reduce([*rows, *marked]) == reduce(rows)

    def teardown(self) -> None:
        """After two whole runs everything is seen, and little is left to read."""
        if not self.is_erased:
            self.queries.clear()
            assert self.go_on(self.protocol.erase(self.world), MAX_STEPS)
            self.is_erased = True
            self.check_nothing_is_held()
        for _ in range(2):
            for _ in self.protocol.run(self.world):
                pass
        everything = [row for rows in self.world.objects.values() for row in rows]
        for table, reduce in REDUCE.items():
            assert self.world.visible(table) == reduce(everything)
            counted = self.world.counted(table, self.world.generation)
            assert sum(bool(part.marks) for part in counted) <= 1
        assert self.world.recent_from >= oldest_recent_day(self.world.today)


SETTINGS = settings(max_examples=400 if IS_THOROUGH else 40, stateful_step_count=30, deadline=None)
TestCopy: Any = Copy.TestCase
TestCopy.settings = SETTINGS


class MarkedLate(Protocol):
    """The mark is that of a listing after the part was written."""

    def mark(
        self, world: World, table: str, name: str, marks: dict[str, str], begun: Beginning
    ) -> bool:
        days = world.days()
        new_marks = {day: days[day].digest for day in marks if day in days}
        return super().mark(world, table, name, new_marks, begun)


class MovedAtOnce(Protocol):
    """The first recent day moves past days that this run has copied."""

    def move(self, world: World, copied_before: set[str], until: str, begun: Beginning) -> Run:
        copied = world.copied_days(world.days(), begun.generation)
        yield from super().move(world, copied, until, begun)


class MovedBlindly(Protocol):
    """The first recent day moves whatever is copied."""

    def move(self, world: World, copied_before: set[str], until: str, begun: Beginning) -> Run:
        yield
        world.move_recent(max(world.recent_from, until))


class GatheredBlindly(Protocol):
    """The gathered part counts although another run has dropped one of those it was read from."""

    def are_living(self, world: World, table: str, parts: Iterable[Part]) -> bool:
        return True


class DroppedFirst(Protocol):
    """Parts are dropped before the gathered part counts."""

    def replace(
        self, world: World, table: str, name: str, parts: Iterable[Part], begun: Beginning
    ) -> Run:
        for part in parts:
            world.drop(table, part.name)
        yield
        world.drop(table, name)


class MovedMeanwhile(Protocol):
    """The first recent day moves although an erase has dropped the copy since it was computed."""

    def is_current(self, world: World, begun: Beginning) -> bool:
        return True


class MarkedAgain(Protocol):
    """A mark brings a part back that was dropped."""

    def mark(
        self, world: World, table: str, name: str, marks: dict[str, str], begun: Beginning
    ) -> bool:
        world.parts[table].setdefault(name, Part(name, {}))
        return super().mark(world, table, name, marks, begun)


class DroppedBeforeMove(Protocol):
    """An erase drops the parts before queries read the JSON of their days."""

    def drop_copy(self, world: World) -> Run:
        for table in REDUCE:
            for name in list(world.parts[table]):
                yield
                world.drop(table, name)
        yield
        world.move_recent(FIRST_DAY)


class ListedAfterMove(Protocol):
    """An erase drops parts of the new generation, too."""

    def drop_copy(self, world: World) -> Run:
        yield
        world.move_recent(FIRST_DAY)
        world.generation += 1
        yield
        for table, name in self.parts_to_drop(world):
            yield
            world.drop(table, name)


class OneGeneration(Protocol):
    """Parts count that an erase is about to drop."""

    def drop_copy(self, world: World) -> Run:
        parts = self.parts_to_drop(world)
        yield
        world.move_recent(FIRST_DAY)
        for table, name in parts:
            yield
            world.drop(table, name)


MUTANTS = (
    MarkedLate,
    MovedAtOnce,
    MovedBlindly,
    GatheredBlindly,
    DroppedFirst,
    MovedMeanwhile,
    MarkedAgain,
    DroppedBeforeMove,
    ListedAfterMove,
    OneGeneration,
)


def explore(protocol: Protocol) -> None:
    """Let a run meet a late row, a query and another run, at each of its steps."""
    machine_type = type("Explored", (Copy,), {"protocol": protocol})
    for steps in range(1, 30):
        for meet in (meet_row, meet_query, meet_run, meet_erase, meet_erased_run):
            machine = machine_type()
            machine.world.today += timedelta(days=12)
            machine.write(age=11, key="b", image="x")  # A day that no later row changes.
            for _ in range(3):
                add_late_rows(machine)
                meet(machine, steps)
                machine.check_marks()
            machine.teardown()


def add_late_rows(machine: Copy) -> None:
    for age in (4, 5, 9):
        machine.write(age=age, key="a", image="x")
    machine.check_nothing_disappears()


def meet_row(machine: Copy, steps: int) -> None:
    machine.write_during_a_run(age=4, steps=steps, image="y")


def meet_query(machine: Copy, steps: int) -> None:
    run = machine.protocol.run(machine.world)
    machine.runs = [run]
    is_over = machine.go_on(run, steps + 1)
    machine.begin_query(table="history")
    if not is_over:
        machine.go_on(run, MAX_STEPS)


def run_whole(machine: Copy) -> None:
    machine.go_on(machine.protocol.run(machine.world), MAX_STEPS)


def meet_run(machine: Copy, steps: int) -> None:
    """Two runs alternate: the second begins while the first is about to go on."""
    first, second = (machine.protocol.run(machine.world) for _ in range(2))
    runs = [(first, steps), (second, 99 - steps), (first, MAX_STEPS), (second, MAX_STEPS)]
    over: list[Run] = []
    for run, count in runs:
        if run not in over and machine.go_on(run, count):
            over.append(run)
        add_late_rows(machine)


def meet_erase(machine: Copy, steps: int) -> None:
    """An erase passes at some step of a run, when days are copied already."""
    run_whole(machine)
    add_late_rows(machine)
    machine.erase_during_a_run(steps=steps, erase_steps=MAX_STEPS, key="a")


def meet_erased_run(machine: Copy, steps: int) -> None:
    """Two runs pass at some step of an erase."""
    run_whole(machine)
    machine.begin_erase(key="a")
    machine.step_erase(steps=steps)
    for _ in range(2):
        run_whole(machine)
    if machine.erase:
        machine.step_erase(steps=MAX_STEPS)


def test_the_protocol_is_right_at_each_step() -> None:
    explore(Protocol())


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_protocol_is_found(mutant: type[Protocol]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        explore(mutant())
