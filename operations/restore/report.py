"""Report of a restore: each deleted or damaged object, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC

from operations.lake_objects import DamagedObject
from terminal.text import count

MAX_LISTED = 100  # objects in the text output; JSON lists all
NEXT_STEPS = (
    "run python -m operations.verify --gaps for the history, "
    "and python -m operations.verify for the state"
)
NO_VERSION = (
    "has no good version: delete it (aws s3 rm), then run python -m operations.verify --repair"
)


@dataclass
class RestoreReport:
    """The deleted and damaged objects, each restored or, in a dry run, to be restored."""

    is_dry_run: bool
    objects: list[DamagedObject] = field(default_factory=list)

    @property
    def lost_count(self) -> int:
        """The number of objects without a good version."""
        return sum(damaged_object.good_version is None for damaged_object in self.objects)

    @property
    def status(self) -> int:
        """0 if every object has a good version, else 1."""
        return 1 if self.lost_count else 0

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return {
            "dry_run": self.is_dry_run,
            "found": len(self.objects),
            "restored": 0 if self.is_dry_run else len(self.objects) - self.lost_count,
            "lost": self.lost_count,
            "objects": [
                {
                    "key": damaged_object.key,
                    "problem": damaged_object.problem,
                    "version": damaged_object.good_version
                    and damaged_object.good_version.version_id,
                }
                for damaged_object in self.objects
            ],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as text; the last line is the summary."""
        for damaged_object in self.objects[:MAX_LISTED]:
            outcome = _outcome(damaged_object)
            yield f"{damaged_object.key}  {damaged_object.problem}; {outcome}"
        unlisted = len(self.objects) - MAX_LISTED
        if unlisted > 0:
            yield f"… and {unlisted} more: use --json to list them"
        yield self._summary()

    def _summary(self) -> str:
        if not self.objects:
            return "nothing to restore: no object of the lake is deleted or damaged"
        verb = "would restore" if self.is_dry_run else "restored"
        restored_count = len(self.objects) - self.lost_count
        line = f"{verb} {restored_count} of {count(len(self.objects), 'object')}"
        if self.lost_count:
            have = "has" if self.lost_count == 1 else "have"
            line = f"{line}; {self.lost_count} {have} no good version"
        if self.is_dry_run or not restored_count:
            return line
        return f"{line}; {NEXT_STEPS}"


def _outcome(damaged_object: DamagedObject) -> str:
    version = damaged_object.good_version
    if version is None:
        return NO_VERSION
    modified_at = version.modified_at.astimezone(UTC)
    return f"last good version of {modified_at:%Y-%m-%d %H:%M:%S} UTC"
