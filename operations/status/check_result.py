"""Check results: the state of one part of the pipeline, and a summary of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from terminal.text import count


class Status(IntEnum):
    """The status of a part, and the exit status of the command."""

    OK = 0
    PROBLEM = 1
    UNKNOWN = 2


MARKS = {Status.OK: " ", Status.PROBLEM: "!", Status.UNKNOWN: "?"}
SORT_ORDER = (Status.PROBLEM, Status.UNKNOWN, Status.OK)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check reports of a part; the remedy is shown unless the status is OK."""

    part: str
    message: str
    status: Status = Status.OK
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the result as text, marked if it is not OK."""
        yield f"{MARKS[self.status]} {self.part:20}  {self.message}"
        if self.remedy and self.status != Status.OK:
            yield f"{'':22}  -> {self.remedy}"

    def document(self) -> dict[str, object]:
        """Return the result as JSON."""
        return {
            "part": self.part,
            "message": self.message,
            "status": self.status,
            "remedy": self.remedy,
        }


def overall_status(results: Sequence[CheckResult]) -> Status:
    """Return PROBLEM if any part has one, else UNKNOWN if any part is unknown, else OK."""
    statuses = {result.status for result in results}
    return next((status for status in SORT_ORDER if status in statuses), Status.OK)


def headline(results: Sequence[CheckResult]) -> str:
    """Return all results in one line."""
    problems = [result.part for result in results if result.status == Status.PROBLEM]
    unknown = [result.part for result in results if result.status == Status.UNKNOWN]
    clauses = []
    if problems:
        clauses.append(f"{count(len(problems), 'problem')}: {', '.join(problems)}")
    if unknown:
        clauses.append(f"unknown: {', '.join(unknown)}")
    return "; ".join(clauses) or "healthy"


def sort_by_urgency(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return the results with problems first, otherwise in the order of the pipeline."""
    return sorted(results, key=lambda result: SORT_ORDER.index(result.status))
