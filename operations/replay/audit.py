"""One error object or dead letter under replay: what becomes of its records, and its audit."""

import json
from typing import IO

from operations.replay.summary import Tally
from operations.replay.tempfiles import Spools, chunks
from operations.replay.validation import Accepted, Refused


class Case:
    """The records of one place; `is_repaired` tells that verify has mended what is lost."""

    def __init__(self, place: str, is_repaired: bool, spools: Spools) -> None:
        self.place = place
        self.tally = Tally()
        self.rest = spools.new()
        self._taken, self._audit = spools.new(), spools.new()
        self._is_repaired = is_repaired

    def takes(self, code: str, verdict: Accepted | Refused, count: int = 1) -> bool:
        """Count what becomes of records, and return whether they may leave their place."""
        if isinstance(verdict, Accepted):
            self.tally.replay(code)
            self._note({"replayed": verdict.event_id, "key": verdict.key})
        elif verdict.lost and self._is_repaired:
            self.tally.settle(code, count)
            self._note({"repaired": count, "key": verdict.key, "reason": verdict.reason})
        else:
            self.tally.leave(code, verdict, self.place, count)
            return False
        return True

    def audit(self, when: str, **more: str) -> IO[bytes]:
        """Return the audit: a line of JSON with the counts, then one for all that was taken."""
        counts = self.tally.document()
        told = {name: counts[name] for name in ("found", "replayed", "repaired", "left", "codes")}
        self._audit.write(_line({"at": when, "from": self.place, **told, **more}))
        for chunk in chunks(self._taken):
            self._audit.write(chunk)
        return self._audit

    @property
    def is_moving(self) -> bool:
        """Whether anything may leave its place."""
        return bool(self.tally.replayed or self.tally.repaired)

    def _note(self, told: dict[str, object]) -> None:
        self._taken.write(_line(told))


def _line(told: dict[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"
