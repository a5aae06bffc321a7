"""Replay summary: what was found, replayed and left, as exit status, text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from operations.replay.validation import Rejected
from terminal.text import count

MAX_LISTED = 20  # unrecoverable records in the text output; JSON lists all
REPAIR_COMMAND = "python -m operations.verify --repair"
REPLAY_COMMAND = "python -m operations.replay"


@dataclass
class ReplaySummary:
    """Counts by error code; of the remaining records by code and reason, with a first location.

    `changed_count` is of objects that another command changed or moved before they were archived.
    `sources` says what was empty if there was nothing to replay.
    """

    record_counts: Counter[str] = field(default_factory=Counter)
    replayed_counts: Counter[str] = field(default_factory=Counter)
    repaired_counts: Counter[str] = field(default_factory=Counter)
    remaining_counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_locations: dict[tuple[str, str], str] = field(default_factory=dict)
    unrecoverable: list[tuple[str, str]] = field(default_factory=list)  # key and reason
    archived_count: int = 0
    changed_count: int = 0
    sources: str = "no error objects, no dead letters"

    def count_replayed(self, code: str) -> None:
        """Count a record that is sent again."""
        self.record_counts[code] += 1
        self.replayed_counts[code] += 1

    def count_repaired(self, code: str, record_count: int = 1) -> None:
        """Count records that cannot be replayed, but that verify --repair has repaired."""
        self.record_counts[code] += record_count
        self.repaired_counts[code] += record_count

    def count_remaining(
        self, code: str, rejected: Rejected, location: str, record_count: int = 1
    ) -> None:
        """Count records that stay at a location, and list those that can never be replayed."""
        self.record_counts[code] += record_count
        self.remaining_counts[code, rejected.reason] += record_count
        self.first_locations.setdefault((code, rejected.reason), location)
        if rejected.is_unrecoverable:
            key = rejected.key or f"unknown, {record_count} in {location}"
            self.unrecoverable.append((key, rejected.reason))

    def add(self, other: ReplaySummary) -> None:
        """Add the counts of another summary."""
        self.record_counts += other.record_counts
        self.replayed_counts += other.replayed_counts
        self.repaired_counts += other.repaired_counts
        self.remaining_counts += other.remaining_counts
        self.first_locations = other.first_locations | self.first_locations
        self.unrecoverable += other.unrecoverable
        self.archived_count += other.archived_count
        self.changed_count += other.changed_count

    @property
    def status(self) -> int:
        """0 if no record remains; 1 if one does, or may in an object that changed."""
        return 1 if self.remaining_counts or self.changed_count else 0

    def document(self) -> dict[str, object]:
        """Return the summary as JSON."""
        return {
            "found": self.record_counts.total(),
            "replayed": self.replayed_counts.total(),
            "repaired": self.repaired_counts.total(),
            "left": self.remaining_counts.total(),
            "archived": self.archived_count,
            "changed": self.changed_count,
            "codes": {code: self._code_document(code) for code in sorted(self.record_counts)},
            "reasons": [
                {
                    "code": code,
                    "reason": reason,
                    "count": record_count,
                    "first_location": self.first_locations[code, reason],
                }
                for (code, reason), record_count in sorted(self.remaining_counts.items())
            ],
            "unrecoverable": [{"key": key, "reason": reason} for key, reason in self.unrecoverable],
        }

    def lines(self, is_dry_run: bool = False) -> Iterator[str]:
        """Yield the summary as text; the last line is the total."""
        yield from self._code_lines()
        for (code, reason), record_count in sorted(self.remaining_counts.items()):
            yield f"left  {record_count}  {code}  {reason}"
            yield f"      first in {self.first_locations[code, reason]}"
        yield from self._unrecoverable_lines()
        if self.changed_count:
            yield (
                f"another command changed or moved {count(self.changed_count, 'object')} "
                f"meanwhile: run {REPLAY_COMMAND} again; it is harmless to send records twice"
            )
        yield self._total_line(is_dry_run)

    def _code_document(self, code: str) -> dict[str, int]:
        remaining = sum(
            record_count
            for (remaining_code, _), record_count in self.remaining_counts.items()
            if remaining_code == code
        )
        document = {
            "found": self.record_counts[code],
            "replayed": self.replayed_counts[code],
            "left": remaining,
        }
        if self.repaired_counts:
            document["repaired"] = self.repaired_counts[code]
        return document

    def _code_lines(self) -> Iterator[str]:
        width = max(map(len, self.record_counts), default=0)
        for code in sorted(self.record_counts):
            counts = self._code_document(code).items()
            yield f"{code:{width}}  " + ", ".join(f"{number} {label}" for label, number in counts)

    def _unrecoverable_lines(self) -> Iterator[str]:
        if not self.unrecoverable:
            return
        yield (
            f"these cannot be replayed; run {REPAIR_COMMAND}, "
            f"then {REPLAY_COMMAND} --repaired to archive them"
        )
        for key, reason in self.unrecoverable[:MAX_LISTED]:
            yield f"      {key}  {reason}"
        unlisted = len(self.unrecoverable) - MAX_LISTED
        if unlisted > 0:
            yield f"      … and {unlisted} more: use --json to list them"

    def _total_line(self, is_dry_run: bool) -> str:
        if not (self.record_counts or self.changed_count):
            return f"nothing to replay: {self.sources}"
        verb = "would replay" if is_dry_run else "replayed"
        total = count(self.record_counts.total(), "record")
        line = f"{verb} {self.replayed_counts.total()} of {total}"
        remaining = self.remaining_counts.total()
        if not remaining:
            return line
        fail = "fails" if remaining == 1 else "fail"
        fix = f"Fix the errors above and run {REPLAY_COMMAND} again"
        archive = f"{REPLAY_COMMAND} --archive-rejected archives what stays rejected"
        return f"{line}; {remaining} still {fail}. {fix}; {archive}"
