"""Gaps in the lake's history: changes whose old image the change before them did not leave.

The rule is that of transform.gaps.find_gaps, in SQL. Changes lost at the end of a key's history
leave no gap until a repair bridges them: only a comparison with the table finds them before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from analytics.athena import literal
from operations.lake import complete_rows
from operations.row_source import JSON, RowSource
from terminal.text import count
from transform.gaps import GapKind
from transform.row import ERASED
from transform.state import BACKFILL_SEQUENCE

ROW_COLUMNS = (
    *("cdc_key", "cdc_source", "cdc_sequence", "cdc_snapshot_at", "cdc_event_id"),
    *("cdc_operation", "cdc_changed_at", "cdc_expired", "cdc_old_image", "cdc_new_image"),
)
COLUMNS = "kind, cdc_key, source_before, sequence_before, cdc_source, cdc_sequence"
GAPS_SQL = f"""
WITH lake_row AS (
  SELECT *
  FROM (
    SELECT *, regexp_extract(cdc_source, '[^/]*$') AS created_at,
      row_number() OVER (
        PARTITION BY cdc_key, cdc_source, cdc_sequence, cdc_event_id
        ORDER BY cdc_content DESC
      ) AS cdc_copy
    FROM (
    {{rows}}
    )
    WHERE {{condition}}
  )
  WHERE cdc_copy = 1
),
change AS (SELECT * FROM lake_row WHERE cdc_operation <> 'SNAPSHOT'),
change_with_previous AS (
  SELECT *,
    lag(cdc_source) OVER history AS source_before,
    lag(cdc_sequence) OVER history AS sequence_before,
    lag(cdc_new_image) OVER history AS image_before,
    lead(cdc_source) OVER history IS NULL AS is_last
  FROM change
  WINDOW history AS (
    PARTITION BY cdc_key
    ORDER BY created_at, cdc_source, cdc_sequence, cdc_event_id
  )
),
snapshot AS (
  SELECT cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_new_image, created_at,
    row_number() OVER (
      PARTITION BY cdc_key
      ORDER BY created_at DESC, cdc_source DESC, cdc_sequence DESC, cdc_snapshot_at DESC,
        cdc_event_id DESC
    ) AS cdc_recency
  FROM lake_row
  WHERE cdc_operation = 'SNAPSHOT'
),
-- Snapshots with an image that a change of their stream left, or that its first change replaced.
confirmed_snapshot AS (
  SELECT cdc_key, cdc_source, cdc_new_image
  FROM snapshot
  WHERE cdc_new_image IS NOT NULL
  INTERSECT (
    SELECT cdc_key, cdc_source, cdc_new_image FROM change
    UNION
    SELECT cdc_key, cdc_source, cdc_old_image FROM change_with_previous
    WHERE source_before IS DISTINCT FROM cdc_source
  )
),
key_with_snapshot AS (SELECT DISTINCT cdc_key, cdc_source FROM confirmed_snapshot),
-- A repair has the position of the change after which it found changes missing.
repair AS (SELECT DISTINCT cdc_key, cdc_source, cdc_sequence, cdc_new_image FROM snapshot),
backfill AS (
  SELECT cdc_source, max(cdc_snapshot_at) AS ended_at
  FROM snapshot
  WHERE cdc_sequence = {literal(BACKFILL_SEQUENCE)}
  GROUP BY cdc_source
),
gap ({COLUMNS}) AS (
  SELECT
    CASE
      WHEN repair.cdc_key IS NOT NULL THEN {literal(GapKind.BRIDGED)}
      WHEN source_before <> this.cdc_source AND key_with_snapshot.cdc_key IS NOT NULL
      THEN {literal(GapKind.BRIDGED)}
      WHEN source_before IS NULL AND cdc_changed_at <= ended_at THEN {literal(GapKind.OLDER)}
      ELSE {literal(GapKind.OPEN)}
    END,
    this.cdc_key, source_before, sequence_before, this.cdc_source, this.cdc_sequence
  FROM change_with_previous AS this
  LEFT JOIN key_with_snapshot
    ON key_with_snapshot.cdc_key = this.cdc_key
    AND key_with_snapshot.cdc_source = this.cdc_source
  LEFT JOIN repair
    ON repair.cdc_key = this.cdc_key
    AND repair.cdc_source = source_before
    AND repair.cdc_sequence = sequence_before
    AND repair.cdc_new_image IS NOT DISTINCT FROM cdc_old_image
  LEFT JOIN backfill ON backfill.cdc_source = this.cdc_source
  WHERE cdc_old_image IS DISTINCT FROM image_before
    AND (cdc_old_image IS NOT NULL OR cdc_operation = 'INSERT')
    AND (source_before IS NOT NULL OR key_with_snapshot.cdc_key IS NULL)
  UNION ALL
  SELECT {literal(GapKind.BRIDGED)}, this.cdc_key, this.cdc_source, this.cdc_sequence,
    snapshot.cdc_source, snapshot.cdc_sequence
  FROM change_with_previous AS this
  INNER JOIN snapshot ON snapshot.cdc_key = this.cdc_key
  WHERE is_last
    AND cdc_recency = 1
    AND CASE
      WHEN snapshot.cdc_source = this.cdc_source THEN snapshot.cdc_sequence >= this.cdc_sequence
      WHEN snapshot.created_at = this.created_at THEN snapshot.cdc_source > this.cdc_source
      ELSE snapshot.created_at > this.created_at
    END
    AND snapshot.cdc_new_image IS DISTINCT FROM this.cdc_new_image
  UNION ALL
  SELECT {literal(GapKind.ERASED)}, cdc_key, CAST(NULL AS varchar), CAST(NULL AS varchar),
    max(cdc_source), max(cdc_sequence)
  FROM lake_row
  WHERE cdc_expired = {literal(ERASED)}
  GROUP BY cdc_key
)
-- With the number of all gaps, so that a result of which a part is missing is noticed.
SELECT {COLUMNS}, count(*)
FROM gap
GROUP BY GROUPING SETS (({COLUMNS}), ())
ORDER BY 2, 5, 6"""

EXPLANATIONS = {
    GapKind.OPEN: (
        "changes missing from the lake. Recover them with python -m operations.replay; otherwise "
        "python -m operations.verify --repair restores the current state but not the history"
    ),
    GapKind.BRIDGED: "a repair restored the state; the changes before it are not in the lake",
    GapKind.OLDER: "the item may be older than the stream: it changed before the backfill read it",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """A change whose old image is not what the change before it left, or the repair of one."""

    kind: GapKind
    key: str | None
    source_before: str | None
    sequence_before: str | None
    source: str | None
    sequence: str | None

    def __str__(self) -> str:
        if self.kind == GapKind.ERASED:
            return f"{self.kind:7}  {self.key}  its changes have no images"
        if self.kind == GapKind.OLDER:
            return f"{self.kind:7}  {self.key}  no row before {self.sequence}"
        return f"{self.kind:7}  {self.key}  changes lost {self._where()}"

    def _where(self) -> str:
        if self.sequence_before is None:
            return f"before {self.sequence}"
        stream = "" if self.source_before == self.source else " of an older stream"
        if self.sequence_before == self.sequence and not stream:
            return f"after {self.sequence}"
        return f"between {self.sequence_before}{stream} and {self.sequence}"


def gaps_sql(condition: str = "true", source: RowSource = JSON) -> str:
    """Return the query for the gaps in the rows that meet a condition of SQL."""
    return GAPS_SQL.format(rows=source.rows_sql(ROW_COLUMNS), condition=condition)


def find_gaps(condition: str = "true", source: RowSource = JSON) -> Iterator[Gap]:
    """Return every gap in the rows that meet a condition of SQL, ordered by key."""
    for kind, *row in complete_rows(gaps_sql(condition, source)):
        yield Gap(GapKind(str(kind)), *row)
    source.require_copy()


class GapReport:
    """The number of gaps of each kind, and at most `limit` of all; `source` had the rows."""

    def __init__(self, gaps: Iterable[Gap], limit: int | None, source: RowSource = JSON) -> None:
        self._source = source
        self.counts: Counter[GapKind] = Counter()
        self.listed: list[Gap] = []
        for gap in gaps:
            self.counts[gap.kind] += 1
            if limit is None or len(self.listed) < limit:
                self.listed.append(gap)

    @property
    def status(self) -> int:
        """1 if there is an open gap, else 0."""
        return min(self.counts[GapKind.OPEN], 1)

    def document(self) -> dict[str, object]:
        """Return the gaps as JSON."""
        return {
            "count": self.counts[GapKind.OPEN],
            "counts": {kind: self.counts[kind] for kind in GapKind},
            "gaps": [asdict(gap) for gap in self.listed],
            **self._source.document(),
        }

    def lines(self) -> Iterator[str]:
        """Yield the gaps as text; the last lines are the summary."""
        yield from self._source.lines()
        yield from map(str, self.listed)
        unlisted = self.counts.total() - len(self.listed)
        if unlisted:
            yield f"… and {unlisted} more: use --limit to list them"
        for kind, explanation in EXPLANATIONS.items():
            if self.counts[kind]:
                yield f"{count(self.counts[kind], f'{kind} gap')}: {explanation}"
        if self.counts[GapKind.ERASED]:
            yield f"{count(self.counts[GapKind.ERASED], 'erased item')}: no gap, but no images"
        if self.counts.total() == self.counts[GapKind.ERASED]:
            yield "no gaps: every change replaced what the change before it left"
