"""The architecture, held by tests: who may import whom, and that servers stay on loopback."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

OURS = {
    *("analytics", "local", "operations", "sales", "setup"),
    *("transform", "lambda_function", "data_generator"),
}
MAY_IMPORT = {
    "transform": {"transform"},
    "local": {"local"},
    "lambda_function.py": {"transform"},
    "data_generator.py": {"sales", "setup"},
    "sales": {"sales"},
    "setup": {"setup"},
    "analytics": {"analytics", "setup", "transform"},
    "operations": {"operations", "analytics", "setup", "transform"},
}


def imported(source: Path) -> Iterator[str]:
    """Yield the top-level name of everything that a file imports."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def sources(room: str) -> list[Path]:
    """Return the Python files of a folder, or the one file."""
    path = PROJECT / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    for source in sources(room):
        crossed = (set(imported(source)) & OURS) - MAY_IMPORT[room]
        assert not crossed, f"{source.relative_to(PROJECT)} imports {crossed}"


def test_the_transform_needs_only_the_standard_library() -> None:
    for source in sources("transform"):
        assert set(imported(source)) <= sys.stdlib_module_names | {"transform"}, source.name


def test_every_requirement_is_pinned_and_has_its_reason() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    for line in filter(None, lines):
        assert re.fullmatch(r"# \S.*|[\w-]+==[\w.]+ +# \S.*", line), line


def test_no_script_names_a_region_an_endpoint_or_credentials() -> None:
    for room in ("setup", "operations", "analytics", "data_generator.py", "lambda_function.py"):
        for source in sources(room):
            found = re.search(
                r"endpoint_url|aws_access_key_id|region_name\s*=", source.read_text(), re.IGNORECASE
            )
            assert not found, f"{source.relative_to(PROJECT)}: {found and found[0]}"
