"""Documents of the project: their paths, fenced blocks and shell commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import PROJECT

README = PROJECT / "README.md"
CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
ENGINES = PROJECT / "docs" / "engines.md"
OWN_TABLE = PROJECT / "docs" / "own-table.md"
DBT_EXAMPLE = PROJECT / "examples" / "dbt" / "README.md"
DOCUMENTS = tuple(
    sorted(
        path
        for folder in (".", "docs", "local", "analytics", "examples/dbt")
        for path in (PROJECT / folder).glob("*.md")
    )
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block, and the heading above it."""

    heading: str
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    text = document.read_text("utf-8")
    for match in BLOCK.finditer(text):
        prose = BLOCK.sub("", text[: match.start()])
        headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
        yield Block(heading=headings[-1], language=match[1], text=match[2])


def documented_block(document: Path, language: str) -> str:
    """Return the text of a document's first block in a language."""
    return next(block.text for block in blocks(document) if block.language == language)


def commands(document: Path) -> list[str]:
    """Return the commands in a document's shell blocks."""
    return [
        line.partition(" #")[0].strip()
        for block in blocks(document)
        if block.language == "sh"
        for line in block.text.splitlines()
    ]
