"""How a verb tells what came of it: in words for people, as JSON for programs."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from pathlib import Path

from analytics.atomic_write import write_atomically
from operations.arguments import new_file

STDOUT = Path("-")


def add_json(parser: ArgumentParser) -> None:
    """Let a verb's command line ask for JSON."""
    parser.add_argument(
        "--json",
        type=lambda text: STDOUT if text == "-" else new_file(text),
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write JSON into a file, or print it instead of the words",
    )


def tell(lines: Iterable[str], document: Mapping[str, object], file: Path | None) -> None:
    """Print the words, or the JSON in their place; with a file, write the JSON there as well."""
    written = json.dumps(document, indent=2)
    if file == STDOUT:
        print(written)
        return
    if file:
        write_atomically(file, f"{written}\n")
    for line in lines:
        print(line, flush=True)
