"""Gaps in the lake's history: changes whose old image the change before them did not leave.

The rule is that of transform.state.find_gaps, in SQL. Lost changes at the end of a key's history
leave no gap: only a comparison with the table finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from analytics.athena import run_query
from setup.lib.text import count
from setup.names import CHANGES

GAPS_SQL = f"""
WITH change AS (
  SELECT DISTINCT cdc_key, cdc_source, cdc_sequence, cdc_event_id, cdc_operation,
    cdc_old_image, cdc_new_image
  FROM {CHANGES}
  WHERE cdc_operation <> 'SNAPSHOT'
),
change_with_previous AS (
  SELECT *,
    lag(cdc_source) OVER history AS source_before,
    lag(cdc_sequence) OVER history AS sequence_before,
    lag(cdc_new_image) OVER history AS image_before
  FROM change
  WINDOW history AS (PARTITION BY cdc_key ORDER BY cdc_source, cdc_sequence, cdc_event_id)
),
-- Snapshots with an image that a change of their stream left, or that its first change replaced.
confirmed_snapshot AS (
  SELECT cdc_key, cdc_source, cdc_new_image
  FROM {CHANGES}
  WHERE cdc_operation = 'SNAPSHOT' AND cdc_new_image IS NOT NULL
  INTERSECT (
    SELECT cdc_key, cdc_source, cdc_new_image FROM change
    UNION
    SELECT cdc_key, cdc_source, cdc_old_image FROM change_with_previous
    WHERE source_before IS DISTINCT FROM cdc_source
  )
),
key_with_snapshot AS (SELECT DISTINCT cdc_key, cdc_source FROM confirmed_snapshot)
SELECT this.cdc_key, source_before, sequence_before, this.cdc_source, cdc_sequence
FROM change_with_previous AS this
LEFT JOIN key_with_snapshot AS snapshot
  ON snapshot.cdc_key = this.cdc_key AND snapshot.cdc_source = this.cdc_source
WHERE cdc_old_image IS DISTINCT FROM image_before
  AND (cdc_old_image IS NOT NULL OR cdc_operation = 'INSERT')
  AND (source_before = this.cdc_source OR snapshot.cdc_key IS NULL)
ORDER BY 1, 4, 5"""

REMEDY = (
    "changes missing from the lake. Recover them with python -m operations.replay; otherwise "
    "python -m operations.verify --repair restores the current state but not the history"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A change whose old image is not what the change before it left."""

    key: str | None
    source_before: str | None
    sequence_before: str | None
    source: str | None
    sequence: str | None

    def __str__(self) -> str:
        if self.sequence_before is None:
            return f"gap  {self.key}  changes lost before {self.sequence}"
        stream = "" if self.source_before == self.source else " of an older stream"
        between = f"{self.sequence_before}{stream} and {self.sequence}"
        return f"gap  {self.key}  changes lost between {between}"


def find_gaps() -> Iterator[Gap]:
    """Return every gap in the lake, ordered by key."""
    return (Gap(*row) for row in run_query(GAPS_SQL).rows)


class GapReport:
    """The number of gaps, and at most `limit` of them."""

    def __init__(self, gaps: Iterable[Gap], limit: int | None) -> None:
        self.count = 0
        self.listed: list[Gap] = []
        for gap in gaps:
            self.count += 1
            if limit is None or self.count <= limit:
                self.listed.append(gap)

    @property
    def status(self) -> int:
        """0 without gaps, else 1."""
        return min(self.count, 1)

    def document(self) -> dict[str, object]:
        """Return the gaps as JSON."""
        return {"count": self.count, "gaps": [asdict(gap) for gap in self.listed]}

    def lines(self) -> Iterator[str]:
        """Yield the gaps as text; the last line is the summary."""
        yield from map(str, self.listed)
        unlisted = self.count - len(self.listed)
        if unlisted:
            yield f"gap  … and {unlisted} more: use --limit to list them"
        if self.count:
            yield f"{count(self.count, 'gap')}: {REMEDY}"
        else:
            yield "no gaps: every change replaced what the change before it left"
