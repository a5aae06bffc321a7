"""The recording: what Trino answered to each expression of the corpus, as a file of lines of JSON.

Each line has an expression and its answer: rows of text, or the name of Trino's error.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("answers.jsonl")
BATCH = 64

Rows = list[list[str | None]]
Answer = Rows | str
"""The rows of an answer, or the name of an error."""
Ask = Callable[[str], Answer]
"""Runs a query, and returns its answer."""
Entry = tuple[str, Answer]
"""An expression and its answer."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Trino's answers, its version and the day on which it gave them."""

    version: str
    date: str
    answers: Mapping[str, Answer]


def read_recording() -> Recording:
    """Return the recording in the file."""
    lines = FILE.read_text("utf-8").splitlines()
    header = json.loads(lines[0])
    return Recording(header["trino"], header["date"], dict(map(json.loads, lines[1:])))


def write_recording(recording: Recording) -> None:
    """Write the recording to the file."""
    lines = [json.dumps({"trino": recording.version, "date": recording.date})]
    lines += [json.dumps(answer, ensure_ascii=False) for answer in recording.answers.items()]
    FILE.write_text("\n".join(lines) + "\n", "utf-8")


def is_query(expression: str) -> bool:
    """Return whether an entry of the corpus is a whole query."""
    return expression.startswith(("SELECT ", "WITH "))


def ask(expressions: Sequence[str], answer: Ask, batch_size: int = BATCH) -> Iterator[Entry]:
    """Yield each expression with its answer; one query asks for many expressions."""
    single = [expression for expression in expressions if not is_query(expression)]
    for start in range(0, len(single), batch_size):
        yield from _ask_batch(single[start : start + batch_size], answer)
    yield from ((query, answer(query)) for query in expressions if is_query(query))


def _ask_batch(batch: Sequence[str], answer: Ask) -> Iterator[Entry]:
    """Ask for a batch, or for its halves if one of its expressions fails."""
    result = answer(f"SELECT {', '.join(batch)}")
    if not isinstance(result, str):
        yield from ((text, [[cell]]) for text, cell in zip(batch, result[0], strict=True))
    elif len(batch) == 1:
        yield batch[0], result
    else:
        middle = len(batch) // 2
        yield from _ask_batch(batch[:middle], answer)
        yield from _ask_batch(batch[middle:], answer)
