"""The project's documents as tests read them: fenced blocks, commands, links."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import PROJECT

README = PROJECT / "README.md"
CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
OWN_TABLE = PROJECT / "docs" / "own-table.md"
DOCUMENTS = tuple(
    sorted(
        path
        for folder in (".", "docs", "local", "analytics")
        for path in (PROJECT / folder).glob("*.md")
    )
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: the heading above it, its language, its text."""

    heading: str
    language: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a document."""
    text = document.read_text("utf-8")
    for found in BLOCK.finditer(text):
        headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text[: found.start()]), re.MULTILINE)
        yield Block(headings[-1], found[1], found[2])


def commands(document: Path, heading: str = "") -> list[str]:
    """Return the commands of a document's shell blocks, or of those below a heading."""
    return [
        line.partition(" #")[0].strip()
        for block in blocks(document)
        if block.language == "sh" and (not heading or block.heading == heading)
        for line in block.text.splitlines()
    ]
