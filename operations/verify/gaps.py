"""Lost changes that the lake betrays by itself: an old image that the change before did not leave.

The same rule as transform.state.find_gaps, in SQL. A lost tail is out of its sight: only verify
sees it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from analytics.athena import run_query
from setup.names import CHANGES

GAPS = f"""
WITH change AS (
  SELECT DISTINCT cdc_key, cdc_source, cdc_sequence, cdc_event_id, cdc_operation,
    cdc_old_image, cdc_new_image
  FROM {CHANGES}
  WHERE cdc_operation <> 'SNAPSHOT'
),
chained AS (
  SELECT *,
    lag(cdc_source) OVER history AS source_before,
    lag(cdc_sequence) OVER history AS sequence_before,
    lag(cdc_new_image) OVER history AS image_before
  FROM change
  WINDOW history AS (PARTITION BY cdc_key ORDER BY cdc_source, cdc_sequence, cdc_event_id)
),
explained AS (
  SELECT cdc_key, cdc_source, cdc_new_image
  FROM {CHANGES}
  WHERE cdc_operation = 'SNAPSHOT' AND cdc_new_image IS NOT NULL
  INTERSECT (
    SELECT cdc_key, cdc_source, cdc_new_image FROM change
    UNION
    SELECT cdc_key, cdc_source, cdc_old_image FROM chained
    WHERE source_before IS DISTINCT FROM cdc_source
  )
),
excused AS (SELECT DISTINCT cdc_key, cdc_source FROM explained)
SELECT chained.cdc_key, source_before, sequence_before, chained.cdc_source, cdc_sequence
FROM chained
LEFT JOIN excused ON excused.cdc_key = chained.cdc_key AND excused.cdc_source = chained.cdc_source
WHERE cdc_old_image IS DISTINCT FROM image_before
  AND (cdc_old_image IS NOT NULL OR cdc_operation = 'INSERT')
  AND (source_before = chained.cdc_source OR excused.cdc_key IS NULL)
ORDER BY 1, 4, 5"""

MEANING = (
    "{} gaps: changes between those sequences are not in the lake. Where they were kept, "
    "python -m operations.replay brings them; where not, python -m operations.verify --repair "
    "mends the state of their keys, and the history keeps its gap"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A change that did not replace what the change before it left, where there was one."""

    key: str
    source_before: str | None
    sequence_before: str | None
    source: str
    sequence: str

    def __str__(self) -> str:
        streams = "" if self.source_before in (None, self.source) else ", of an older stream"
        before = self.sequence_before or "nothing"
        return f"gap  {self.key}  lost between {before}{streams} and {self.sequence}"


def gaps() -> Iterator[Gap]:
    """Return every place in the lake where changes of a key are lost."""
    return (Gap(*row) for row in run_query(GAPS).rows)


class Gaps:
    """How many gaps there are, and as many of them as `limit` allows."""

    def __init__(self, found: Iterable[Gap], limit: int | None) -> None:
        self.count = 0
        self.listed: list[Gap] = []
        for gap in found:
            self.count += 1
            if limit is None or self.count <= limit:
                self.listed.append(gap)

    @property
    def status(self) -> int:
        """0 without a gap, 1 with any."""
        return min(self.count, 1)

    def document(self) -> dict[str, object]:
        """Return the gaps for programs."""
        return {"count": self.count, "gaps": [asdict(gap) for gap in self.listed]}

    def lines(self) -> Iterator[str]:
        """Return the gaps in words; the last line says it all."""
        yield from map(str, self.listed)
        if unlisted := self.count - len(self.listed):
            yield f"gap  and {unlisted} more: list them with --limit"
        if self.count:
            yield MEANING.format(self.count)
        else:
            yield "no gaps: every change replaced what the one before it left"
