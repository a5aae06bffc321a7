"""Campaigns on the whole laptop chain: whatever goes wrong, in the end all is right or explained.

HYPOTHESIS_PROFILE=thorough wages 200 of them, as python -m tests.campaign does with any seeds.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import seed
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from local.services.pipes.poller import Batch, PipePoller
from setup import names
from tests.campaign.__main__ import EACH, STEPS, bounded
from tests.campaign.chain import Chain, a_chain
from tests.campaign.evidence import object_keys
from tests.campaign.life import Life, text_of
from tests.campaign.machine import campaigns_on
from tests.campaign.storm import PUT
from tests.support.laptop_cloud import aws, zip_code

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SEEDS, CAMPAIGNS, LENGTH = (range(1, 21), EACH, STEPS) if THOROUGH else ([20261126], 2, 6)
A_DAY_AND_AN_HOUR = 25 * 3600
LESS_THAN_A_BUFFER = 2  # seconds, but more than the pipe gathers changes
AGAIN = PipePoller._requeue
DROPPING = """
def lambda_handler(event, context):
    return {"records": [{**record, "result": "Dropped"} for record in event["records"]]}
"""


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A chain that stands."""
    with a_chain() as chain:
        yield chain


@pytest.mark.parametrize("number", SEEDS)
def test_in_campaigns_nothing_is_lost_wrong_or_unexplained(chain: Chain, number: int) -> None:
    waged = seed(number)(campaigns_on(chain, lambda life: print(dict(life.counts))))
    run_state_machine_as_test(waged, settings=bounded(CAMPAIGNS, LENGTH))


def forgotten_by_the_stream(life: Life, change: Callable[[], None]) -> None:
    """Nobody reads the change until the stream has forgotten it."""
    life.stop_pipe()
    change()
    life.chain.cloud.clock.advance(A_DAY_AND_AN_HOUR)
    life.start_pipe()
    life.chain.run_until_idle()


def swallowed_by_kinesis(life: Life, change: Callable[[], None]) -> None:
    """Kinesis says that it took the change, and did not."""
    change()
    life.storm(PUT, ["swallowed"])
    life.chain.run_until_idle()


def held_by_a_firehose_that_is_deleted(life: Life, change: Callable[[], None]) -> None:
    """Firehose has the change in memory when it is deleted."""
    change()
    for _ in range(4):
        life.chain.tick()
        life.chain.cloud.clock.advance(LESS_THAN_A_BUFFER)
    life.recreate_firehose()
    life.chain.run_until_idle()


def dropped_by_the_function(life: Life, change: Callable[[], None]) -> None:
    """The function drops the change."""
    code = zip_code(DROPPING, "lambda_function.py")
    aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)
    change()
    life.chain.run_until_idle()
    life.mend_function()


def deleted_from_the_lake(life: Life, change: Callable[[], None]) -> None:
    """The object in which the change lies is deleted."""
    before = set(object_keys(names.LAKE))
    change()
    life.chain.run_until_idle()
    for key in set(object_keys(names.LAKE)) - before:
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)


HOPS = (
    forgotten_by_the_stream,
    swallowed_by_kinesis,
    held_by_a_firehose_that_is_deleted,
    dropped_by_the_function,
    deleted_from_the_lake,
)


def test_a_change_that_is_lost_at_any_hop_is_named_and_mended(chain: Chain) -> None:
    life = Life(chain)
    for hop in HOPS:
        for order in ("kept", "changed", "removed"):
            life.put(f"{order} {hop.__name__}", "placed")
    life.chain.run_until_idle()
    for hop in HOPS:
        hop(life, lambda hop=hop: lose(life, hop.__name__))
    status, found = chain.verified("--wait", "0")
    assert (status, found["unsettled"]) == (1, [])
    for kind, order in (("different", "changed"), ("extra", "removed"), ("missing", "new")):
        assert found[kind] == sorted(text_of(f"{order} {hop.__name__}") for hop in HOPS)
    assert gap_keys(chain) == set()  # What is lost at the end of a history only verify sees.
    assert chain.verified("--repair")[0] == chain.verified("--wait", "0")[0] == 0
    for hop in HOPS:
        life.put(f"changed {hop.__name__}", "shipped")
        life.put(f"kept {hop.__name__}", "shipped")
    life.chain.run_until_idle()
    assert gap_keys(chain) == {text_of(f"changed {hop.__name__}") for hop in HOPS}
    assert chain.verified("--wait", "0")[0] == 0


def lose(life: Life, hop: str) -> None:
    """Make the changes that are to be lost at a hop."""
    life.put(f"changed {hop}", "paid")
    life.remove(f"removed {hop}")
    life.put(f"new {hop}", "placed")


def gap_keys(chain: Chain) -> set[str]:
    """Return the keys in whose history verify finds a gap."""
    return {gap["key"] for gap in chain.verified("--gaps")[1]["gaps"]}


def dropping_the_rest(flow: Any, batch: Batch, failed: tuple[Any, ...]) -> list[Batch]:
    """Try again what Kinesis refused as a whole, and forget what it refused of a batch."""
    partly = len(failed) < len(batch.events)
    return [] if partly else AGAIN(flow, batch, failed)


def test_campaigns_find_a_pipe_that_drops_what_kinesis_refused_of_a_batch(chain: Chain) -> None:
    broken = patch.object(PipePoller, "_requeue", dropping_the_rest)
    with broken, pytest.raises((AssertionError, Flaky)):
        run_state_machine_as_test(seed(2)(campaigns_on(chain)), settings=bounded(5, 5))
