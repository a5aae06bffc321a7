"""Damage of the lake: deleted and damaged objects, to which a difference may be due.

They are named with the command that brings them back: a repair would restore the state only, not
the history.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
from botocore.exceptions import ClientError

from analytics.athena import QueryFailed
from operations.lake_objects import DamagedObject, LakeVersions
from setup.lib.aws_errors import error_message
from setup.lib.errors import UserError
from setup.names import bucket
from terminal.text import count

MAX_LISTED = 20  # objects in the text output; JSON lists all
# Athena's errors for an object whose content is not rows.
UNREADABLE = re.compile("HIVE_(BAD_DATA|CANNOT_OPEN_SPLIT|CURSOR_ERROR)")
RESTORE = "run python -m operations.restore --dry-run, then python -m operations.restore"


class LakeDamaged(UserError):
    """Athena cannot read an object of the lake; the message names it, and the fix."""


@dataclass(frozen=True, slots=True)
class Damage:
    """The deleted and damaged objects, or the error that says why they are not known."""

    objects: tuple[DamagedObject, ...] = ()
    error: str | None = None

    @classmethod
    def find(cls) -> Damage:
        """Return the damage of this pipeline's lake: it reads the suspicious objects only."""
        try:
            return cls(tuple(LakeVersions(boto3.client("s3"), bucket()).find_damaged()))
        except ClientError as error:
            return cls(error=error_message(error))

    def document(self) -> dict[str, object]:
        """Return the damage as JSON."""
        if self.error:
            return {"damaged_objects": None}
        entries = [{"key": entry.key, "problem": entry.problem} for entry in self.objects]
        return {"damaged_objects": entries}

    def lines(self) -> Iterator[str]:
        """Yield the damage as text, if there is any; the last line is the fix."""
        if self.error:
            yield f"not known whether objects of the lake are deleted or damaged: {self.error}"
        for entry in self.objects[:MAX_LISTED]:
            yield f"damaged    {entry.key}  {entry.problem}"
        if self.objects:
            number = count(len(self.objects), "object")
            yield (
                f"{number} of the lake deleted or damaged: {RESTORE}, which restores the history; "
                f"verify --repair restores the state only"
            )


def explain_failure(error: QueryFailed) -> QueryFailed | LakeDamaged:
    """Return the error of a query, or one that names the object that it could not read."""
    if not UNREADABLE.search(str(error)):
        return error
    damaged = [entry for entry in Damage.find().objects if not entry.is_deleted]
    if not damaged:
        return LakeDamaged(f"{error}: run python -m operations.restore --dry-run --read-all")
    first = damaged[0]
    number = count(len(damaged), "object")
    return LakeDamaged(
        f"Athena cannot read {number} of the lake, such as {first.key} ({first.problem}): {RESTORE}"
    )
