"""Model of the copy: runs that stop, overlap, and meet late rows and erases hide no row.

A run of operations.compact or operations.erase is a generator that stops before each call that
changes something. The model has the rows of each part, and decides with the functions of
operations.lake_copy which days and parts count.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

from operations.digest import digest
from operations.lake_copy.days import Day, oldest_recent_day
from operations.lake_copy.parts import (
    Part,
    copied_days,
    marked_days,
    superseded,
)
from setup.names import FIRST_DAY
from transform.state import Row, keep, once

Reduce = Callable[[Iterable[Row]], frozenset[Row]]


def cached(reduce: Callable[[Iterable[Row]], set[Row]]) -> Reduce:
    """Return the function with a memory: the model has the same rows again and again."""

    @lru_cache(2000)
    def reduce_set(rows: frozenset[Row]) -> frozenset[Row]:
        return frozenset(reduce(rows))

    return lambda rows: reduce_set(frozenset(rows))


REDUCE: dict[str, Reduce] = {"history": cached(once), "state": cached(keep)}
FIRST = date.fromisoformat(FIRST_DAY)
MAX_STEPS = 999
Run = Iterator[None]


@dataclass
class World:
    """A lake, its copy, and the first day of the JSON that queries read."""

    objects: dict[str, list[Row]] = field(default_factory=dict)
    parts: dict[str, dict[str, Part]] = field(default_factory=lambda: {"history": {}, "state": {}})
    rows: dict[str, frozenset[Row]] = field(default_factory=dict)  # By part; they outlive its drop.
    today: date = FIRST
    recent_from: str = FIRST_DAY
    recent_version: int = 0
    generation: int = 0  # Of the parts that count.
    generations: dict[str, int] = field(default_factory=dict)  # By part, that of its marks.
    number: int = 0
    erased: dict[str, str] = field(default_factory=dict)  # By key, the last sequence erased.

    def days(self) -> dict[str, Day]:
        """Return the listing of the lake."""
        keys = defaultdict(list)
        for key in self.objects:
            keys[key[:10]].append(key)
        return {day: Day(day, digest(str(sorted(keys[day]))), 1) for day in keys}

    def json_rows(self, days: Collection[str]) -> list[Row]:
        """Return the rows of these days in the lake."""
        return [row for key, rows in self.objects.items() if key[:10] in days for row in rows]

    def visible(self, table: str, parts: Iterable[str] | None = None) -> frozenset[Row]:
        """Return what a query sees: the parts, and the JSON of the recent days."""
        names = self.parts[table] if parts is None else parts
        copied = [row for name in names for row in self.rows[f"{table} {name}"]]
        recent = [
            row for key, rows in self.objects.items() if key >= self.recent_from for row in rows
        ]
        return REDUCE[table]([*copied, *recent])

    def proven(self, table: str) -> frozenset[Row]:
        """Return what a query sees without the parts that may still be dropped."""
        parts = self.counted(table, self.generation)
        return self.visible(table, [part.name for part in parts if part.marks])

    def counted(self, table: str, generation: int) -> list[Part]:
        """Return the parts; those of another generation have no marks."""
        return [
            part if self.generations.get(f"{table} {part.name}") == generation else Part(name, {})
            for name, part in self.parts[table].items()
        ]

    def copied_days(self, days: dict[str, Day], generation: int) -> set[str]:
        """Return the days that both tables have as they are listed."""
        return copied_days((self.counted(table, generation) for table in self.parts), days)

    def new_name(self) -> str:
        """Return a name that sorts after those before."""
        self.number += 1
        return f"{self.number:04}"

    def write(self, table: str, name: str, rows: Iterable[Row]) -> None:
        """Write the rows of a part."""
        self.rows[f"{table} {name}"] = REDUCE[table](rows)

    def drop(self, table: str, name: str) -> None:
        """Drop a part, if another run has not."""
        self.parts[table].pop(name, None)

    def move_recent(self, day: str) -> None:
        """Let queries read the JSON from this day on."""
        self.recent_from = day
        self.recent_version += 1

    def is_to_erase(self, row: Row) -> bool:
        """Return whether a row has an image that is to be erased."""
        return row.new_image is not None and row.sequence <= self.erased.get(row.key, "")

    def holds_content(self, rows: Iterable[Row]) -> bool:
        """Return whether any row has an image that is to be erased."""
        return any(map(self.is_to_erase, rows))

    def without_images(self, rows: Iterable[Row]) -> list[Row]:
        """Return rows without the images that are to be erased."""
        return [replace(row, new_image=None) if self.is_to_erase(row) else row for row in rows]


@dataclass(frozen=True)
class Beginning:
    """What a run reads first of `recent`."""

    generation: int
    version: int


class Protocol:
    """The steps of a run, each of which a mutant may change."""

    def run(self, world: World) -> Run:
        """Copy, drop what is superseded, move the first recent day, and gather."""
        begun = Beginning(world.generation, world.recent_version)
        yield
        copied_before = world.copied_days(world.days(), begun.generation)
        until = oldest_recent_day(world.today)
        yield
        days = world.days()
        todo = {day for day in days if day < until} - world.copied_days(days, begun.generation)
        if todo:
            yield from self.copy(world, {day: days[day].digest for day in todo}, begun)
        for table in REDUCE:
            parts = world.counted(table, begun.generation)  # Before the lake is listed.
            yield
            for part in superseded(parts, world.days()):
                yield
                world.drop(table, part.name)
        yield from self.move(world, copied_before, until, begun)
        for table in REDUCE:
            yield from self.gather(world, table, begun)

    def copy(self, world: World, marks: dict[str, str], begun: Beginning) -> Run:
        """Write, publish, prove and mark a part of both tables."""
        name = world.new_name()
        for table in ("state", "history"):
            yield
            world.write(table, name, world.json_rows(marks))
            yield
            world.parts[table][name] = Part(name, {})
        yield
        is_proven = all(
            REDUCE[table](world.json_rows(marks)) == world.rows[f"{table} {name}"]
            for table in REDUCE
        )
        for table in ("state", "history"):
            yield
            is_proven = is_proven and self.mark(world, table, name, marks, begun)
        if not is_proven:
            for table in REDUCE:
                yield
                world.drop(table, name)

    def mark(
        self, world: World, table: str, name: str, marks: dict[str, str], begun: Beginning
    ) -> bool:
        """Say which days a part has, as they were listed before it was written."""
        if name not in world.parts[table]:
            return False
        world.parts[table][name] = Part(name, marks)
        world.generations[f"{table} {name}"] = begun.generation
        return True

    def move(self, world: World, copied_before: set[str], until: str, begun: Beginning) -> Run:
        """Move the first recent day past days that were copied before this run.

        The listing and the move are one step here: a late row between the two is seen after the
        next run.
        """
        parts_by_table = [world.counted(table, begun.generation) for table in REDUCE]
        yield
        days = world.days()
        copied = copied_before & copied_days(parts_by_table, days)
        first_day = min({until} | (days.keys() - copied))
        if first_day > world.recent_from and self.is_current(world, begun):
            world.move_recent(first_day)

    def is_current(self, world: World, begun: Beginning) -> bool:
        """Return whether no other run has moved the first recent day since."""
        return world.recent_version == begun.version

    def gather(self, world: World, table: str, begun: Beginning) -> Run:
        """Write the marked parts as one, and drop them."""
        parts = [part for part in world.counted(table, begun.generation) if part.marks]
        if len(parts) < 2:
            return
        name = world.new_name()
        yield
        world.write(table, name, self.rows_of(world, table, parts))
        yield
        world.parts[table][name] = Part(name, {})
        yield
        if world.rows[f"{table} {name}"] != REDUCE[table](self.rows_of(world, table, parts)):
            return
        yield
        if self.are_living(world, table, parts):
            yield from self.replace(world, table, name, parts, begun)

    def rows_of(self, world: World, table: str, parts: Iterable[Part]) -> list[Row]:
        """Return the rows that a query reads of these parts."""
        living = [part.name for part in parts if part.name in world.parts[table]]
        return [row for name in living for row in world.rows[f"{table} {name}"]]

    def are_living(self, world: World, table: str, parts: Iterable[Part]) -> bool:
        """Return whether no other run has dropped one of the parts."""
        return {part.name for part in parts} <= world.parts[table].keys()

    def replace(
        self, world: World, table: str, name: str, parts: Iterable[Part], begun: Beginning
    ) -> Run:
        """Mark the new part with the days of the parts, then drop these."""
        days = world.days()
        marks = {day: mark for part in parts for day, mark in part.marks.items()}
        marks |= {day: days[day].digest for day in marked_days(parts, days)}
        yield
        if self.mark(world, table, name, marks, begun):
            for part in parts:
                yield
                world.drop(table, part.name)

    def erase(self, world: World) -> Run:
        """Rewrite the lake, then delete what holds content, until nothing does.

        A query is one step here: erase waits for those that run.
        """
        yield from self.drop_copy(world)
        yield from self.rewrite(world)
        is_clean = False
        while not is_clean:
            yield from self.drop_copy(world)
            is_clean = True
            for part in [part for part, rows in world.rows.items() if world.holds_content(rows)]:
                yield
                is_clean = False
                world.rows[part] = frozenset()
            for _ in self.rewrite(world):
                yield
                is_clean = False

    def rewrite(self, world: World) -> Run:
        """Take what is to be erased from the objects of the lake."""
        for key in [key for key, rows in world.objects.items() if world.holds_content(rows)]:
            yield
            rows = world.without_images(world.objects.pop(key))
            world.objects[f"{key}-{world.new_name()}"] = rows

    def drop_copy(self, world: World) -> Run:
        """Let queries read the JSON alone, and drop the parts of the generations before."""
        yield
        parts = self.parts_to_drop(world)
        yield
        world.move_recent(FIRST_DAY)
        world.generation += 1
        for table, name in parts:
            yield
            world.drop(table, name)

    def parts_to_drop(self, world: World) -> list[tuple[str, str]]:
        """Return all parts, by table and name."""
        return [(table, name) for table in REDUCE for name in world.parts[table]]
