"""Audit of one replay source, an error object or a dead letter: the outcome of its records."""

from __future__ import annotations

import json
from enum import Enum
from typing import IO

from operations.replay.summary import ReplaySummary
from operations.replay.validation import Accepted, Rejected
from operations.tempfiles import SpooledFiles, read_chunks

AUDITED_COUNTS = ("found", "replayed", "repaired", "left", "codes")


class Archive(Enum):
    """Which rejected records a replay archives with their reason, instead of leaving them."""

    NOTHING = "nothing"
    UNRECOVERABLE = "unrecoverable"  # what can never be replayed, such as expired changes
    REJECTED = "rejected"  # also what another transform might accept

    def includes(self, rejected: Rejected) -> bool:
        """Return whether a record that was rejected is archived."""
        if self is Archive.UNRECOVERABLE:
            return rejected.is_unrecoverable
        return self is Archive.REJECTED


class SourceReplay:
    """The outcomes of a source's records, its audit, and the documents that remain of it.

    What is rejected stays, unless `archive` lets it leave with its reason.
    """

    def __init__(self, location: str, archive: Archive, files: SpooledFiles) -> None:
        self.location = location
        self.summary = ReplaySummary()
        self.remaining = files.create()
        self._entries = files.create()
        self._audit = files.create()
        self._archive = archive

    def count_outcome(
        self, code: str, validation: Accepted | Rejected, record_count: int = 1
    ) -> bool:
        """Count records by their outcome, and return whether they may leave the source."""
        if isinstance(validation, Accepted):
            self.summary.count_replayed(code)
            self._add_entry({"replayed": validation.event_id, "key": validation.key})
        elif self._archive.includes(validation):
            self.summary.count_repaired(code, record_count)
            self._add_entry(
                {"repaired": record_count, "key": validation.key, "reason": validation.reason}
            )
        else:
            self.summary.count_remaining(code, validation, self.location, record_count)
            return False
        return True

    @property
    def may_leave(self) -> bool:
        """Whether any record may leave the source."""
        return bool(self.summary.replayed_counts or self.summary.repaired_counts)

    def write_audit(self, replayed_at: str, **members: str) -> IO[bytes]:
        """Return the audit: a line of JSON with the counts, then one for each record that left."""
        counts = self.summary.document()
        header: dict[str, object] = {
            "at": replayed_at,
            "from": self.location,
            **{name: counts[name] for name in AUDITED_COUNTS},
            **members,
        }
        self._audit.write(_json_line(header))
        for chunk in read_chunks(self._entries):
            self._audit.write(chunk)
        return self._audit

    def _add_entry(self, entry: dict[str, object]) -> None:
        self._entries.write(_json_line(entry))


def _json_line(members: dict[str, object]) -> bytes:
    return json.dumps(members).encode() + b"\n"
