"""Campaigns on the whole laptop chain: whatever goes wrong, in the end all is right or explained.

HYPOTHESIS_PROFILE=thorough wages 200 of them, as python -m tests.campaign does with other seeds.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.campaign.__main__ import EACH, STEPS, bounded, wage
from tests.campaign.chain import Chain, a_chain
from tests.campaign.machine import campaigns_on

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
FEW, SHORT = 4, 10


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A chain that stands."""
    with a_chain() as chain:
        yield chain


def test_in_a_few_campaigns_nothing_is_lost_wrong_or_unexplained(chain: Chain) -> None:
    waged = seed(20261126)(campaigns_on(chain))
    run_state_machine_as_test(waged, settings=bounded(FEW, SHORT))


@pytest.mark.skipif(not THOROUGH, reason="for HYPOTHESIS_PROFILE=thorough")
@pytest.mark.parametrize("number", range(1, 201 // EACH + 1))
def test_in_many_campaigns_nothing_is_lost_wrong_or_unexplained(number: int) -> None:
    total: Counter[str] = Counter()
    wage(number, EACH, STEPS, lambda life: total.update(life.counts))
    print(number, dict(total))
