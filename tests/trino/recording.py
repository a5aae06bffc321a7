"""The recording: what Trino answered to each expression of the corpus, as a file of lines of JSON.

Each line has an expression and its answer: rows of text, or the name of Trino's error.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
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
    """Trino's answers, its version, the day on which it gave them, and the digest of their lines."""

    version: str
    date: str
    answers: Mapping[str, Answer]
    digest: str = ""


def read_recording() -> Recording:
    """Return the recording in the file."""
    header, *lines = FILE.read_text("utf-8").split("\n")
    details = json.loads(header)
    answers = dict(json.loads(line) for line in lines if line)
    return Recording(details["trino"], details["date"], answers, details["sha256"])


def write_recording(recording: Recording) -> None:
    """Write the recording to the file."""
    lines = answer_lines(recording.answers)
    header = {"trino": recording.version, "date": recording.date, "sha256": digest_of(lines)}
    FILE.write_text("\n".join([json.dumps(header), *lines]) + "\n", "utf-8")


def answer_lines(answers: Mapping[str, Answer]) -> list[str]:
    """Return the line of each answer."""
    return [json.dumps(answer, ensure_ascii=False) for answer in answers.items()]


def digest_of(lines: Iterable[str]) -> str:
    """Return the digest of the lines, by which a change by hand is noticed."""
    return sha256("\n".join(lines).encode()).hexdigest()


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
