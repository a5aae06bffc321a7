"""What a replay found, sent again and left, for the shell, for people and for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from operations.replay.validation import Refused

LISTED = 20  # changes lost to replay that people are shown; programs get all
REPAIR = "python -m operations.verify --repair"
AGAIN = "python -m operations.replay"


@dataclass
class Tally:
    """Counts by error code; `left` by code and reason, with the first place of each."""

    found: Counter[str] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    lost: list[tuple[str, str]] = field(default_factory=list)
    moved: int = 0

    def replay(self, code: str) -> None:
        """Count a record that is sent again."""
        self.found[code] += 1
        self.replayed[code] += 1

    def settle(self, code: str, count: int = 1) -> None:
        """Count records that no replay can bring back and that verify --repair has mended."""
        self.found[code] += count
        self.repaired[code] += count

    def leave(self, code: str, refused: Refused, place: str, count: int = 1) -> None:
        """Count records that stay at a place, and list those that are lost to replay."""
        self.found[code] += count
        self.left[code, refused.reason] += count
        self.places.setdefault((code, refused.reason), place)
        if refused.lost:
            self.lost.append((refused.key or f"unknown, {count} in {place}", refused.reason))

    def add(self, other: "Tally") -> None:
        """Count what another tally has counted."""
        self.found += other.found
        self.replayed += other.replayed
        self.repaired += other.repaired
        self.left += other.left
        self.places = other.places | self.places
        self.lost += other.lost
        self.moved += other.moved

    @property
    def status(self) -> int:
        """0 when nothing stays, else 1."""
        return int(bool(self.left))

    def document(self) -> dict[str, object]:
        """Return the tally for programs."""
        return {
            "found": self.found.total(),
            "replayed": self.replayed.total(),
            "repaired": self.repaired.total(),
            "left": self.left.total(),
            "moved": self.moved,
            "codes": {code: self._code(code) for code in sorted(self.found)},
            "reasons": [
                {"code": code, "reason": reason, "count": count, "first": self.places[code, reason]}
                for (code, reason), count in sorted(self.left.items())
            ],
            "lost": [{"key": key, "reason": reason} for key, reason in self.lost],
        }

    def lines(self, dry: bool = False) -> Iterator[str]:
        """Return the tally in words; the last line says it all."""
        if self.found:
            yield from self._table()
        for (code, reason), count in sorted(self.left.items()):
            yield f"left  {count}  {code}  {reason}"
            yield f"      first in {self.places[code, reason]}"
        yield from self._lost()
        yield self._summary(dry)

    def _code(self, code: str) -> dict[str, int]:
        left = sum(count for (of, _), count in self.left.items() if of == code)
        counts = {"found": self.found[code], "replayed": self.replayed[code], "left": left}
        return {**counts, "repaired": self.repaired[code]} if self.repaired else counts

    def _table(self) -> Iterator[str]:
        rows = {code: self._code(code) for code in sorted(self.found)}
        width = max(map(len, rows))
        for code, counts in rows.items():
            told = ", ".join(f"{count} {name}" for name, count in counts.items())
            yield f"{code.ljust(width)}  {told}"

    def _lost(self) -> Iterator[str]:
        if not self.lost:
            return
        yield f"no replay brings these back: run {REPAIR}, then {AGAIN} --repaired"
        for key, reason in self.lost[:LISTED]:
            yield f"      {key}  {reason}"
        if (unlisted := len(self.lost) - LISTED) > 0:
            yield f"      and {unlisted} more: list them with --json"

    def _summary(self, dry: bool) -> str:
        if not self.found:
            return "nothing to replay: no error objects, no dead letters"
        done = "would be replayed" if dry else "replayed"
        told = f"{self.replayed.total()} of {self.found.total()} records {done}"
        if left := self.left.total():
            return f"{told}; {left} stay: mend what is named above, then run {AGAIN} again"
        return told
