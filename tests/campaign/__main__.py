"""Wage campaigns on the laptop chain, ten on each cloud: a seed makes the same ten again."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.campaign.chain import a_chain
from tests.campaign.effects import Effects
from tests.campaign.life import Life
from tests.campaign.machine import campaigns_on

EACH = 10
MANY = 20  # campaigns after which a rule that did nothing is at fault itself
STEPS = 25


def main() -> int:
    """Wage the campaigns, and return 0 when none found a fault and, of many, each rule did its."""
    options = _options()
    total: Counter[str] = Counter()
    effects = Effects()
    began = time.process_time()

    def judged(life: Life) -> None:
        total.update(life.counts)
        total["campaigns"] += 1
        effects.add(life.effects)
        spent = time.process_time() - began
        print(f"{total['campaigns']:4} {spent:6.0f} s  {dict(life.counts)}", flush=True)

    first = options.seed
    while total["campaigns"] < options.campaigns:
        print(f"seed {options.seed}", flush=True)
        wage(options.seed, EACH, STEPS, judged)
        options.seed += 1
    print("\n".join(effects.lines()))
    print(f"seeds {first} to {options.seed - 1}, no fault found: {dict(total)}")
    idle = effects.idle()
    if idle:
        print(f"these did nothing: {', '.join(sorted(idle))}")
    return int(bool(idle) and total["campaigns"] >= MANY)


def wage(number: int, campaigns: int, steps: int, judged: Callable[[Life], None]) -> None:
    """Wage some campaigns on a cloud of their own."""
    with a_chain() as chain:
        waged = seed(number)(campaigns_on(chain, judged))
        run_state_machine_as_test(waged, settings=bounded(campaigns, steps))


def bounded(campaigns: int, steps: int) -> settings:
    """Return settings for so many campaigns of at most so many steps; a failure is not shrunk."""
    return settings(
        max_examples=campaigns,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--campaigns", type=int, default=200, help="at least so many")
    parser.add_argument("--seed", type=int, default=1, help="the first of the seeds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
