"""Backfill progress file, written atomically so a kill never corrupts it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from analytics.atomic_write import write_atomically
from operations.backfill.scope import Scope
from operations.table import SEGMENTS, Item, Key, Page, Table
from setup.lib.errors import UserError
from transform import canonical

START = "start"
END = "end"


class InvalidCheckpoint(UserError):
    """The file belongs to another backfill, or is not a checkpoint; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What Kinesis has acknowledged: each segment up to a key, or START, or END.

    `sent` counts the items; `oversized` are the keys of the items that Kinesis does not accept.
    """

    scope: Scope
    segments: tuple[str, ...] = (START,) * SEGMENTS
    sent: int = 0
    oversized: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, scope: Scope) -> Checkpoint:
        """Return the checkpoint of a backfill of this scope; a new one if there is no file."""
        if not path.exists():
            return cls(scope)
        checkpoint = _parse(path)
        differences = checkpoint.scope.differences(scope)
        if differences:
            raise InvalidCheckpoint(
                f"{path} belongs to another backfill ({'; '.join(differences)}): remove the file "
                f"to send every item again, or name another with --checkpoint"
            )
        return checkpoint

    def start_keys(self, table: Table) -> dict[int, Key | None]:
        """Return the key after which each unfinished segment resumes."""
        return {
            number: table.parse_key(position)
            for number, position in enumerate(self.segments)
            if position != END
        }

    def advance(self, page: Page[Item], oversized: Sequence[str]) -> Checkpoint:
        """Return the checkpoint once a page is acknowledged, except for its oversized items."""
        segments = list(self.segments)
        segments[page.segment] = canonical(page.last_key) if page.last_key else END
        return replace(
            self,
            segments=tuple(segments),
            sent=self.sent + len(page.items) - len(oversized),
            oversized=(*self.oversized, *oversized),
        )

    def write(self, path: Path) -> None:
        """Replace the file atomically."""
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(asdict(self), indent=2) + "\n")


def _parse(path: Path) -> Checkpoint:
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
        checkpoint = Checkpoint(**members | {"scope": Scope(**members["scope"])})
        texts = (*checkpoint.segments, *checkpoint.oversized)
        # A checkpoint without segments would look like a finished backfill.
        if (
            not checkpoint.segments
            or type(checkpoint.sent) is not int
            or not all(isinstance(text, str) for text in texts)
        ):
            raise ValueError  # noqa: TRY301 - handled like malformed JSON.
        return replace(
            checkpoint,
            segments=tuple(checkpoint.segments),
            oversized=tuple(checkpoint.oversized),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidCheckpoint(
            f"{path} is not a backfill checkpoint of this version: remove it to send every item, "
            f"or name another with --checkpoint"
        ) from None
