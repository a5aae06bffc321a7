"""The lake's current state, computed by Athena: of each key, the row with the greatest rank."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from analytics.athena import run_query
from setup.names import CHANGES
from transform.state import Row

MAX_KEYS_IN_QUERY = 3000  # Athena accepts 256 KiB of SQL

# A row without a key does not come from the transform, but it is in the lake: report it.
KEY_SQL = "coalesce(cdc_key, 'null')"
# The law of state, as transform.state has it: the rank, then the content of copies that differ.
# In descending order Athena sorts NULL last.
LATEST_FIRST_SQL = """regexp_extract(cdc_source, '[^/]*$') DESC, cdc_source DESC,
      cdc_sequence DESC, coalesce(cdc_snapshot_at, '') DESC, cdc_event_id DESC,
      cdc_new_image DESC, cdc_old_image DESC, cdc_operation DESC, cdc_changed_at DESC"""
DIGEST_SQL = "lower(to_hex(sha256(to_utf8({}))))"
LATEST_ROWS_SQL = f"""
SELECT {KEY_SQL} AS cdc_key, {{columns}}
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY {KEY_SQL}
    ORDER BY {LATEST_FIRST_SQL}
  ) AS cdc_recency
  FROM {CHANGES}
  WHERE {{condition}}
)
WHERE cdc_recency = 1"""


@dataclass(frozen=True, slots=True)
class LakeRow:
    """The latest row of a key in the lake; the image of a removed item is None."""

    key: str
    image: str | None
    source: str | None
    sequence: str | None
    snapshot_at: str | None

    @property
    def state_row(self) -> Row:
        """The row with the columns that its rank needs; the others are empty."""
        return Row(
            operation="",
            key=self.key,
            source=self.source or "",
            sequence=self.sequence or "",
            snapshot_at=self.snapshot_at,
            event_id="",
            changed_at="",
            old_image=None,
            new_image=self.image,
        )


def digest(text: str) -> str:
    """Return the SHA-256 of a text, equal to what DIGEST_SQL computes in Athena."""
    return sha256(text.encode()).hexdigest()


def fetch_digests(keys: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Return key and digest of every item in the lake, or of those with the given keys."""
    columns = f"{DIGEST_SQL.format('cdc_new_image')} AS digest"
    rows = run_query(f"{_latest_rows_sql(columns, keys)} AND cdc_new_image IS NOT NULL").rows
    return cast("Iterator[tuple[str, str]]", rows)  # Neither column can be NULL.


def fetch_latest_rows(keys: Collection[str]) -> Iterator[LakeRow]:
    """Return the latest row of each key; of every key if more are given than a query may name."""
    columns = "cdc_new_image, cdc_source, cdc_sequence, cdc_snapshot_at"
    sql = _latest_rows_sql(columns, keys if len(keys) <= MAX_KEYS_IN_QUERY else ())
    return (LakeRow(str(key), *values) for key, *values in run_query(sql).rows)


def _latest_rows_sql(columns: str, keys: Collection[str]) -> str:
    """Return the query; it names keys by their digests, so no key's text becomes SQL."""
    digests = ", ".join(f"'{digest(key)}'" for key in keys)
    condition = f"{DIGEST_SQL.format(KEY_SQL)} IN ({digests})" if keys else "true"
    return LATEST_ROWS_SQL.format(columns=columns, condition=condition)
