"""Demo of `python -m local --nemesis SEED`: runs the chain with faults and checks the outcome."""

import time
from collections.abc import Iterator
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
from local.nemesis.cloud import FaultyCloud
from local.nemesis.poison import record_key
from local.nemesis.retained_records import dead_letter_keys, error_store_records
from terminal.text import count, format_table

LEGEND = (
    "lost: in memory when a service was killed, re-read afterwards; "
    "duplicates: received more than once"
)


@dataclass(frozen=True, slots=True)
class FaultOutcome:
    """The outcome of a run with faults; each set holds item keys, formatted as in the lake.

    `unretained` are the poisoned keys of which a poisoned record is missing in the error store.
    """

    outcome: Outcome
    injected: dict[str, int]
    poisoned: frozenset[str]
    unretained: frozenset[str]
    inflated: frozenset[str]
    in_error_store: frozenset[str]
    in_dead_letters: frozenset[str]

    @property
    def differing(self) -> frozenset[str]:
        """The keys whose state in the lake differs from the table."""
        verify: dict[str, Any] = self.outcome.verify
        return frozenset(key for kind in verify["counts"] for key in verify[kind])

    @property
    def as_expected(self) -> bool:
        """Whether only poisoned or inflated items differ, and all their records were retained."""
        return not list(self.unexpected())

    def unexpected(self) -> Iterator[str]:
        """Yield a message about each unexpected outcome."""
        retained = self.in_error_store | self.in_dead_letters
        for key in sorted(self.differing - retained):
            yield f"{key} differs, but is neither in the error store nor in a dead letter"
        for key in sorted(self.unretained):
            yield f"{key} was poisoned, but the record is not in the error store"
        for key in sorted(self.inflated - retained):
            yield f"{key} was inflated, but is neither in a dead letter nor in the error store"
        for key in sorted(self.in_error_store - self.poisoned):
            yield f"{key} is in the error store, but was not poisoned"
        for key in sorted(self.in_dead_letters - self.inflated):
            yield f"{key} is in a dead letter, but was not inflated"
        yield from self._unaccounted_records()

    def _unaccounted_records(self) -> Iterator[str]:
        """Yield a message about each hop, or pair of hops, whose record counts do not add up."""
        hops = self.outcome.hops
        for hop in hops:
            if not hop.is_balanced:
                yield f"{hop.hop}: received is not the sum of delivered, failed and lost: {hop}"
        for previous, hop in pairwise(hops):
            if hop.received < previous.delivered:
                yield f"{hop.hop} received less than {previous.hop} delivered: {previous}, {hop}"

    def summary(self) -> dict[str, object]:
        """Return the outcome as the JSON that `--summary` writes."""
        return {
            **self.outcome.summary(),
            "nemesis": {
                "as_expected": self.as_expected,
                "injected": self.injected,
                "poisoned": sorted(self.poisoned),
                "unretained": sorted(self.unretained),
                "inflated": sorted(self.inflated),
                "in_error_store": sorted(self.in_error_store),
                "in_dead_letters": sorted(self.in_dead_letters),
                "differing": sorted(self.differing),
            },
        }


def run_chaos_demo(cloud: FaultyCloud, orders: int, seed: int) -> FaultOutcome:
    """Build the chain, write orders through it with faults, and check the outcome."""
    print_heading("setup: the same scripts as on AWS")
    run_script(cloud, "setup")
    return inject_and_check(cloud, orders, seed)


def inject_and_check(cloud: FaultyCloud, orders: int, seed: int) -> FaultOutcome:
    """Write orders through an existing chain with faults, and check the outcome."""
    print_heading("orders, with injected faults")
    started_at = time.monotonic()
    with cloud.nemesis.active():
        write_orders(cloud, orders, seed)
        cloud.nemesis.inflate_items(cloud)
        cloud.run_until_idle()
    cloud.run_until_idle()  # Deliver what waits for a retry.
    seconds = time.monotonic() - started_at
    hops = print_hop_counts(cloud)
    if any(hop.lost_on_restart for hop in hops):
        print(LEGEND)
    print_heading("injected faults")
    injected = cloud.nemesis.injected()
    print(format_table([("injected", "times"), *((name, str(n)) for name, n in injected.items())]))
    for problem in find_problems(cloud):
        print(f"problem: {problem}")
    print_heading("verification")
    result = _collect(cloud, Outcome(orders, seconds, hops, verify_lake(cloud)))
    print("\n".join(_conclusion(result)))
    return result


def _collect(cloud: FaultyCloud, outcome: Outcome) -> FaultOutcome:
    poisoned = cloud.nemesis.poison.accepted
    retained = set(error_store_records(cloud))
    return FaultOutcome(
        outcome=outcome,
        injected=cloud.nemesis.injected(),
        poisoned=frozenset(poisoned.values()),
        unretained=frozenset(key for record, key in poisoned.items() if record not in retained),
        inflated=frozenset(cloud.nemesis.inflated_keys),
        in_error_store=frozenset(record_key(record) for record in retained),
        in_dead_letters=frozenset(dead_letter_keys(cloud)),
    )


def _conclusion(result: FaultOutcome) -> Iterator[str]:
    """Yield the lines that say whether the outcome is as expected."""
    if not result.as_expected:
        yield "not as expected:"
        yield from result.unexpected()
    elif not result.poisoned | result.inflated:
        yield "as expected: no record poisoned, no item inflated; the lake equals the table"
    else:
        differing = len(result.differing)
        yield (
            f"as expected: {count(differing, 'key')} {'differs' if differing == 1 else 'differ'}; "
            f"no data lost: changes of {count(len(result.in_error_store), 'key')} in the error "
            f"store, of {count(len(result.in_dead_letters), 'key')} in dead letters"
        )
