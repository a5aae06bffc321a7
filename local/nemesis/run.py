"""The story that `python -m local --nemesis SEED` tells: the chain, while calls go wrong."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from local.demo import (
    Outcome,
    print_heading,
    print_hop_counts,
    run_script,
    verify_lake,
    write_orders,
)
from local.diagnostics import find_problems
from local.nemesis.cloud import UnkindCloud
from local.nemesis.poison import key_in
from local.nemesis.retained_records import buried_keys, kept_records
from setup.lib.text import format_table

LEGEND = (
    "lost: in memory when a service was killed, re-read afterwards; "
    "duplicates: received more than once"
)


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What a run came to: each set holds keys of items, in the lake's spelling."""

    outcome: Outcome
    injected: dict[str, int]
    poisoned: frozenset[str]
    unkept: frozenset[str]
    grown: frozenset[str]
    in_errors: frozenset[str]
    buried: frozenset[str]

    @property
    def differing(self) -> frozenset[str]:
        """The items of which the lake says something else than the table."""
        found: dict[str, Any] = self.outcome.verify
        return frozenset(key for kind in found["counts"] for key in found[kind])

    @property
    def foretold(self) -> bool:
        """Whether just what was spoilt was kept aside, and nothing else differs or is lost."""
        return not list(self.surprises())

    def surprises(self) -> Iterator[str]:
        """Yield what should not be, a sentence each."""
        for key in sorted(self.differing - self.in_errors - self.buried):
            yield f"{key} differs, but neither the error store nor a dead letter holds it"
        for key in sorted(self.unkept):
            yield f"{key} was poisoned, but the error store lacks those bytes"
        for key in sorted(self.grown - self.buried - self.in_errors):
            yield f"{key} grew too large, but neither a dead letter nor the error store holds it"
        for key in sorted(self.in_errors - self.poisoned):
            yield f"{key} lies in the error store, but was not poisoned"
        for key in sorted(self.buried - self.grown):
            yield f"{key} is told of by a dead letter, but did not grow too large"
        yield from self._lost()

    def _lost(self) -> Iterator[str]:
        """Yield where records are not accounted for: within a hop, and between two."""
        hops = self.outcome.hops
        for hop in hops:
            if not hop.is_balanced:
                yield f"{hop.hop} received other than it delivered, failed and lost: {hop}"
        for before, hop in pairwise(hops):
            if hop.received < before.delivered:
                yield f"{hop.hop} received less than {before.hop} delivered: {before}, {hop}"

    def summary(self) -> dict[str, object]:
        """Return the outcome as the JSON that `--summary` writes."""
        spoilt = {
            name: sorted(getattr(self, name))
            for name in ("poisoned", "unkept", "grown", "in_errors", "buried", "differing")
        }
        return {
            **self.outcome.summary(),
            "nemesis": {"foretold": self.foretold, "injected": self.injected, **spoilt},
        }


def ordeal(cloud: UnkindCloud, orders: int, seed: int) -> Ordeal:
    """Build the chain, write orders through it while calls go wrong, and judge what came of it."""
    print_heading("setup: the same scripts as on AWS")
    run_script(cloud, "setup")
    return trial(cloud, orders, seed)


def trial(cloud: UnkindCloud, orders: int, seed: int) -> Ordeal:
    """Write orders through a chain that stands while calls go wrong, and judge what came of it."""
    print_heading("orders, with injected faults")
    started = time.monotonic()
    with cloud.nemesis.awake():
        write_orders(cloud, orders, seed)
        cloud.nemesis.let_grow(cloud)
        cloud.run_until_idle()
    cloud.run_until_idle()  # What a refused call left lying moves on.
    seconds = time.monotonic() - started
    hops = print_hop_counts(cloud)
    if any(hop.lost_on_restart for hop in hops):
        print(LEGEND)
    print_heading("injected faults")
    print(_injections(cloud.nemesis.injected()))
    for problem in find_problems(cloud):
        print(f"problem: {problem}")
    print_heading("proof")
    found = _found(cloud, Outcome(orders, seconds, hops, verify_lake(cloud)))
    print("\n".join(_judgement(found)))
    return found


def _found(cloud: UnkindCloud, outcome: Outcome) -> Ordeal:
    taken, kept = cloud.nemesis.poison.taken, set(kept_records(cloud))
    return Ordeal(
        outcome,
        cloud.nemesis.injected(),
        poisoned=frozenset(taken.values()),
        unkept=frozenset(key for record, key in taken.items() if record not in kept),
        grown=frozenset(cloud.nemesis.grown),
        in_errors=frozenset(map(key_in, kept)),
        buried=frozenset(buried_keys(cloud)),
    )


def _injections(injected: Mapping[str, int]) -> str:
    return format_table([("injected", "times"), *((kind, str(n)) for kind, n in injected.items())])


def _judgement(found: Ordeal) -> Iterator[str]:
    """Yield in words whether all came as it should."""
    if not found.foretold:
        yield "not as foretold:"
        yield from found.surprises()
        return
    if not found.poisoned | found.grown:
        yield "as foretold: nothing was spoilt, and the lake equals the table"
        return
    yield (
        f"as foretold: {len(found.differing)} keys differ, and nothing is lost: the error store "
        f"holds changes of {len(found.in_errors)} keys, dead letters tell of {len(found.buried)}"
    )
