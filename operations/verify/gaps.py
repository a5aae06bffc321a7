"""Gaps in the lake's history: changes whose old image the change before them did not leave.

The rule is that of transform.gaps.find_gaps, in SQL. Changes lost at the end of a key's history
leave no gap until a repair bridges them: only a comparison with the table finds them before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from analytics.athena import literal
from analytics.rank import RANK_SQL
from operations.digest import DIGEST_SQL
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
# Athena reads rows again wherever a query names them, and has windows in memory: so the rows are
# named only twice, and windows hold digests of images.
GAPS_SQL = f"""
WITH lake_row AS (
  SELECT cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id,
    cdc_operation, cdc_changed_at, cdc_expired,
    cdc_operation = 'SNAPSHOT' AS is_snapshot,
    {DIGEST_SQL.format("cdc_old_image")} AS old_image,
    {DIGEST_SQL.format("cdc_new_image")} AS new_image,
    row_number() OVER (
      PARTITION BY cdc_key, cdc_source, cdc_sequence, cdc_event_id
      ORDER BY cdc_content DESC
    ) AS cdc_copy
  FROM (
  {{rows}}
  )
  WHERE {{condition}}
),
row_with_previous AS (
  SELECT *,
    lead(cdc_source) OVER history AS source_before,
    lead(cdc_sequence) OVER history AS sequence_before,
    lead(new_image) OVER history AS image_before,
    row_number() OVER history = 1 AND NOT is_snapshot AS is_last_change,
    first_value(cdc_source) OVER latest AS latest_source,
    first_value(cdc_sequence) OVER latest AS latest_sequence,
    first_value(new_image) OVER latest AS latest_image,
    max(IF(cdc_expired = {literal(ERASED)}, cdc_source)) OVER of_key AS erased_source,
    max(IF(cdc_expired = {literal(ERASED)}, cdc_sequence)) OVER of_key AS erased_sequence
  FROM lake_row
  WHERE cdc_copy = 1
  WINDOW
    history AS (PARTITION BY cdc_key, is_snapshot ORDER BY {RANK_SQL}),
    latest AS (PARTITION BY cdc_key ORDER BY {RANK_SQL}),
    of_key AS (PARTITION BY cdc_key)
),
row_with_matches AS (
  SELECT *,
    -- A repair has the position of the change after which it found changes missing.
    bool_or(is_snapshot) OVER (
      PARTITION BY cdc_key,
        IF(is_snapshot, cdc_source, source_before),
        IF(is_snapshot, cdc_sequence, sequence_before),
        IF(is_snapshot, new_image, old_image)
    ) AS is_repaired,
    bool_or(is_snapshot) OVER (PARTITION BY cdc_key, cdc_source, new_image)
      AND new_image IS NOT NULL AS has_snapshot_of_new,
    bool_or(is_snapshot) OVER (
      PARTITION BY cdc_key, cdc_source, IF(is_snapshot, new_image, old_image)
    ) AND old_image IS NOT NULL AS has_snapshot_of_old
  FROM row_with_previous
),
row_with_confirmed AS (
  SELECT *,
    -- A snapshot has an image that a change of its stream left, or that the first one replaced.
    bool_or(
      NOT is_snapshot AND (
        has_snapshot_of_new
        OR (has_snapshot_of_old AND source_before IS DISTINCT FROM cdc_source)
      )
    ) OVER (PARTITION BY cdc_key, cdc_source) AS has_snapshot
  FROM row_with_matches
),
backfill AS (
  SELECT cdc_source AS backfill_source, max(cdc_snapshot_at) AS ended_at
  FROM (
  {{rows}}
  )
  WHERE {{condition}} AND cdc_operation = 'SNAPSHOT'
    AND cdc_sequence = {literal(BACKFILL_SEQUENCE)}
  GROUP BY cdc_source
),
row_with_kinds AS (
  SELECT *,
    IF(
      NOT is_snapshot
      AND old_image IS DISTINCT FROM image_before
      AND (old_image IS NOT NULL OR cdc_operation = 'INSERT')
      AND (source_before IS NOT NULL OR NOT has_snapshot),
      CASE
        WHEN is_repaired THEN {literal(GapKind.BRIDGED)}
        WHEN source_before <> cdc_source AND has_snapshot THEN {literal(GapKind.BRIDGED)}
        WHEN source_before IS NULL AND cdc_changed_at <= ended_at THEN {literal(GapKind.OLDER)}
        ELSE {literal(GapKind.OPEN)}
      END
    ) AS kind_before,
    IF(is_last_change AND latest_image IS DISTINCT FROM new_image, {literal(GapKind.BRIDGED)})
      AS kind_after,
    IF(cdc_expired = {literal(ERASED)}, {literal(GapKind.ERASED)}) AS kind_erased
  FROM row_with_confirmed
  LEFT JOIN backfill ON backfill_source = cdc_source
)
-- With the number of all gaps, so that a result of which a part is missing is noticed.
SELECT {COLUMNS}, count(*)
FROM (
  SELECT
    CASE rule WHEN 'before' THEN kind_before WHEN 'after' THEN kind_after ELSE kind_erased END
      AS kind,
    cdc_key,
    CASE rule WHEN 'before' THEN source_before WHEN 'after' THEN cdc_source END
      AS source_before,
    CASE rule WHEN 'before' THEN sequence_before WHEN 'after' THEN cdc_sequence END
      AS sequence_before,
    CASE rule WHEN 'before' THEN cdc_source WHEN 'after' THEN latest_source ELSE erased_source END
      AS cdc_source,
    CASE rule
      WHEN 'before' THEN cdc_sequence WHEN 'after' THEN latest_sequence ELSE erased_sequence
    END AS cdc_sequence
  FROM row_with_kinds
  CROSS JOIN (VALUES 'before', 'after', 'erased') AS rules (rule)
)
WHERE kind IS NOT NULL
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
