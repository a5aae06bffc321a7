"""Repair of a wrong key: one record with the table's current item.

It ranks above the row that decides the lake's state, and below every change that is still to come.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.athena import literal
from operations.kinesis_writer import ITEM_TOO_LARGE, OutgoingRecord, Sender
from operations.table import Table
from operations.verify.diff import UNSETTLED
from operations.verify.result import Finding
from setup.names import CHANGES
from terminal.text import count
from transform import BadRecord, parse_change
from transform.snapshot import repair_record
from transform.state import rank, stream_rank


class OutcomeLabel(NamedTuple):
    """The label of an outcome in the text output, and its explanation."""

    label: str
    explanation: str


ITEM = "items"
TOMBSTONE = "tombstones"
NOT_REPAIRED = "left"
OUTCOMES = {
    ITEM: OutcomeLabel("sent", "the table's current item"),
    TOMBSTONE: OutcomeLabel("sent", "a tombstone: the table does not have the item"),
    NOT_REPAIRED: OutcomeLabel("left", ""),
}
REPLAY_FIRST = (
    "a change of it is in the error store or among the dead letters, and would outrank the repair "
    "once it is replayed: run python -m operations.replay, then verify --repair again"
)


class CannotRepair(Exception):
    """No record can repair a key; the message says why, and what to do."""


def repair_record_for(finding: Finding, table: Table) -> bytes:
    """Return the record that repairs a key; raise CannotRepair if no record can.

    Rows of an older stream are repaired too: of this table, or of one that it replaced, even if
    that had keys of another type.
    """
    stream = table.require_stream()
    lake_row = finding.lake_row
    latest = lake_row.state_row if lake_row and lake_row.source else None
    if latest and stream_rank(latest.source) > stream_rank(stream):
        reason = f"its row comes from {latest.source}, which is newer than {stream}"
        raise CannotRepair(_foreign_row_message(finding, reason))
    try:
        keys = json.loads(finding.key)
        item = json.loads(finding.item) if finding.item else None
        record = repair_record(keys, item, latest, stream, finding.read_at)
        change = parse_change(record)
        is_valid = change.key == finding.key and (latest is None or rank(change) > rank(latest))
    except (BadRecord, TypeError, ValueError, OverflowError, RecursionError):
        is_valid = False
    if not is_valid:
        raise CannotRepair(_foreign_row_message(finding, "its row has an invalid key or rank"))
    return record


def _foreign_row_message(finding: Finding, reason: str) -> str:
    condition = "IS NULL" if finding.key == "null" else f"= {literal(finding.key)}"
    return (
        f"{reason}, so no change can repair it: delete its row from the lake (on AWS, find its "
        f'object with: SELECT "$path" FROM {CHANGES} WHERE cdc_key {condition})'
    )


@dataclass
class Repairer:
    """Sends a repair for each wrong key; counts all outcomes, and lists at most `limit` of each."""

    table: Table
    sender: Sender
    failed_keys: Container[str]
    limit: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(
        default_factory=lambda: {outcome: [] for outcome in OUTCOMES}
    )
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def sent_count(self) -> int:
        """Number of records sent."""
        return self.counts[ITEM] + self.counts[TOMBSTONE]

    def repair(self, findings: Sequence[Finding]) -> None:
        """Send a repair for each finding but those that agree or are unsettled."""
        wrong = [finding for finding in findings if finding.kind not in (None, UNSETTLED)]
        reasons: dict[str, str] = {}
        oversized = self.sender.send(self._records(wrong, reasons))
        reasons |= dict.fromkeys(oversized, ITEM_TOO_LARGE)
        for finding in wrong:
            self._count_outcome(finding, reasons.get(finding.key))

    def _records(
        self, findings: Iterable[Finding], reasons: dict[str, str]
    ) -> Iterator[OutgoingRecord]:
        """Yield the repair records; if a key cannot be repaired, add its reason."""
        for finding in findings:
            if finding.key in self.failed_keys:
                reasons[finding.key] = REPLAY_FIRST
                continue
            try:
                yield OutgoingRecord(finding.key, repair_record_for(finding, self.table))
            except CannotRepair as error:
                reasons[finding.key] = str(error)

    def _count_outcome(self, finding: Finding, reason: str | None) -> None:
        if reason:
            outcome = NOT_REPAIRED
        elif finding.item is None:
            outcome = TOMBSTONE
        else:
            outcome = ITEM
        self.counts[outcome] += 1
        if self.limit is None or self.counts[outcome] <= self.limit:
            self.keys[outcome].append(finding.key)
            if reason:
                self.reasons[finding.key] = reason

    def document(self) -> dict[str, object]:
        """Return the outcomes as JSON."""
        return {
            "items": self.keys[ITEM],
            "tombstones": self.keys[TOMBSTONE],
            "left": self.reasons,
            "counts": {outcome: self.counts[outcome] for outcome in OUTCOMES},
        }

    def lines(self) -> Iterator[str]:
        """Yield the outcomes as text, if there are any; the last line is the summary."""
        if not self.counts:
            return
        for outcome, (label, explanation) in OUTCOMES.items():
            for key in self.keys[outcome]:
                yield f"{label:9}  {key}  {self.reasons.get(key, explanation)}"
            unlisted = self.counts[outcome] - len(self.keys[outcome])
            if unlisted:
                yield f"{label:9}  … and {unlisted} more: use --limit to list them"
        items = count(self.counts[ITEM], "item")
        tombstones = count(self.counts[TOMBSTONE], "tombstone")
        yield f"repair: {items}, {tombstones}, {self.counts[NOT_REPAIRED]} left"
