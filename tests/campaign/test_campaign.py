"""Campaigns on the whole laptop chain: every change arrives or is accounted for.

HYPOTHESIS_PROFILE=thorough runs 200 campaigns; python -m tests.campaign runs them with any seed.
"""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from hypothesis import seed
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from local.services.pipes.event import Event
from local.services.pipes.poller import Batch, PipePoller
from setup import names
from tests.campaign.__main__ import CAMPAIGNS_PER_SEED, MAX_STEPS, campaign_settings
from tests.campaign.chain import CampaignChain, open_chain
from tests.campaign.evidence import object_keys
from tests.campaign.fault_service import PUT_RECORDS_CALL
from tests.campaign.scenario import Scenario
from tests.campaign.state_machine import create_state_machine
from tests.campaign.table_history import canonical_key
from tests.support.laptop_cloud import aws, zip_code
from tests.support.profile import IS_FULL, IS_THOROUGH

SEEDS = list(range(1, 21)) if IS_THOROUGH else [20261126]
CAMPAIGN_COUNT = CAMPAIGNS_PER_SEED if IS_THOROUGH else 2 if IS_FULL else 1
STEP_COUNT = MAX_STEPS if IS_THOROUGH else 6
STREAM_RETENTION_SECONDS = 25 * 3600  # An hour longer than the stream keeps its records.
TICK_SECONDS = 2  # Longer than the pipe's batching window, shorter than Firehose's buffering.
DROPPING_FUNCTION = """
def lambda_handler(event, context):
    return {"records": [{**record, "result": "Dropped"} for record in event["records"]]}
"""


@pytest.fixture(scope="module")
def chain() -> Iterator[CampaignChain]:
    """A running chain."""
    with open_chain() as chain:
        yield chain


@pytest.mark.slow
@pytest.mark.parametrize("seed_number", SEEDS)
def test_every_change_is_accounted_for(chain: CampaignChain, seed_number: int) -> None:
    state_machine = create_state_machine(chain, lambda scenario: print(dict(scenario.counts)))
    run_state_machine_as_test(
        seed(seed_number)(state_machine), settings=campaign_settings(CAMPAIGN_COUNT, STEP_COUNT)
    )


def lose_in_stream(scenario: Scenario, write: Callable[[], None]) -> None:
    """Stop the pipe until the stream has trimmed the changes."""
    scenario.stop_pipe()
    write()
    scenario.chain.cloud.clock.advance(STREAM_RETENTION_SECONDS)
    scenario.start_pipe()
    scenario.chain.run_until_idle()


def lose_in_kinesis(scenario: Scenario, write: Callable[[], None]) -> None:
    """Let Kinesis acknowledge the changes without storing them."""
    write()
    scenario.queue_faults(PUT_RECORDS_CALL, ["dropped silently"])
    scenario.chain.run_until_idle()


def lose_in_firehose(scenario: Scenario, write: Callable[[], None]) -> None:
    """Delete the delivery stream while it has the changes in memory."""
    write()
    for _ in range(4):
        scenario.chain.tick()
        scenario.chain.cloud.clock.advance(TICK_SECONDS)
    scenario.recreate_firehose()
    scenario.chain.run_until_idle()


def lose_in_function(scenario: Scenario, write: Callable[[], None]) -> None:
    """Let the function drop the changes."""
    code = zip_code(DROPPING_FUNCTION, "lambda_function.py")
    aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)
    write()
    scenario.chain.run_until_idle()
    scenario.redeploy_function()


def lose_in_lake(scenario: Scenario, write: Callable[[], None]) -> None:
    """Delete the objects that contain the changes."""
    keys_before = set(object_keys(names.LAKE))
    write()
    scenario.chain.run_until_idle()
    for key in set(object_keys(names.LAKE)) - keys_before:
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)


LOSSES = {
    "stream": lose_in_stream,
    "kinesis": lose_in_kinesis,
    "firehose": lose_in_firehose,
    "function": lose_in_function,
    "lake": lose_in_lake,
}


def order_keys(kind: str) -> list[str]:
    """Return the keys of the orders of one kind, one for each hop that loses changes."""
    return sorted(canonical_key(f"{kind} {hop}") for hop in LOSSES)


@pytest.mark.slow
def test_losses_at_any_hop_are_found_and_repaired(chain: CampaignChain) -> None:
    scenario = Scenario(chain)
    lose_changes(scenario)
    status, document = chain.verify("--wait", "0")
    assert (status, document["unsettled"]) == (1, [])
    assert document["different"] == order_keys("changed")
    assert document["extra"] == order_keys("removed")
    assert document["missing"] == order_keys("new")
    assert gap_keys(chain) == []  # A loss at the end of a key's history leaves no gap.
    assert chain.verify("--repair")[0] == 0
    assert chain.verify("--wait", "0")[0] == 0
    for hop in LOSSES:
        scenario.put(f"changed {hop}", "shipped")
        scenario.put(f"unchanged {hop}", "shipped")
    scenario.chain.run_until_idle()
    assert gap_keys(chain) == sorted([*order_keys("changed"), *order_keys("removed")])
    assert chain.verify("--gaps")[1]["counts"]["open"] == 0  # Repairs have bridged them all.
    assert chain.verify("--wait", "0")[0] == 0


def lose_changes(scenario: Scenario) -> None:
    """Write three orders per hop, and lose later changes of two of them and a new order."""
    for hop in LOSSES:
        for kind in ("unchanged", "changed", "removed"):
            scenario.put(f"{kind} {hop}", "placed")
    scenario.chain.run_until_idle()
    for hop, lose in LOSSES.items():

        def write(hop: str = hop) -> None:
            scenario.put(f"changed {hop}", "paid")
            scenario.remove(f"removed {hop}")
            scenario.put(f"new {hop}", "placed")

        lose(scenario, write)


def gap_keys(chain: CampaignChain) -> list[str]:
    """Return the keys with a gap in their history, as reported by verify."""
    _, document = chain.verify("--gaps")
    return sorted({gap["key"] for gap in document["gaps"]})


requeue = PipePoller._requeue


def requeue_whole_batches_only(
    poller: PipePoller, batch: Batch, failed: tuple[Event, ...], reason: str
) -> list[Batch]:
    """Retry a batch that Kinesis rejected completely, but drop the rejected part of another."""
    is_partial_failure = len(failed) < len(batch.events)
    return [] if is_partial_failure else requeue(poller, batch, failed, reason)


@pytest.mark.slow
def test_a_pipe_that_drops_records_is_detected(chain: CampaignChain) -> None:
    with (
        patch.object(PipePoller, "_requeue", requeue_whole_batches_only),
        pytest.raises((AssertionError, Flaky)),
    ):
        run_state_machine_as_test(
            seed(2)(create_state_machine(chain)), settings=campaign_settings(5, 5)
        )
