"""Audit of one replay source, an error object or a dead letter: the outcome of its records."""

from __future__ import annotations

import json
from typing import IO

from operations.replay.summary import ReplaySummary
from operations.replay.tempfiles import SpooledFiles, read_chunks
from operations.replay.validation import Accepted, Rejected

AUDITED_COUNTS = ("found", "replayed", "repaired", "left", "codes")


class SourceReplay:
    """The outcomes of a source's records, its audit, and the documents that remain of it.

    `is_repaired` means that verify --repair has restored what cannot be replayed.
    """

    def __init__(self, location: str, is_repaired: bool, files: SpooledFiles) -> None:
        self.location = location
        self.summary = ReplaySummary()
        self.remaining = files.create()
        self._entries = files.create()
        self._audit = files.create()
        self._is_repaired = is_repaired

    def count_outcome(
        self, code: str, validation: Accepted | Rejected, record_count: int = 1
    ) -> bool:
        """Count records by their outcome, and return whether they may leave the source."""
        if isinstance(validation, Accepted):
            self.summary.count_replayed(code)
            self._add_entry({"replayed": validation.event_id, "key": validation.key})
        elif validation.is_unrecoverable and self._is_repaired:
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
