"""A chain whose lake has an order of a person who is gone."""

from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from operations.lake_copy.parts import drop_copy
from setup import names
from tests.support.erase_fixture import EMAIL, NAME, delete_versions
from tests.support.replay_fixture import delete_failed_records
from tests.support.sabotage import delete_order, put_order
from tests.support.whole_chain import create_pipeline, empty_chain, laptop_that_runs_in_waits


@pytest.fixture(scope="module")
def shared_chain() -> Iterator[Cloud]:
    """A chain on which waiting lets the cloud run."""
    with laptop_that_runs_in_waits() as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture
def chain(shared_chain: Cloud) -> Cloud:
    """The chain with one order of a person who is gone, and two others, in three objects."""
    empty_chain(shared_chain)
    drop_copy()
    delete_versions(names.ERRORS, names.REPLAYED, names.QUERIES, names.TABLES)
    delete_failed_records(shared_chain)
    for status in ("placed", "paid", "shipped"):
        put_order("anna", status, customer={"M": {"name": {"S": NAME}, "email": {"S": EMAIL}}})
        put_order("bert", status)
        shared_chain.run_until_idle()
    delete_order("anna")
    shared_chain.run_until_idle()
    return shared_chain
