"""The lake's current state, computed by Athena: of each key, the row with the greatest rank.

Each query also counts its rows, so that a result of which a part is missing is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import cast

from analytics.athena import QueryFailed, Row, run_query
from analytics.rank import RANK_SQL
from operations.columns import DeclaredColumns
from operations.digest import DIGEST_SQL, digest
from operations.row_source import JSON, RowSource
from transform import state

# Athena accepts 256 KiB of SQL; this many keys take 70 KiB of it.
MAX_KEYS_IN_QUERY = 1000
# A query for items names each column four times.
MAX_NAMES_LENGTH = 40_000
Rank = tuple[str, ...]
RANK_COLUMNS = ("cdc_source", "cdc_sequence", "cdc_snapshot_at", "cdc_event_id")
ROW_COLUMNS = ("cdc_key", *RANK_COLUMNS, "cdc_new_image")

# A row without a key does not come from the transform, but it is in the lake: report it.
KEY_SQL = "coalesce(cdc_key, 'null')"
# The law of state: the rank, then the content of copies that differ. Declared columns that are not
# a part of the content come last.
LATEST_FIRST_SQL = f"{RANK_SQL}, cdc_content DESC, cdc_columns_digest DESC"
ROWS_SQL = f"""
    SELECT {KEY_SQL} AS cdc_key, cdc_source, cdc_sequence, cdc_snapshot_at, cdc_event_id,
      {DIGEST_SQL.format("cdc_new_image")} AS cdc_image_digest,
      {{columns_digest}} AS cdc_columns_digest{{details}}
    FROM (
    {{rows}}
    )
    WHERE {{condition}}"""
# Over the rows of a whole lake, the window must not hold images. Without them it cannot order
# copies of a change that differ in their images: it returns them all.
DIGESTS_SQL = f"""
SELECT cdc_key, {{item_digest}} AS cdc_digest, count(*) AS cdc_count
FROM (
  SELECT *, rank() OVER (
    PARTITION BY cdc_key
    ORDER BY {RANK_SQL}, cdc_image_digest IS NULL
  ) AS cdc_recency
  FROM ({ROWS_SQL}
  )
)
WHERE cdc_recency = 1 AND cdc_image_digest IS NOT NULL
GROUP BY GROUPING SETS ((cdc_key, cdc_image_digest), ())"""
LATEST_ROWS_SQL = f"""
SELECT {{output}}, count(*) AS cdc_count
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY cdc_key
    ORDER BY {LATEST_FIRST_SQL}
  ) AS cdc_recency
  FROM ({ROWS_SQL}
  )
)
WHERE cdc_recency = 1
GROUP BY GROUPING SETS (({{output}}), ())"""


class TruncatedResult(QueryFailed):
    """A query's result has fewer rows than the query counted."""


@dataclass(frozen=True, slots=True)
class LakeRow:
    """The latest row of a key in the lake; a removed item has no digest of its image.

    `columns_digest` is None for a row without attribute columns.
    """

    key: str
    image_digest: str | None
    columns_digest: str | None
    source: str | None
    sequence: str | None
    snapshot_at: str | None

    @property
    def item_digest(self) -> str | None:
        """The digest of the item with its columns, None if the item is removed."""
        return self.image_digest and item_digest(self.image_digest, self.columns_digest)

    @property
    def fingerprint(self) -> str:
        """A text that is equal for equal rows only."""
        return digest(json.dumps(astuple(self)))

    @property
    def state_row(self) -> state.Row:
        """The row with the columns that its rank needs; the others are empty."""
        return state.Row(
            operation="",
            key=self.key,
            source=self.source or "",
            sequence=self.sequence or "",
            snapshot_at=self.snapshot_at,
            event_id="",
            changed_at="",
            old_image=None,
            new_image=None,
        )


@dataclass(frozen=True, slots=True)
class LakeItem:
    """An item in the lake: its image as text, and the declared columns of its row."""

    key: str
    image: str | None
    columns: dict[str, str | None]


