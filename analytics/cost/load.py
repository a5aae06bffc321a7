"""Load: how much a table changes and is asked about, and the sizes that follow from it.

The factors were measured over the 1,972 changes of the generator's 400 orders, whose items are 581
bytes as DynamoDB counts them: a change has 1.79 images, which grow to 1.76 times their bytes as
JSON, and 480 bytes around them; its row has 1.59 times its bytes, and gzip leaves 9 % of that.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS = 365 / 12  # of a month
ENVELOPE_BYTES = 480
JSON_FACTOR = 1.79 * 1.76
ROW_FACTOR = 1.59
GZIP_FACTOR = 0.09


@dataclass(frozen=True, slots=True)
class Load:
    """A table's load; changes are spread evenly over the active hours of a day.

    `record_bytes` is the size of a change as JSON, if it is known better than from the item's.
    """

    changes_per_day: float
    item_bytes: float
    items: int = 0
    questions_per_day: float = 0
    active_hours: float = 24
    record_bytes: float | None = None

    @property
    def changes(self) -> float:
        """Changes in a month."""
        return self.changes_per_day * DAYS

    @property
    def changes_per_second(self) -> float:
        """Changes in a second of an active hour."""
        return self.changes_per_day / (self.active_hours * 3600)

    @property
    def change_bytes(self) -> float:
        """The size of a change as JSON with its images."""
        return self.record_bytes or ENVELOPE_BYTES + JSON_FACTOR * self.item_bytes

    @property
    def lake_bytes(self) -> float:
        """Bytes that a month adds to the lake."""
        return self.changes * self.change_bytes * ROW_FACTOR * GZIP_FACTOR
