"""The questions: a file of SQL each, with what it answers and its parameters in its first lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUESTIONS = Path(__file__).with_name("questions")


class BadParameter(Exception):
    """A parameter that the question does not have, or one that it needs and was not given."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its parameters stand in the order of its question marks, None must be given."""

    name: str
    meaning: str
    parameters: Mapping[str, str | None]
    sql: str

    def values(self, given: Mapping[str, str]) -> list[str]:
        """Return a value for each question mark: the one given, else its own."""
        known = ", ".join(self.parameters) or "none"
        for name in given.keys() - self.parameters.keys():
            raise BadParameter(f"{self.name} has no parameter {name}: it has {known}")
        values = {**self.parameters, **given}
        for name, value in values.items():
            if value is None:
                raise BadParameter(f"{self.name} needs --param {name}=…")
        return [value for value in values.values() if value is not None]


def question(name: str, sql: str) -> Question:
    """Return the question that a file holds."""
    first, second, *_ = [*sql.splitlines(), "", ""]
    marks = second.removeprefix("-- params: ") if second.startswith("-- params: ") else ""
    return Question(name, first.removeprefix("-- "), _parameters(marks), sql)


def questions() -> dict[str, Question]:
    """Return all questions by name."""
    paths = sorted(QUESTIONS.glob("*.sql"))
    return {path.stem: question(path.stem, path.read_text("utf-8")) for path in paths}


def _parameters(marks: str) -> dict[str, str | None]:
    named = [mark.partition("=") for mark in marks.split(", ") if mark]
    return {name: value if equals else None for name, equals, value in named}
