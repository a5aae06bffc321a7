"""Report of a replay: what happened to the records, and whether the lake is right then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from operations.replay.summary import ReplaySummary
from operations.replay.verification import VERIFY_COMMAND, SentKeysResult


@dataclass
class ReplayReport:
    """Summary and verification of a replay; `is_whole` once it has passed every source."""

    is_dry_run: bool
    summary: ReplaySummary = field(default_factory=ReplaySummary)
    is_whole: bool = False
    sent_key_count: int = 0
    verification: SentKeysResult | None = None

    @property
    def status(self) -> int:
        """1 if a record remains; otherwise the status of the verification."""
        if self.summary.status or self.verification is None:
            return self.summary.status
        return self.verification.status

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return {
            "dry_run": self.is_dry_run,
            "whole": self.is_whole,
            **self.summary.document(),
            "verification": self.verification and self.verification.document(),
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as text."""
        yield from self.summary.lines(self.is_dry_run)
        if self.verification:
            yield from self.verification.lines()
        elif self.sent_key_count:
            yield f"what was sent is not verified: run {VERIFY_COMMAND}"
