"""How far a backfill is: a small file, true whenever its writer was killed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from analytics.atomic_write import write_atomically
from operations.table import SEGMENTS, Key, Page, Table
from setup.names import PIPELINE
from transform import canonical

START, END = "start", "end"


class BadCheckpoint(Exception):
    """The file tells of another backfill, or of none; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is acknowledged: of each segment all up to a key, or nothing, or everything.

    `sent` counts the items, `left` are the keys of those that are too large.
    """

    table: str
    stream: str
    pipeline: str
    segments: tuple[str, ...] = (START,) * SEGMENTS
    sent: int = 0
    left: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path, table: Table) -> "Checkpoint":
        """Return what a file says of a backfill of this table; without one, it has not begun."""
        new = cls(table.arn, table.checked_stream(), PIPELINE)
        if not file.exists():
            return new
        found = _parsed(file)
        if found.of != new.of:
            raise BadCheckpoint(
                f"{file} tells of a backfill {found.of}, but this one is {new.of}: remove the "
                f"file to begin anew, or name another with --checkpoint"
            )
        return found

    @property
    def of(self) -> str:
        """What is sent, and where to: two pipelines may have one table."""
        return f"of {self.table} into {self.pipeline} in the order of {self.stream}"

    def starts(self, table: Table) -> dict[int, Key | None]:
        """Return from after which key each segment goes on that is not at its end."""
        return {
            number: table.typed(place) for number, place in enumerate(self.segments) if place != END
        }

    def after(self, page: Page, left: Sequence[str]) -> "Checkpoint":
        """Return the checkpoint once a page is acknowledged, but for what was left of it."""
        place = canonical(page.last) if page.last else END
        before, behind = self.segments[: page.segment], self.segments[page.segment + 1 :]
        return replace(
            self,
            segments=(*before, place, *behind),
            sent=self.sent + len(page.items) - len(left),
            left=(*self.left, *left),
        )

    def write(self, file: Path) -> None:
        """Replace the file in one step."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(asdict(self), indent=2) + "\n")


def _parsed(file: Path) -> Checkpoint:
    try:
        found = Checkpoint(**json.loads(file.read_text(encoding="utf-8")))
        places = (*found.segments, *found.left)
        # Without a segment it would have nothing to do, and say that all is done.
        if not found.segments or type(found.sent) is not int or set(map(type, places)) != {str}:
            raise ValueError
        return replace(found, segments=tuple(found.segments), left=tuple(found.left))
    except (ValueError, TypeError, RecursionError):
        raise BadCheckpoint(
            f"{file} is no checkpoint of a backfill: remove it, or name another with --checkpoint"
        ) from None
