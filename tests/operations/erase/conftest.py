"""A chain whose lake has an order of a person who is gone."""

import pytest

from local.core.server import Cloud
from operations.lake_copy.parts import drop_copy
from setup import names
from tests.support.erase_fixture import EMAIL, NAME, delete_versions
from tests.support.replay_fixture import delete_failed_records
from tests.support.sabotage import delete_order, put_order
from tests.support.whole_chain import empty_chain


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
