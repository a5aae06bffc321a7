"""Examples in docstrings: each comes out as written."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

CODE = (
    "analytics",
    "local",
    "operations",
    "sales",
    "setup",
    "terminal",
    "transform",
)
MODULES = [
    ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    for folder in CODE
    for path in sorted(Path(PROJECT, folder).rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_correct(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
