"""The tables of local/README.md: each behaviour names its tests, or is not modelled."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.support.paths import PROJECT

TESTS = PROJECT / "tests"
README = PROJECT / "local" / "README.md"
REFERENCE = re.compile(r"`([\w/]+/test_\w+\.py)::(test_\w+)`")


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the cells of each row: AWS's behaviour, the laptop's, and the tests."""
    for line in README.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("AWS", "---"):
            yield cells[0], cells[1], cells[2]


@cache
def defined_tests(file: str) -> set[str]:
    """Return the names of the functions in a test file; none if it does not exist."""
    path = TESTS / file
    tree = ast.parse(path.read_text() if path.exists() else "")
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def references() -> list[tuple[str, str]]:
    """Return the file and name of each test that the document names."""
    return REFERENCE.findall(README.read_text())


def test_every_named_test_exists() -> None:
    missing = [(file, test) for file, test in references() if test not in defined_tests(file)]
    assert missing == []


def test_behaviours_have_tests_or_differences() -> None:
    for aws, laptop, tests in rows():
        assert REFERENCE.sub("", tests).strip() == "", tests
        assert tests or "*not modelled*" in laptop or "**kinder**" in laptop, aws


def test_every_service_has_a_tested_behaviour() -> None:
    files = [file for file, _ in references()]
    services = (
        "dynamodb",
        "pipes",
        "kinesis",
        "firehose",
        "aws_lambda",
        "glue",
        "athena",
        "iam",
        "s3",
    )
    for service in services:
        assert any(file.startswith(f"emulator/{service}/") for file in files), service


def test_every_named_path_exists() -> None:
    paths = re.findall(
        r"`([\w/]+(?:/|\.py))`", README.read_text().partition("## How it differs")[0]
    )
    assert len(paths) > 10
    assert [path for path in paths if not (README.parent / path).exists()] == []
