"""Run campaigns on the laptop chain, ten per cloud; a seed reproduces its ten campaigns."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.campaign.chain import open_chain
from tests.campaign.effects import Effects
from tests.campaign.scenario import Scenario
from tests.campaign.state_machine import create_state_machine

CAMPAIGNS_PER_SEED = 10
MIN_CAMPAIGNS_FOR_EFFECTS = 20  # After so many campaigns, every rule must have had an effect.
MAX_STEPS = 25


def main() -> int:
    """Run the campaigns; return 1 if a rule had no effect in many of them."""
    args = _parse_args()
    progress = Progress()
    next_seed = args.seed
    while progress.campaign_count < args.campaigns:
        print(f"seed {next_seed}", flush=True)
        run_campaigns(next_seed, CAMPAIGNS_PER_SEED, MAX_STEPS, progress.add)
        next_seed += 1
    print("\n".join(progress.effects.lines()))
    totals = {**progress.totals, "campaigns": progress.campaign_count}
    print(f"seeds {args.seed} to {next_seed - 1} passed: {totals}")
    idle_rules = sorted(progress.effects.idle_rules())
    if idle_rules:
        print(f"rules without any effect: {', '.join(idle_rules)}")
    return int(bool(idle_rules) and progress.campaign_count >= MIN_CAMPAIGNS_FOR_EFFECTS)


class Progress:
    """The totals of the campaigns so far, each of which is printed."""

    def __init__(self) -> None:
        self.campaign_count = 0
        self.totals: Counter[str] = Counter()
        self.effects = Effects()
        self._started_at = time.process_time()

    def add(self, scenario: Scenario) -> None:
        """Add a campaign that passed."""
        self.campaign_count += 1
        self.totals.update(scenario.counts)
        self.effects.add(scenario.effects)
        seconds = time.process_time() - self._started_at
        print(f"{self.campaign_count:4} {seconds:6.0f} s  {dict(scenario.counts)}", flush=True)


def run_campaigns(
    seed_number: int, count: int, max_steps: int, on_pass: Callable[[Scenario], None]
) -> None:
    """Run campaigns on a cloud of their own; call `on_pass` after each one that passes."""
    with open_chain() as chain:
        state_machine = seed(seed_number)(create_state_machine(chain, on_pass))
        run_state_machine_as_test(state_machine, settings=campaign_settings(count, max_steps))


def campaign_settings(count: int, max_steps: int) -> settings:
    """Return hypothesis's settings for campaigns, whose failures are not shrunk."""
    return settings(
        max_examples=count,
        stateful_step_count=max_steps,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument(
        "--campaigns", type=int, default=200, help="minimum number of campaigns to run"
    )
    parser.add_argument("--seed", type=int, default=1, help="first random seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
