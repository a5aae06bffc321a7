"""The last result of verify, which no test leaves in the project's folder."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def last_result(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which verify leaves its last result; it does not exist yet."""
    path = tmp_path_factory.mktemp("last") / "verified.json"
    for module in ("last_result", "command"):
        monkeypatch.setattr(f"operations.verify.{module}.LAST_RESULT", path)
    return path