def row_rank(row: Mapping[str, object]) -> Rank:
    """Return the rank of a row, which may lack columns."""
    source, *others = (str(row.get(name) or "") for name in RANK_COLUMNS)
    return (*state.stream_rank(source), *others)


def item_digest(image_digest: str, columns_digest: str | None) -> str:
    """Return one digest of image and columns, equal to what ITEM_DIGEST_SQL computes."""
    return digest(image_digest + (columns_digest or ""))


def fetch_digests(
    columns: DeclaredColumns, keys: Collection[str] = (), source: RowSource = JSON
) -> Iterator[tuple[str, str]]:
    """Return key and digest of every item in the lake, or of those with the given keys.

    A key comes more than once if its latest row has copies with other images.
    """
    columns_digest = "coalesce(max(cdc_columns_digest), '')"
    sql = DIGESTS_SQL.format(
        item_digest=DIGEST_SQL.format(f"concat(cdc_image_digest, {columns_digest})"),
        columns_digest=columns.digest_sql(),
        details="",
        rows=_rows_sql(columns, source),
        condition=key_condition(keys),
    )
    return cast("Iterator[tuple[str, str]]", complete_rows(sql))  # Neither column can be NULL.


def fetch_latest_rows(
    columns: DeclaredColumns, keys: Collection[str], source: RowSource = JSON
) -> Iterator[LakeRow]:
    """Return the latest row of each key; of every key if more are given than a query may name."""
    output = (
        "cdc_key, cdc_image_digest, cdc_columns_digest, cdc_source, cdc_sequence, cdc_snapshot_at"
    )
    named_keys = keys if len(keys) <= MAX_KEYS_IN_QUERY else ()
    rows = complete_rows(_latest_rows_sql(output, columns, named_keys, ["cdc_content"], source))
    return (LakeRow(str(key), *values) for key, *values in rows)


def fetch_items(
    columns: DeclaredColumns, keys: Sequence[str], source: RowSource = JSON
) -> Iterator[LakeItem]:
    """Return the items of at most MAX_KEYS_IN_QUERY keys, with their images.

    Of very many columns, only the first are returned.
    """
    columns = columns.first(MAX_NAMES_LENGTH)
    output = ", ".join(["cdc_key", "cdc_new_image", *columns.identifiers])
    details = ("cdc_content", "cdc_new_image", *columns.identifiers)
    sql = _latest_rows_sql(output, columns, keys, details, source)
    for key, image, *values in complete_rows(sql):
        yield LakeItem(str(key), image, dict(zip(columns.names, values, strict=True)))


def _latest_rows_sql(
    output: str,
    columns: DeclaredColumns,
    keys: Collection[str],
    details: Sequence[str],
    source: RowSource,
) -> str:
    return LATEST_ROWS_SQL.format(
        output=output,
        columns_digest=columns.digest_sql(),
        details=f", {', '.join(details)}",
        rows=_rows_sql(columns, source),
        condition=key_condition(keys),
    )


def _rows_sql(columns: DeclaredColumns, source: RowSource) -> str:
    return source.rows_sql([*ROW_COLUMNS, *columns.names])


def key_condition(keys: Collection[str]) -> str:
    """Return the condition; it names keys by their digests, so no key's text becomes SQL."""
    digests = ", ".join(f"'{digest(key)}'" for key in keys)
    return f"{DIGEST_SQL.format(KEY_SQL)} IN ({digests})" if keys else "true"


def complete_rows(sql: str) -> Iterator[Row]:
    """Yield the rows of a query without its count; raise TruncatedResult if one is missing.

    The query groups its rows, and all of them once more: GROUP BY GROUPING SETS ((...), ()). Its
    last column is the count of a group, and its first is never NULL but for the group of all rows.
    """
    expected_count = None
    counted = 0
    for first, *values, count in run_query(sql).rows:
        if first is None:
            expected_count = int(count or 0)
        else:
            counted += int(count or 0)
            yield (first, *values)
    if counted != expected_count:
        lacks = "its row count" if expected_count is None else "some rows"
        raise TruncatedResult(f"Athena's result lacks {lacks} after {counted}: run it again")
