"""What a comparison of lake and table came to, for people and for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime

from operations.lake import Held
from operations.verify.diff import KINDS, UNSETTLED, Difference, first_difference

EQUAL, UNEQUAL, UNKNOWN = 0, 1, 2  # exit statuses


@dataclass(frozen=True, slots=True)
class Finding:
    """A key that was in doubt, as both sides stood at the second look; `kind` None is no fault."""

    key: str
    kind: str | None
    item: str | None
    held: Held | None
    read_at: datetime

    @property
    def image(self) -> str | None:
        """The item's text in the lake."""
        return self.held.image if self.held else None


@dataclass
class Verdict:
    """Counts of everything, and the keys of each kind of fault, as many as `limit` allows."""

    limit: int | None = None
    table: int = 0
    lake: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    differences: dict[str, Difference] = field(default_factory=dict)

    def agree(self, items: int) -> None:
        """Count items of which both sides say the same."""
        self.table += items
        self.lake += items

    def add(self, finding: Finding) -> None:
        """Count a finding, and list it while there is room."""
        self.table += finding.item is not None
        self.lake += finding.image is not None
        if finding.kind is None:
            return
        self.counts[finding.kind] += 1
        if self.limit is None or self.counts[finding.kind] <= self.limit:
            self.keys[finding.kind].append(finding.key)
            if finding.item and finding.image:
                self.differences[finding.key] = first_difference(finding.item, finding.image)

    @property
    def status(self) -> int:
        """0 when lake and table are equal, 1 when they differ, 2 when that could not be told."""
        if not self.counts:
            return EQUAL
        return UNKNOWN if set(self.counts) == {UNSETTLED} else UNEQUAL

    def document(self) -> dict[str, object]:
        """Return the verdict for programs."""
        return {
            "equal": self.status == EQUAL,
            "table": self.table,
            "lake": self.lake,
            **self.keys,
            "counts": {kind: self.counts[kind] for kind in KINDS},
            "differences": {key: asdict(each) for key, each in self.differences.items()},
        }

    def lines(self) -> Iterator[str]:
        """Return the verdict in words; the last line says it all."""
        for kind in KINDS:
            for key in self.keys[kind]:
                difference = self.differences.get(key)
                yield f"{kind:9}  {key}" + (f"  {difference}" if difference else "")
            if unlisted := self.counts[kind] - len(self.keys[kind]):
                yield f"{kind:9}  and {unlisted} more: list them with --limit"
        yield self._summary()

    def _summary(self) -> str:
        if self.status == EQUAL:
            return f"lake equals table: {self.table} items"
        faults = ", ".join(f"{self.counts[kind]} {kind}" for kind in KINDS if self.counts[kind])
        sizes = f"{self.table} items in the table, {self.lake} in the lake"
        if self.status == UNKNOWN:
            return f"could not tell: {faults}; {sizes}; try again when those keys are at rest"
        return f"lake differs from table: {faults}; {sizes}"
