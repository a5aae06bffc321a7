"""Result of a comparison of lake and table: exit status, text and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime

from operations.lake import LakeRow
from operations.row_source import JSON, RowSource
from operations.verify.diff import KINDS, UNSETTLED, Difference
from operations.verify.part import Part
from terminal.text import count

# Exit statuses.
EQUAL = 0
UNEQUAL = 1
INCONCLUSIVE = 2
STATES = ("equal", "differs", "unsettled")  # by status


@dataclass(frozen=True, slots=True)
class Finding:
    """A key that differed, with its item and its lake row; `kind` is None if they agree."""

    key: str
    kind: str | None
    item: str | None
    lake_row: LakeRow | None
    read_at: datetime

    @property
    def is_in_lake(self) -> bool:
        """Whether the item exists in the lake."""
        return self.lake_row is not None and self.lake_row.image_digest is not None


@dataclass
class VerifyResult:
    """Counts of all items and findings, and at most `limit` keys of each kind.

    Of a part, the items are those of its first pass.
    """

    limit: int | None = None
    part: Part | None = None
    source: RowSource = JSON  # Of the first pass.
    table_items: int = 0
    lake_items: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    differences: dict[str, Difference] = field(default_factory=dict)

    def count_matched(self, item_count: int) -> None:
        """Count items that are equal in lake and table."""
        self.table_items += item_count
        self.lake_items += item_count

    def add(self, finding: Finding) -> None:
        """Count a finding, and list its key up to the limit."""
        if self.part is None:
            self.table_items += finding.item is not None
            self.lake_items += finding.is_in_lake
        if finding.kind is None:
            return
        self.counts[finding.kind] += 1
        if self.limit is None or self.counts[finding.kind] <= self.limit:
            self.keys[finding.kind].append(finding.key)

    @property
    def status(self) -> int:
        """EQUAL, UNEQUAL, or INCONCLUSIVE if the only differences are unsettled keys."""
        if not self.counts:
            return EQUAL
        return INCONCLUSIVE if set(self.counts) == {UNSETTLED} else UNEQUAL

    @property
    def state(self) -> str:
        """The status as a word."""
        return STATES[self.status]

    def document(self) -> dict[str, object]:
        """Return the result as JSON."""
        differences = {key: asdict(difference) for key, difference in self.differences.items()}
        return {
            "equal": self.status == EQUAL,
            "table": self.table_items,
            "lake": self.lake_items,
            **self.keys,
            "counts": {kind: self.counts[kind] for kind in KINDS},
            "differences": differences,
            **self.source.document(),
        }

    def lines(self) -> Iterator[str]:
        """Yield the result as text; the last line is the summary."""
        yield from self.source.lines()
        for kind in KINDS:
            for key in self.keys[kind]:
                difference = self.differences.get(key)
                yield f"{kind:9}  {key}" + (f"  {difference}" if difference else "")
            unlisted = self.counts[kind] - len(self.keys[kind])
            if unlisted:
                yield f"{kind:9}  … and {unlisted} more: use --limit to list them"
        yield self._summary()

    def _summary(self) -> str:
        where = f" in part {self.part}" if self.part else ""
        if self.status == EQUAL:
            lake_items = f" of the table, {self.lake_items} of the lake" if self.part else ""
            return f"lake equals table{where}: {count(self.table_items, 'item')}{lake_items}"
        sizes = f"{count(self.table_items, 'item')} in the table, {self.lake_items} in the lake"
        if self.status == INCONCLUSIVE:
            unsettled = count(self.counts[UNSETTLED], "key")
            return f"inconclusive: {unsettled} kept changing; {sizes}; try again later"
        counts = ", ".join(f"{self.counts[kind]} {kind}" for kind in KINDS if self.counts[kind])
        return f"lake differs from table{where}: {counts}; {sizes}"
