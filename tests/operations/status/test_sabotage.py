"""Sabotage: whatever part of the chain is broken, status does not exit 0, and names the part."""

import os
from collections.abc import Iterator

import pytest

from tests.support.status_fixture import StatusChain, status_chain
from tests.support.status_sabotage import OTHER_SABOTAGES, SABOTAGES, Sabotage

IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


@pytest.fixture(scope="module")
def chain() -> Iterator[StatusChain]:
    with status_chain() as chain:
        yield chain


def test_an_idle_pipeline_is_healthy(chain: StatusChain) -> None:
    assert chain.find_faults() == []


@pytest.mark.parametrize(
    "sabotage",
    SABOTAGES + (OTHER_SABOTAGES if IS_THOROUGH else ()),
    ids=lambda sabotage: sabotage.__name__,
)
def test_sabotage_is_named(chain: StatusChain, sabotage: Sabotage) -> None:
    with sabotage(chain.cloud) as expected_text:
        faults = chain.find_faults()
    assert expected_text in "\n".join(faults)


def test_the_restored_pipeline_is_healthy(chain: StatusChain) -> None:
    assert chain.find_faults() == []
