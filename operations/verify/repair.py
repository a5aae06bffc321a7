"""What mends a key of which the lake is wrong: one record that tells what the table holds now.

It ranks above the row that the lake went by, and below every change that is still to come.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.athena import literal
from operations.kinesis_writer import Outgoing, Sender
from operations.table import Table
from operations.verify.diff import UNSETTLED
from operations.verify.result import Finding
from setup.names import CHANGES
from transform import BadRecord, parse_change
from transform.snapshot import backfill_record, repair_record
from transform.state import rank


class Told(NamedTuple):
    """How an outcome is told to people."""

    word: str
    meaning: str


TOO_LARGE = (
    "its record is larger than the 1 MiB that Kinesis takes: make the item smaller, "
    "then run verify --repair again"
)
ITEM, TOMBSTONE, LEFT = "items", "tombstones", "left"
OUTCOMES = {
    ITEM: Told("sent", "as the table holds it"),
    TOMBSTONE: Told("sent", "as removed: the table has no such item"),
    LEFT: Told("left", ""),
}


class Unmendable(Exception):
    """No record can mend a key; the text says why, and what to do."""


def mending_record(finding: Finding, table: Table) -> bytes:
    """Return the record that mends a fault; raises Unmendable where none would."""
    key = table.typed(finding.key)
    if key is None:
        raise Unmendable(_not_ours(finding, f"it is no key of table {table.name}"))
    item = finding.item and json.loads(finding.item)
    if finding.held is None or not finding.held.source:
        return backfill_record(key, item, table.checked_stream(), finding.read_at)
    if not _is_of(table, finding.held.source):
        raise Unmendable(_not_ours(finding, f"its row is of {finding.held.source}"))
    try:
        record = repair_record(key, item, finding.held.row, finding.read_at)
        mends = rank(parse_change(record)) > rank(finding.held.row)
    except (BadRecord, TypeError, ValueError, OverflowError):
        mends = False
    if not mends:
        raise Unmendable(_not_ours(finding, "its row has a rank that no change can have"))
    return record


def _is_of(table: Table, source: str) -> bool:
    """Return whether a source is a stream that the table has or had."""
    latest = table.stream or source
    return source.startswith(f"{table.arn}/stream/") and source <= latest


def _not_ours(finding: Finding, why: str) -> str:
    is_key = "IS NULL" if finding.key == "null" else f"= {literal(finding.key)}"
    return (
        f"{why}, so no change can mend it: take its row out of the lake (on AWS, its object is: "
        f'SELECT "$path" FROM {CHANGES} WHERE cdc_key {is_key})'
    )


@dataclass
class Repair:
    """Mends what it is given: counts of it, and the keys, as many as `limit` allows."""

    table: Table
    sender: Sender
    limit: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=lambda: {each: [] for each in OUTCOMES})
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """How many records are on their way to the lake."""
        return self.counts[ITEM] + self.counts[TOMBSTONE]

    def mend(self, findings: Sequence[Finding]) -> None:
        """Send what mends each fault among the findings; a key that still changes is none."""
        faults = [finding for finding in findings if finding.kind not in (None, UNSETTLED)]
        reasons: dict[str, str] = {}
        too_large = self.sender.send(self._records(faults, reasons))
        reasons |= dict.fromkeys(too_large, TOO_LARGE)
        for fault in faults:
            self._note(fault, reasons.get(fault.key))

    def _records(self, faults: Iterable[Finding], reasons: dict[str, str]) -> Iterator[Outgoing]:
        """Return the records that mend, and note why there is none."""
        for fault in faults:
            try:
                yield Outgoing(fault.key, mending_record(fault, self.table))
            except Unmendable as reason:
                reasons[fault.key] = str(reason)

    def _note(self, fault: Finding, reason: str | None) -> None:
        outcome = LEFT if reason else TOMBSTONE if fault.item is None else ITEM
        self.counts[outcome] += 1
        if self.limit is None or self.counts[outcome] <= self.limit:
            self.keys[outcome].append(fault.key)
            if reason:
                self.reasons[fault.key] = reason

    def document(self) -> dict[str, object]:
        """Return what was done for programs."""
        return {
            "items": self.keys[ITEM],
            "tombstones": self.keys[TOMBSTONE],
            "left": self.reasons,
            "counts": {outcome: self.counts[outcome] for outcome in OUTCOMES},
        }

    def lines(self) -> Iterator[str]:
        """Return what was done in words, if anything; the last line says it all."""
        if not self.counts:
            return
        for outcome, told in OUTCOMES.items():
            for key in self.keys[outcome]:
                yield f"{told.word:9}  {key}  {self.reasons.get(key, told.meaning)}"
            if unlisted := self.counts[outcome] - len(self.keys[outcome]):
                yield f"{told.word:9}  and {unlisted} more: list them with --limit"
        counts = (f"{self.counts[outcome]} {outcome}" for outcome in OUTCOMES)
        yield f"repair: {', '.join(counts)}"
