"""Settings of all tests: hypothesis profiles, signals, garbage collection."""

import gc
import os
import signal
import sys
from functools import cache
from typing import Any

import pytest
from botocore.hooks import EventAliaser, HierarchicalEmitter
from hypothesis import settings

from tests.support.profile import IS_FULL, PROFILE

# A background job ignores SIGINT, and so would the scripts that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers and scripts import the same modules: they compile them once, even where the environment
# turns that off, as images of containers do.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# On CI the examples are always the same, so that a failure is due to the change being tested.
settings.register_profile(
    "default", max_examples=20, deadline=None, derandomize=bool(os.environ.get("CI"))
)
settings.register_profile("full", settings.get_profile("default"), max_examples=40)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile(PROFILE)

# Each client computes the aliases of all its events, though they are those of every other client.
Aliaser: Any = EventAliaser  # The stubs lack its method.
alias_event_name = cache(Aliaser(HierarchicalEmitter())._alias_event_name)
Aliaser._alias_event_name = lambda _, event_name: alias_event_name(event_name)

# The tests load many modules that are never freed. Collecting garbage at Python's default rate
# would take a twelfth of their time.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked slow, unless the run is full or names single tests."""
    if IS_FULL or any("::" in argument for argument in config.args):
        return
    slow_items = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if not item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow_items)


def pytest_collection_finish() -> None:
    """Exempt what the collection has loaded from garbage collection."""
    gc.freeze()
