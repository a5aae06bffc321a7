"""A chain, the last result of verify, which no test leaves in the project, and empty queues."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from local.core.server import Cloud
from operations.replay import dead_letters
from tests.support.whole_chain import create_pipeline, laptop_that_runs_in_waits


@pytest.fixture(scope="session", autouse=True)
def no_long_polling() -> Iterator[None]:
    """Dead letters are not waited for: nothing sends one while a test reads them."""
    with patch.object(dead_letters, "WAIT_SECONDS", 0):
        yield


@pytest.fixture(scope="module")
def shared_chain() -> Iterator[Cloud]:
    """A chain on which waiting lets the cloud run."""
    with laptop_that_runs_in_waits() as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture(autouse=True)
def last_result(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which verify leaves its last result; it does not exist yet."""
    path = tmp_path_factory.mktemp("last") / "verified.json"
    for module in ("last_result", "command"):
        monkeypatch.setattr(f"operations.verify.{module}.LAST_RESULT", path)
    return path
