"""The table of local/README.md: every behaviour names tests that exist, or is not modelled."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.support.paths import PROJECT

TESTS = PROJECT / "tests"
README = PROJECT / "local" / "README.md"
REFERENCE = re.compile(r"`([\w/]+/test_\w+\.py)::(test_\w+)`")


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield what AWS does, what happens here, and what holds it."""
    for line in README.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("AWS", "---"):
            yield cells[0], cells[1], cells[2]


@cache
def defined_in(file: str) -> set[str]:
    """Return the tests that a file defines; none if there is no such file."""
    path = TESTS / file
    tree = ast.parse(path.read_text() if path.exists() else "")
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}


def test_every_test_that_the_table_names_exists() -> None:
    named = [REFERENCE.findall(held) for _, _, held in rows()]
    missing = [
        (file, test) for each in named for file, test in each if test not in defined_in(file)
    ]
    assert missing == []


def test_every_behaviour_is_held_by_a_test_or_said_to_be_another() -> None:
    for aws, here, held in rows():
        assert REFERENCE.sub("", held).strip() == "", held
        assert held or "*not modelled*" in here or "**kinder**" in here, aws


def test_the_table_has_every_part_of_the_chain() -> None:
    files = [file for _, _, held in rows() for file, _ in REFERENCE.findall(held)]
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


def test_every_place_that_the_readme_names_exists() -> None:
    places = re.findall(r"`([\w/]+(?:/|\.py))`", README.read_text().partition("A client")[0])
    assert len(places) > 10
    assert [place for place in places if not (README.parent / place).exists()] == []
