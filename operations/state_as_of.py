"""State of the lake as of a time: its items by the law of state, and what is not known of them.

The items are those of the latest rows of all changes up to that time. The lake proves them if two
things hold. No change is missing from the history until then: it has no gap. And the first change
of each key after then replaced the item as of then: otherwise changes between the two are missing,
or the item is older than the lake's history, and its state as of then is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from analytics.athena import literal
from analytics.rank import IMAGES_CONTENT_SQL, RANK_SQL
from operations.digest import DIGEST_SQL
from operations.lake import complete_rows, key_condition
from operations.verify.gaps import find_gaps
from setup.names import CHANGES
from transform.gaps import GapKind

LATEST_ROWS_SQL = f"""
  SELECT *, row_number() OVER (
    PARTITION BY cdc_key
    ORDER BY {RANK_SQL}, {IMAGES_CONTENT_SQL} DESC
  ) AS cdc_recency
  FROM {CHANGES}
  WHERE {{until}} AND {{keys}}"""
ITEMS_SQL = f"""
SELECT cdc_key, cdc_new_image, count(*)
FROM ({LATEST_ROWS_SQL}
)
WHERE cdc_recency = 1 AND cdc_new_image IS NOT NULL AND (
{{where}}
)
GROUP BY GROUPING SETS ((cdc_key, cdc_new_image), ())"""
# The first change after a time has the item as of then as its old image. A snapshot, which counts
# if no change follows, has it as its new image.
UNKNOWN_KEYS_SQL = f"""
WITH latest_row AS (
  SELECT cdc_key, {DIGEST_SQL.format("cdc_new_image")} AS cdc_image
  FROM ({LATEST_ROWS_SQL}
  )
  WHERE cdc_recency = 1
),
later_row AS (
  SELECT
    cdc_key,
    {
    DIGEST_SQL.format(
        "CASE cdc_operation WHEN 'SNAPSHOT' THEN cdc_new_image ELSE cdc_old_image END"
    )
} AS cdc_image,
    cdc_operation IN ('INSERT', 'SNAPSHOT') OR cdc_old_image IS NOT NULL AS cdc_has_image,
    row_number() OVER (
      PARTITION BY cdc_key
      ORDER BY CASE cdc_operation WHEN 'SNAPSHOT' THEN 1 ELSE 0 END,
        regexp_extract(cdc_source, '[^/]*$'), cdc_source, cdc_sequence, cdc_event_id,
        cdc_old_image DESC
    ) AS cdc_position
  FROM {CHANGES}
  WHERE NOT ({{until}}) AND {{keys}}
)
SELECT later_row.cdc_key, count(*)
FROM later_row
LEFT JOIN latest_row ON latest_row.cdc_key = later_row.cdc_key
WHERE cdc_position = 1
  AND cdc_has_image
  AND later_row.cdc_image IS DISTINCT FROM latest_row.cdc_image
GROUP BY GROUPING SETS ((later_row.cdc_key), ())"""
UNKNOWN = "its next change did not replace the item as of then: changes between the two are lost"


@dataclass(frozen=True)
class StateAsOf:
    """The state as of a time, of some keys, or of the items that meet a condition of SQL."""

    time: datetime
    keys: Collection[str] = ()
    where: str = "true"

    @property
    def timestamp(self) -> str:
        """The time in whole seconds, UTC."""
        return f"{self.time:%Y-%m-%d %H:%M:%S}"

    def fetch_items(self) -> Iterator[tuple[str, str]]:
        """Return key and image of each item."""
        for key, image in complete_rows(self._format(ITEMS_SQL)):
            yield str(key), str(image)

    def fetch_unknown_keys(self) -> Iterator[tuple[str, str]]:
        """Yield each key whose state is not known, or whose history is incomplete, and why."""
        for gap in find_gaps(f"{self._until} AND {key_condition(self.keys)}"):
            if gap.kind == GapKind.OPEN:
                yield str(gap.key), str(gap).split("  ")[-1]
        for (key,) in complete_rows(self._format(UNKNOWN_KEYS_SQL)):
            yield str(key), UNKNOWN

    @property
    def _until(self) -> str:
        return f"cdc_changed_at <= {literal(f'{self.timestamp}.000')}"

    def _format(self, sql: str) -> str:
        return sql.format(until=self._until, keys=key_condition(self.keys), where=self.where)
