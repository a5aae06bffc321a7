"""Coverage: the parts that were verified, in this run and in earlier ones, and through when.

The earlier ones are those in the file that this run replaces, if it is about parts of the same size
of the same lake.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from operations.verify.part import Part
from operations.verify.result import EQUAL, STATES, VerifyResult
from setup.lib.lake_identity import LakeIdentity


@dataclass(frozen=True, slots=True)
class PartResult:
    """What the last run of a part found, and when that run began (UTC).

    `table` and `lake` are the numbers of items on its two sides.
    """

    started_at: str
    state: str
    table: int
    lake: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The last result of each part that was run."""

    total: int
    parts: Mapping[int, PartResult]

    @classmethod
    def of_run(
        cls, part: Part, result: VerifyResult, started_at: str, earlier: Coverage | None
    ) -> Coverage:
        """Return the earlier coverage, with the result of a run."""
        parts = dict(earlier.parts) if earlier and earlier.total == part.total else {}
        parts[part.number] = PartResult(
            started_at, result.state, result.table_items, result.lake_items
        )
        return cls(part.total, parts)

    @property
    def share(self) -> float:
        """The share of the table that was found equal."""
        return len(self._equal_times()) / self.total

    @property
    def verified_through(self) -> str | None:
        """The time through which all changes of that share are proven to be in the lake."""
        return min(self._equal_times(), default=None)

    def _equal_times(self) -> list[str]:
        return [
            result.started_at for result in self.parts.values() if result.state == STATES[EQUAL]
        ]

    def document(self) -> dict[str, object]:
        """Return the coverage as JSON."""
        return {
            "of": self.total,
            "share": self.share,
            "verified_through": self.verified_through,
            "parts": {str(number): asdict(self.parts[number]) for number in sorted(self.parts)},
        }

    def __str__(self) -> str:
        count = len(self._equal_times())
        if not count:
            return f"verified: none of {self.total} parts"
        return (
            f"verified through {self.verified_through} UTC: {count} of {self.total} parts, "
            f"{self.share:.0%} of the table"
        )


@dataclass(frozen=True, slots=True)
class PartReport:
    """The result of a part, and the coverage to which it adds."""

    result: VerifyResult
    coverage: Coverage

    @property
    def status(self) -> int:
        """The exit status: that of this part alone."""
        return self.result.status

    def lines(self) -> Iterator[str]:
        """Yield the result as text; the last line is the coverage."""
        yield from self.result.lines()
        yield str(self.coverage)

    def document(self) -> dict[str, object]:
        """Return result and coverage as JSON."""
        return {
            **self.result.document(),
            "part": str(self.result.part),
            "coverage": self.coverage.document(),
        }


def read_coverage(path: Path | None, lake: LakeIdentity) -> Coverage | None:
    """Return the coverage in a result's file; None if it has none for this lake."""
    try:
        document = json.loads(path.read_text("utf-8")) if path else {}
        coverage = document["coverage"]
        if lake.mismatch(document):
            return None
        parts = {int(number): PartResult(**part) for number, part in coverage["parts"].items()}
        return Coverage(int(coverage["of"]), parts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
