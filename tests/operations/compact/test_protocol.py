"""Model of operations.compact: runs that stop, overlap, and meet late rows lose nothing of sight.

A run is a generator that stops before each call that changes something. The model has the rows of
each part, and decides with the functions of operations.compact which days and parts count.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
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

from operations.digest import digest
from operations.lake_copy.days import Day, oldest_recent_day
from operations.lake_copy.parts import Part, marked_days, superseded
from setup.names import FIRST_DAY
from tests.support.profile import IS_THOROUGH
from transform.state import Row, keep, once

REDUCE: dict[str, Callable[[Iterable[Row]], set[Row]]] = {"history": once, "state": keep}
FIRST = date.fromisoformat(FIRST_DAY)
Run = Iterator[None]


@dataclass
class World:
    """A lake, its copy, and the first day of the JSON that queries read."""

    objects: dict[str, list[Row]] = field(default_factory=dict)
    parts: dict[str, dict[str, Part]] = field(default_factory=lambda: {"history": {}, "state": {}})
    rows: dict[str, set[Row]] = field(default_factory=dict)  # By part; they outlive its drop.
    today: date = FIRST
    recent_from: str = FIRST_DAY
    number: int = 0

    def days(self) -> dict[str, Day]:
        """Return the listing of the lake."""
        keys = defaultdict(list)
        for key in self.objects:
            keys[key[:10]].append(key)
        return {day: Day(day, digest(str(sorted(keys[day]))), 1) for day in keys}

    def json_rows(self, days: Collection[str]) -> list[Row]:
        """Return the rows of these days in the lake."""
        return [row for key, rows in self.objects.items() if key[:10] in days for row in rows]

    def visible(self, table: str, parts: Iterable[str] | None = None) -> set[Row]:
        """Return what a query sees: the parts, and the JSON of the recent days."""
        names = self.parts[table] if parts is None else parts
        copied = [row for name in names for row in self.rows[f"{table} {name}"]]
        recent = [
            row for key, rows in self.objects.items() if key >= self.recent_from for row in rows
        ]
        return REDUCE[table]([*copied, *recent])

    def copied_days(self, days: dict[str, Day]) -> set[str]:
        """Return the days that both tables have as they are listed."""
        return marked_days(self.parts["history"].values(), days) & marked_days(
            self.parts["state"].values(), days
        )

    def new_name(self) -> str:
        """Return a name that sorts after those before."""
        self.number += 1
        return f"{self.number:04}"

    def write(self, table: str, name: str, rows: Iterable[Row]) -> None:
        """Write the rows of a part."""
        self.rows[f"{table} {name}"] = REDUCE[table](rows)


class Protocol:
    """The steps of a run, each of which a mutant may change."""

    def run(self, world: World) -> Run:
        """Copy, drop what is superseded, move the first recent day, and gather."""
        copied_before = world.copied_days(world.days())
        until = oldest_recent_day(world.today)
        yield
        days = world.days()
        todo = {day for day in days if day < until} - world.copied_days(days)
        if todo:
            yield from self.copy(world, {day: days[day].digest for day in todo})
        for table in REDUCE:
            parts = self.living_parts(world, table)
            yield
            for part in superseded(parts, world.days()):
                yield
                world.parts[table].pop(part.name, None)
        yield
        self.move(world, copied_before, until)
        for table in REDUCE:
            yield from self.gather(world, table)

    def copy(self, world: World, marks: dict[str, str]) -> Run:
        """Write, publish, prove and mark a part of both tables."""
        name = world.new_name()
        for table in ("state", "history"):
            yield
            world.write(table, name, world.json_rows(marks))
            yield
            world.parts[table][name] = Part(name, {})
        yield
        for table in ("state", "history"):
            if not REDUCE[table](world.json_rows(marks)) <= world.rows[f"{table} {name}"]:
                return  # The proof.
        for table in ("state", "history"):
            yield
            self.mark(world, table, name, marks)

    def mark(self, world: World, table: str, name: str, marks: dict[str, str]) -> None:
        """Say which days a part has, as they were listed before it was written."""
        world.parts[table][name] = Part(name, marks)

    def living_parts(self, world: World, table: str) -> list[Part]:
        """Return the parts, which are read before the lake is listed."""
        return list(world.parts[table].values())

    def move(self, world: World, copied_before: set[str], until: str) -> None:
        """Move the first recent day past days that were copied before this run."""
        days = world.days()
        copied = copied_before & world.copied_days(days)
        world.recent_from = max(world.recent_from, min({until} | (days.keys() - copied)))

    def gather(self, world: World, table: str) -> Run:
        """Write the marked parts as one, and drop them."""
        parts = [part for part in world.parts[table].values() if part.marks]
        if len(parts) < 2:
            return
        name = world.new_name()
        yield
        living = [part.name for part in parts if part.name in world.parts[table]]
        rows = [row for part in living for row in world.rows[f"{table} {part}"]]
        world.write(table, name, rows)
        yield
        world.parts[table][name] = Part(name, {})
        if not self.are_living(world, table, parts):
            return
        yield from self.replace(world, table, name, parts)

    def are_living(self, world: World, table: str, parts: Iterable[Part]) -> bool:
        """Return whether no other run has dropped one of the parts."""
        return {part.name for part in parts} <= world.parts[table].keys()

    def replace(self, world: World, table: str, name: str, parts: Iterable[Part]) -> Run:
        """Mark the new part with the days of the parts, then drop these."""
        days = world.days()
        marks: dict[str, str] = {}
        for part in parts:
            for day, mark in part.marks.items():
                if day not in marks or day not in days or marks[day] != days[day].digest:
                    marks[day] = mark
        world.parts[table][name] = Part(name, marks)
        for part in parts:
            yield
            world.parts[table].pop(part.name, None)


@dataclass
class Query:
    """A query that has looked up the parts, but not yet the first recent day."""

    table: str
    parts: list[str]
    seen: set[Row]
    runs: list[Run]


class Copy(RuleBasedStateMachine):
    """Late rows, runs that overlap and die, and queries in flight."""

    protocol = Protocol()

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.runs: list[Run] = []
        self.seen: dict[str, set[Row]] = {"history": set(), "state": set()}
        self.queries: list[Query] = []
        self.sequence = 0

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
        """Begin a run."""
        run = self.protocol.run(self.world)
        next(run)
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
            self.go_on(run, 99)

    @rule(steps=st.integers(1, 25), age=st.integers(3, 5))
    def run_during_a_run(self, steps: int, age: int) -> None:
        """Let another run pass at some step of a run, with a query in flight."""
        run = self.protocol.run(self.world)
        is_over = self.go_on(run, steps)
        for table in REDUCE:
            parts = list(self.world.parts[table])
            self.queries.append(Query(table, parts, self.world.visible(table), [run]))
        self.write(age, "b", "x")
        self.go_on(self.protocol.run(self.world), 99)
        if not is_over:
            self.go_on(run, 99)

    @precondition(lambda self: self.runs)
    @rule(index=st.integers(0, 1))
    def die(self, index: int) -> None:
        """End a run in the middle."""
        self.runs.pop(index % len(self.runs))

    @rule(table=st.sampled_from(list(REDUCE)))
    def begin_query(self, table: str) -> None:
        """Let a query look up the parts."""
        parts = list(self.world.parts[table])
        self.queries.append(Query(table, parts, self.world.visible(table), [*self.runs]))

    @invariant()
    def check_queries(self) -> None:
        """Queries in flight see what they would have seen at their start, or more."""
        for query in self.queries:
            visible = self.world.visible(query.table, query.parts)
            assert REDUCE[query.table](visible | query.seen) == visible

    @invariant()
    def check_nothing_disappears(self) -> None:
        """What was seen once is seen always."""
        for table, reduce in REDUCE.items():
            visible = self.world.visible(table)
            assert reduce(visible | self.seen[table]) == visible
            self.seen[table] = visible

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
        for _ in range(2):
            for _ in self.protocol.run(self.world):
                pass
        everything = [row for rows in self.world.objects.values() for row in rows]
        for table, reduce in REDUCE.items():
            assert self.world.visible(table) == reduce(everything)
            assert sum(bool(part.marks) for part in self.world.parts[table].values()) <= 1
        assert self.world.recent_from >= oldest_recent_day(self.world.today)


SETTINGS = settings(max_examples=400 if IS_THOROUGH else 40, stateful_step_count=30, deadline=None)
TestCopy: Any = Copy.TestCase
TestCopy.settings = SETTINGS


class MarkedLate(Protocol):
    """The mark is that of a listing after the part was written."""

    def mark(self, world: World, table: str, name: str, marks: dict[str, str]) -> None:
        days = world.days()
        super().mark(world, table, name, {day: days[day].digest for day in marks})


class MovedAtOnce(Protocol):
    """The first recent day moves past days that this run has copied."""

    def move(self, world: World, copied_before: set[str], until: str) -> None:
        super().move(world, world.copied_days(world.days()), until)


class MovedBlindly(Protocol):
    """The first recent day moves whatever is copied."""

    def move(self, world: World, copied_before: set[str], until: str) -> None:
        world.recent_from = max(world.recent_from, until)


class GatheredBlindly(Protocol):
    """The gathered part counts although another run has dropped one of those it was read from."""

    def are_living(self, world: World, table: str, parts: Iterable[Part]) -> bool:
        return True


class DroppedFirst(Protocol):
    """Parts are dropped before the gathered part counts."""

    def replace(self, world: World, table: str, name: str, parts: Iterable[Part]) -> Run:
        for part in parts:
            world.parts[table].pop(part.name, None)
        yield
        world.parts[table].pop(name)


MUTANTS = (MarkedLate, MovedAtOnce, MovedBlindly, GatheredBlindly, DroppedFirst)
MAX_STEPS = 30


def explore(protocol: Protocol) -> None:
    """Let a run meet a late row, a query and another run, at each of its steps."""
    machine_type = type("Explored", (Copy,), {"protocol": protocol})
    for steps in range(1, MAX_STEPS):
        for meet in (meet_row, meet_query, meet_run):
            machine = machine_type()
            machine.world.today += timedelta(days=10)
            machine.write(age=7, key="b", image="x")  # A day that no later row changes.
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
    is_over = machine.go_on(run, steps)
    machine.begin_query(table="history")
    if not is_over:
        machine.go_on(run, 99)


def meet_run(machine: Copy, steps: int) -> None:
    """Two runs alternate: the second begins while the first is about to go on."""
    first, second = (machine.protocol.run(machine.world) for _ in range(2))
    runs = [(first, steps), (second, 99 - steps), (first, 99), (second, 99)]
    over: list[Run] = []
    for run, count in runs:
        if run not in over and machine.go_on(run, count):
            over.append(run)
        add_late_rows(machine)


def test_the_protocol_is_right_at_each_step() -> None:
    explore(Protocol())


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_protocol_is_found(mutant: type[Protocol]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        explore(mutant())
